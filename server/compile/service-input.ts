/** All that the compiler looks at for one service. Values only: the same input gives the same bytes anywhere. */
import type { Route } from '../../model/route.ts';
import type { Service, ServicePort } from '../../model/service.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';
import type { InstanceRecord } from '../registry/instance.ts';

export interface ServiceInput {
  readonly namespace: string;
  readonly name: string;
  /** The cluster-wide suffix of full names ("mesh.local"). */
  readonly domain: string;
  /** The first is what a host without port means. Two may share a name while callers still use an old number. */
  readonly ports: readonly ServicePort[];
  readonly document: Service | undefined;
  /** Its addresses, for applications that take them from DNS. */
  readonly virtualIps: readonly string[];
  readonly routes: readonly Route[];
  readonly policies: readonly TrafficPolicy[];
  /** Subsets that backends and mirrors of any Route name; '' among them or not. */
  readonly namedSubsets: readonly string[];
  /** Names of the ports of another service that a backend names. */
  readonly portsOf: (service: string) => readonly ServicePort[];
}

/** What the rules say of the endpoints of a service; with its instances it is all there is to them. */
export interface EndpointRules {
  /** "reviews.default". */
  readonly key: string;
  readonly ports: readonly ServicePort[];
  /** Whether an instance that does not say which port it serves serves all of them: the service declares only one. */
  readonly hasOnePort: boolean;
  readonly document: Service | undefined;
  readonly subsets: readonly string[];
}

export interface EndpointsInput extends EndpointRules {
  readonly instances: readonly InstanceRecord[];
}

/** Whether two services pick their endpoints from the same instances in the same way. */
export function haveSameEndpointRules(a: EndpointRules, b: EndpointRules): boolean {
  return describeRules(a) === describeRules(b);
}

/** Whether the documents of two inputs ask for the same: what is made of them is then the same for every kind of client. */
export function askForTheSame(a: ServiceInput, b: ServiceInput): boolean {
  return describeDocuments(a) === describeDocuments(b);
}

function describeDocuments({ document, routes, policies }: ServiceInput): string {
  return JSON.stringify([
    document?.spec,
    ...[...routes, ...policies].map(({ metadata, spec }) => [metadata.name, spec]),
  ]);
}

function describeRules({ ports, hasOnePort, document, subsets }: EndpointRules): string {
  const labels = subsets.map((subset) => Object.entries(subsetLabels(document, subset)).sort());
  return JSON.stringify([portNames(ports), hasOnePort, subsets, labels, document?.spec.hops]);
}

/** Each port name once, in order: clusters and endpoints are by name. */
export function portNames(ports: readonly ServicePort[]): readonly string[] {
  return [...new Set(ports.map(({ name }) => name))];
}

/** The subsets that have a cluster: all instances (''), the declared ones, and those that a backend names; sorted. */
export function subsetsOf(document: Service | undefined, namedSubsets: readonly string[]): readonly string[] {
  const declared = document?.spec.subsets.map(({ name }) => name) ?? [];
  return [...new Set(['', ...declared, ...namedSubsets])].sort();
}

/** The labels that make up a subset. One that is not declared means the label `version` of that value. */
export function subsetLabels(document: Service | undefined, subset: string): Readonly<Record<string, string>> {
  if (subset === '') return {};
  return document?.spec.subsets.find(({ name }) => name === subset)?.labels ?? { version: subset };
}

/** What agents are told of a port: what its service declares, or that nobody has said what is spoken there. */
export type WireProtocol = ServicePort['protocol'] | 'undeclared';

/** What own agents do with a protocol that they do not speak: they pass the bytes of connections on. */
export function isBytesToAgents(protocol: WireProtocol): boolean {
  return protocol === 'tcp' || protocol === 'http2' || protocol === 'grpc';
}

/** `port`: its name. A service that no document describes declares nothing. */
export function protocolOf({ document, ports }: Pick<ServiceInput, 'document' | 'ports'>, port: string): WireProtocol {
  if (document === undefined) return 'undeclared';
  return ports.find(({ name }) => name === port)?.protocol ?? 'undeclared';
}
