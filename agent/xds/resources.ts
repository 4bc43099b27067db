/** The resources an agent holds: immutable tables by kind, replaced as a whole at a commit mark. */
import { typeUrls as wireTypes } from '../../proto/type-urls.ts';
import type { Cluster, ClusterLoadAssignment, Listener, Name, RouteConfiguration } from '../../proto/types.ts';

/** The message of each kind of resource that makes up a mesh. */
export interface ResourceMessages {
  readonly endpoints: ClusterLoadAssignment;
  readonly clusters: Cluster;
  readonly routeConfigurations: RouteConfiguration;
  readonly listeners: Listener;
  readonly names: Name;
}

export type ResourceKind = keyof ResourceMessages;

/** What the kinds are called on the wire. */
export const typeUrls: { readonly [Kind in ResourceKind]: string } = {
  endpoints: wireTypes.endpoint,
  clusters: wireTypes.cluster,
  routeConfigurations: wireTypes.routeConfiguration,
  listeners: wireTypes.listener,
  names: wireTypes.name,
};

/** The commit mark: the type and the one name of it. */
export const markTypeUrl = wireTypes.mark;
export { markName } from '../../proto/type-urls.ts';

/** The kinds that follow from names, in the order in which a stream opens them: nothing is asked for before it is covered. */
export const closureKinds = ['endpoints', 'clusters', 'routeConfigurations', 'listeners'] as const;
export const resourceKinds: readonly ResourceKind[] = [...closureKinds, 'names'];

/** One resource: its version and bytes as they came, and what they say. */
export interface Held<Kind extends ResourceKind = ResourceKind> {
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly message: ResourceMessages[Kind];
}

export type Tables = { readonly [Kind in ResourceKind]: ReadonlyMap<string, Held<Kind>> };
export type MutableTables = { readonly [Kind in ResourceKind]: Map<string, Held<Kind>> };

/** What an agent holds of which mesh. `meshId` is '' and `revision` 0 when it holds nothing yet. */
export interface HeldMesh {
  readonly meshId: string;
  readonly revision: number;
  readonly tables: Tables;
}

export const nothingHeld: HeldMesh = { meshId: '', revision: 0, tables: copyTables() };

/** Without a name of a service nothing is routed by what is held: no other mesh can take anything away. */
export function holdsRoutes({ tables }: HeldMesh): boolean {
  return tables.names.size > 0;
}

export function kindOf(typeUrl: string): ResourceKind | undefined {
  return resourceKinds.find((kind) => typeUrls[kind] === typeUrl);
}

/** A copy that may be changed; empty without an original. */
export function copyTables(tables?: Tables): MutableTables {
  return {
    endpoints: new Map(tables?.endpoints),
    clusters: new Map(tables?.clusters),
    routeConfigurations: new Map(tables?.routeConfigurations),
    listeners: new Map(tables?.listeners),
    names: new Map(tables?.names),
  };
}

/** Name -> version, as `initial_resource_versions` has it. */
export function versionsOf(tables: Tables, kind: ResourceKind): Record<string, string> {
  return Object.fromEntries([...tables[kind]].map(([name, { version }]) => [name, version]));
}
