/**
 * Listeners of gRPC clients: none of them listens, each is what a channel finds its routes by. Their names are targets as
 * they are dialled: `xds:///reviews.default:9080`.
 */
import { isIP } from 'node:net';
import { grpcServerListenerPrefix, routeConfigurationName } from '../../../model/names.ts';
import type { Input } from '../../../proto/load.ts';
import {
  HTTPFault,
  HttpConnectionManager,
  type HttpFilter,
  Listener,
  Router,
  SocketAddressProtocol,
} from '../../../proto/types.ts';
import { faultFilter } from '../../../routing/fault-policy.ts';
import { any } from '../any.ts';
import { ads } from '../clusters.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import type { ServiceInput } from '../service-input.ts';

/** `spellings`: all full names of the service. A name without a port means the first one. */
export function compileGrpcListeners(input: ServiceInput, spellings: readonly string[]): EncodedResource[] {
  const { namespace, ports } = input;
  const names = [...spellings, ...spellings.flatMap((spelling) => shortName(spelling, namespace) ?? [])];
  const first = ports[0];
  return [...new Set(names)].flatMap((name) => [
    ...(first ? [compileListener(name, input, first.port)] : []),
    ...ports.map(({ port }) => compileListener(`${name}:${port}`, input, port)),
  ]);
}

/** "reviews" for "reviews.default": what clients of the same namespace may say. */
function shortName(spelling: string, namespace: string): string | undefined {
  const short = spelling.endsWith(`.${namespace}`) ? spelling.slice(0, -namespace.length - 1) : '';
  return short === '' || short.includes('.') ? undefined : short;
}

const router: Input<HttpFilter> = { name: 'envoy.filters.http.router', typedConfig: any(Router, {}) };

function compileListener(
  name: string,
  { name: service, namespace }: ServiceInput,
  portNumber: number,
): EncodedResource {
  const manager = any(HttpConnectionManager, {
    rds: {
      configSource: ads,
      routeConfigName: routeConfigurationName({ service, namespace, portNumber }),
    },
    // What a route says of faults overrides this.
    httpFilters: [{ name: faultFilter, typedConfig: any(HTTPFault, {}) }, router],
  });
  return encodeResource(Listener, name, { name, apiListener: { apiListener: manager } });
}

/** A server takes every request, whoever it is for. Undefined for a name that no server asks for. */
export function compileServerListener(name: string): EncodedResource | undefined {
  if (!name.startsWith(grpcServerListenerPrefix)) return undefined;
  const [, bracketed, plain, digits] =
    /^(?:\[(.*)\]|([^:]*)):(\d{1,5})$/.exec(name.slice(grpcServerListenerPrefix.length)) ?? [];
  const address = bracketed ?? plain ?? '';
  const portValue = Number(digits);
  if (isIP(address) === 0 || portValue > 65_535) return undefined;
  const manager = any(HttpConnectionManager, {
    routeConfig: {
      name: 'inbound',
      virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, nonForwardingAction: {} }] }],
    },
    httpFilters: [router],
  });
  return encodeResource(Listener, name, {
    name,
    address: { socketAddress: { protocol: SocketAddressProtocol.TCP, address, portValue } },
    filterChains: [
      { name: 'all', filters: [{ name: 'envoy.filters.network.http_connection_manager', typedConfig: manager }] },
    ],
  });
}
