/** Everything compiled for one service, as one immutable value: what a stream was sent can be kept by reference. */
import type { ServicePort } from '../../model/service.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { CompiledService } from '../compile/compile.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileEndpoints } from '../compile/endpoints.ts';
import { askForTheSame, haveSameEndpointRules, type ServiceInput } from '../compile/service-input.ts';
import type { InstanceRecord } from '../registry/instance.ts';
import { type AddressedService, addressesOf, addressName } from './addresses.ts';

export interface ServiceSnapshot extends AddressedService {
  /** The newest revision that changed anything but its endpoints. */
  readonly revision: number;
  /** Type URL -> name -> resource, for all five types. */
  readonly resources: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;
  /** Clusters that its routes send to, of this service and others. */
  readonly references: readonly string[];
  /** The ports it was compiled with, those included that are kept only for callers who may still use them. */
  readonly ports: readonly ServicePort[];
  /** What it was compiled to: for the clients that need it in another form. */
  readonly compiled: CompiledService;
  /**
   * Clusters that its rules no longer have, by name: they are served, with their endpoints, until every client that may still
   * send to them has taken the rules that do not.
   */
  readonly retired: ReadonlyMap<string, RetiredCluster>;
}

export interface RetiredCluster {
  /** The revision that takes it away. */
  readonly revision: number;
  /** The service as it was when it had the cluster. */
  readonly from: ServiceSnapshot;
}

const none: ServiceSnapshot['retired'] = new Map();

/** Clusters of this snapshot, those included that it keeps, that its service does not have as it is compiled now. */
export function retiredBy(
  before: ServiceSnapshot,
  compiled: CompiledService,
  revision: number,
): Map<string, RetiredCluster> {
  const present = new Set(compiled.clusters.map(({ name }) => name));
  const gone = before.compiled.clusters.filter(({ name }) => !present.has(name));
  // What it had retired itself is no part of what is kept: else each would keep the one before.
  const from = { ...before, retired: none };
  const own = gone.map(({ name }): [string, RetiredCluster] => [name, { revision, from }]);
  return new Map([...before.retired, ...own].filter(([name]) => !present.has(name)));
}

/** Whether a compilation says the same as the snapshot, its instances aside. */
export function isSameService(
  snapshot: ServiceSnapshot,
  input: ServiceInput,
  compiled: CompiledService,
  { endpointRules, retired }: Pick<ServiceSnapshot, 'endpointRules' | 'retired'>,
): boolean {
  if (!askForTheSame(snapshot.input, input)) return false;
  if (!haveSameEndpointRules(snapshot.endpointRules, endpointRules)) return false;
  return listsOf(compiled, retired).every(([typeUrl, resources]) => areHeld(snapshot, typeUrl, resources));
}

export function createServiceSnapshot(
  compiled: CompiledService,
  rest: Pick<ServiceSnapshot, 'input' | 'endpointRules' | 'instances' | 'revision' | 'retired'>,
): ServiceSnapshot {
  const lists = [...listsOf(compiled, rest.retired), [typeUrls.endpoint, endpointsOf(rest)] as const];
  return {
    key: compiled.key,
    compiled,
    ports: rest.endpointRules.ports,
    ...rest,
    addresses: addressesOf(rest),
    resources: new Map(lists.map(([typeUrl, resources]) => [typeUrl, byName(resources)])),
    references: compiled.references,
  };
}

/** The same service with these instances: itself when its endpoints stay the same. */
export function withInstances(snapshot: ServiceSnapshot, instances: readonly InstanceRecord[]): ServiceSnapshot {
  const endpoints = endpointsOf({ ...snapshot, instances });
  if (areHeld(snapshot, typeUrls.endpoint, endpoints)) return snapshot;
  const resources = new Map(snapshot.resources).set(typeUrls.endpoint, byName(endpoints));
  const addresses = addressesOf({ input: snapshot.input, instances });
  return { ...snapshot, instances, resources, addresses };
}

/** The same service without the clusters that this revision has taken away; itself when there are none. */
export function withoutRetired(snapshot: ServiceSnapshot, revision: number): ServiceSnapshot {
  const retired = new Map([...snapshot.retired].filter(([, each]) => each.revision !== revision));
  if (retired.size === snapshot.retired.size) return snapshot;
  return createServiceSnapshot(snapshot.compiled, { ...snapshot, retired });
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
  const present = snapshot?.resources.get(typeUrl)?.get(name);
  if (present !== undefined || typeUrl !== typeUrls.name || snapshot === undefined) return present;
  return addressName(snapshot, name);
}

export function resourcesOf(snapshot: ServiceSnapshot | undefined, typeUrl: string): readonly EncodedResource[] {
  return [...(snapshot?.resources.get(typeUrl)?.values() ?? [])];
}

type Parts = Pick<ServiceSnapshot, 'endpointRules' | 'instances' | 'retired'>;

function endpointsOf({ endpointRules, instances, retired }: Parts): readonly EncodedResource[] {
  const own = compileEndpoints({ ...endpointRules, instances });
  if (retired.size === 0) return own;
  const kept = [...new Set([...retired.values()].map(({ from }) => from))].flatMap((from) =>
    compileEndpoints({ ...from.endpointRules, instances }).filter(({ name }) => retired.get(name)?.from === from),
  );
  return [...own.filter(({ name }) => !retired.has(name)), ...kept];
}

function listsOf(
  compiled: CompiledService,
  retired: ServiceSnapshot['retired'],
): (readonly [string, readonly EncodedResource[]])[] {
  const kept = [...retired].flatMap(([name, { from }]) => resourceOf(from, typeUrls.cluster, name) ?? []);
  return [
    [typeUrls.name, compiled.names],
    [typeUrls.routeConfiguration, compiled.routeConfigurations],
    [typeUrls.cluster, [...compiled.clusters, ...kept]],
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
