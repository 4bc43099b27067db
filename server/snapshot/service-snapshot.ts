/** Everything compiled for one service, as one immutable value: what a stream was sent can be kept by reference. */
import type { ServicePort } from '../../model/service.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { CompiledService } from '../compile/compile.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileEndpoints } from '../compile/endpoints.ts';
import {
  askForTheSame,
  type EndpointRules,
  haveSameEndpointRules,
  type ServiceInput,
} from '../compile/service-input.ts';
import type { InstanceRecord } from '../registry/instance.ts';

export interface ServiceSnapshot {
  /** "reviews.default". */
  readonly key: string;
  /** The newest revision that changed anything but its endpoints. */
  readonly revision: number;
  /** Type URL -> name -> resource, for all five types. */
  readonly resources: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;
  /** Clusters that its routes send to, of this service and others. */
  readonly references: readonly string[];
  /** The ports it was compiled with, those included that are kept only for callers who may still use them. */
  readonly ports: readonly ServicePort[];
  /** What everything but its endpoints was compiled from, and to: for the clients that need it in another form. */
  readonly input: ServiceInput;
  readonly compiled: CompiledService;
  /** What its endpoints are made of: the rules, and the instances as they are now. */
  readonly endpointRules: EndpointRules;
  readonly instances: readonly InstanceRecord[];
}

/** Whether a compilation says the same as the snapshot, its instances aside. */
export function isSameService(
  snapshot: ServiceSnapshot,
  input: ServiceInput,
  compiled: CompiledService,
  endpointRules: EndpointRules,
): boolean {
  if (!askForTheSame(snapshot.input, input)) return false;
  if (!haveSameEndpointRules(snapshot.endpointRules, endpointRules)) return false;
  return listsOf(compiled).every(([typeUrl, resources]) => areHeld(snapshot, typeUrl, resources));
}

export function createServiceSnapshot(
  compiled: CompiledService,
  rest: {
    readonly input: ServiceInput;
    readonly endpointRules: EndpointRules;
    readonly instances: readonly InstanceRecord[];
    readonly revision: number;
  },
): ServiceSnapshot {
  const endpoints = compileEndpoints({ ...rest.endpointRules, instances: rest.instances });
  const lists = [...listsOf(compiled), [typeUrls.endpoint, endpoints] as const];
  return {
    key: compiled.key,
    compiled,
    ports: rest.endpointRules.ports,
    ...rest,
    resources: new Map(lists.map(([typeUrl, resources]) => [typeUrl, byName(resources)])),
    references: compiled.references,
  };
}

/** The same service with these instances: itself when its endpoints stay the same. */
export function withInstances(snapshot: ServiceSnapshot, instances: readonly InstanceRecord[]): ServiceSnapshot {
  const endpoints = compileEndpoints({ ...snapshot.endpointRules, instances });
  if (areHeld(snapshot, typeUrls.endpoint, endpoints)) return snapshot;
  const resources = new Map(snapshot.resources).set(typeUrls.endpoint, byName(endpoints));
  return { ...snapshot, instances, resources };
}

/** Whether two snapshots of a service differ in endpoints at most: all else is then shared, not only equal. */
export function haveSameRules(a: ServiceSnapshot, b: ServiceSnapshot): boolean {
  return a.resources.get(typeUrls.routeConfiguration) === b.resources.get(typeUrls.routeConfiguration);
}

/** Type URL and name of what came, went or changed between two snapshots of a service. */
export function changedResources(
  before: ServiceSnapshot | undefined,
  after: ServiceSnapshot | undefined,
): [typeUrl: string, name: string][] {
  const types = [...((after ?? before)?.resources.keys() ?? [])];
  return types.flatMap((typeUrl) => {
    const names = new Set([...resourcesOf(before, typeUrl), ...resourcesOf(after, typeUrl)].map(({ name }) => name));
    const versionIn = (snapshot: ServiceSnapshot | undefined, name: string) =>
      resourceOf(snapshot, typeUrl, name)?.version;
    return [...names]
      .filter((name) => versionIn(before, name) !== versionIn(after, name))
      .map((name): [string, string] => [typeUrl, name]);
  });
}

export function resourceOf(
  snapshot: ServiceSnapshot | undefined,
  typeUrl: string,
  name: string,
): EncodedResource | undefined {
  return snapshot?.resources.get(typeUrl)?.get(name);
}

export function resourcesOf(snapshot: ServiceSnapshot | undefined, typeUrl: string): readonly EncodedResource[] {
  return [...(snapshot?.resources.get(typeUrl)?.values() ?? [])];
}

function listsOf(compiled: CompiledService): (readonly [string, readonly EncodedResource[]])[] {
  return [
    [typeUrls.name, compiled.names],
    [typeUrls.routeConfiguration, compiled.routeConfigurations],
    [typeUrls.cluster, compiled.clusters],
    [typeUrls.listener, compiled.listeners],
  ];
}

/** Whether these are all resources of the type that the snapshot has. */
function areHeld(snapshot: ServiceSnapshot, typeUrl: string, resources: readonly EncodedResource[]): boolean {
  const present = snapshot.resources.get(typeUrl);
  return (
    present?.size === resources.length && resources.every(({ name, version }) => present.get(name)?.version === version)
  );
}

function byName(resources: readonly EncodedResource[]): ReadonlyMap<string, EncodedResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}
