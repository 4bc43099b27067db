/**
 * State in, wire out: compiles one service. A pure function of its input (no clock, no chance, no waiting), so that a
 * change to one service costs one service, and every server derives the same bytes.
 */
import { aliasName, serviceKey } from '../../model/names.ts';
import { toStruct } from '../../proto/struct.ts';
import { Listener, Name, TrafficDirection } from '../../proto/types.ts';
import { compileClusters } from './clusters.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { compileRoutes } from './routes.ts';
import { protocolOf, type ServiceInput } from './service-input.ts';

export interface CompiledService {
  /** "reviews.default". */
  readonly key: string;
  /** One per spelling under which the service can be asked for, by that spelling. */
  readonly names: readonly EncodedResource[];
  readonly routeConfigurations: readonly EncodedResource[];
  readonly clusters: readonly EncodedResource[];
  /** The inbound side of the service's own agents. */
  readonly listeners: readonly EncodedResource[];
  /** Clusters that its routes send to, of this service and others: what must be there before its routes are used. */
  readonly references: readonly string[];
}

/** Everything of a service but its endpoints, which change far more often. */
export function compileService(input: ServiceInput): CompiledService {
  const key = serviceKey(input.namespace, input.name);
  const routes = compileRoutes(input);
  const routeConfigurations = routes.map(({ resource }) => resource);
  return {
    key,
    names: compileNames(key, input, routeConfigurations),
    routeConfigurations,
    clusters: compileClusters(input),
    listeners: [compileInbound(key, input)],
    references: [...new Set(routes.flatMap(({ clusters }) => clusters))].sort(),
  };
}

function compileNames(
  key: string,
  { namespace, domain, document, virtualIps, ports }: ServiceInput,
  routes: readonly EncodedResource[],
): EncodedResource[] {
  const aliases = document?.spec.aliases.map((alias) => aliasName(namespace, alias)) ?? [];
  const spellings = [...new Set([key, `${key}.${domain}`, ...aliases])].sort();
  const routeConfigurations = routes.map(({ name }) => name);
  const portNames = ports.map(({ name }) => name);
  const direct = document?.spec.hops === 'direct';
  return spellings.map((name) =>
    encodeResource(Name, name, { name, service: key, routeConfigurations, virtualIps, portNames, direct }),
  );
}

/** Name of the Listener that configures the inbound side of a service's agents. */
export function inboundListenerName(service: string): string {
  return `inbound|${service}`;
}

function compileInbound(key: string, input: ServiceInput): EncodedResource {
  const { ports, document } = input;
  const name = inboundListenerName(key);
  const hops = document?.spec.hops ?? 'both';
  const described = ports.map(({ name, port }) => ({ name, port, protocol: protocolOf(input, name) }));
  return encodeResource(Listener, name, {
    name,
    trafficDirection: TrafficDirection.INBOUND,
    metadata: { filterMetadata: { sluice: toStruct({ hops, ports: described }) } },
  });
}
