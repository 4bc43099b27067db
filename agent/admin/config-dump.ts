/** What the agent holds and routes by, for people: resources in their JSON form, clusters with their instances. */
import type { MeshView } from '../view/mesh-view.ts';
import { toJson } from '../xds/decode.ts';
import type { Held, ResourceKind } from '../xds/resources.ts';
import type { AgentReport } from './agent-report.ts';

interface DumpedResource {
  readonly name: string;
  readonly version: string;
  readonly resource: unknown;
}

/** Every resource with its version, by kind, sorted by name. The mesh resources of this issue hold no secrets. */
export function dumpConfig({ identity, held, names }: Pick<AgentReport, 'identity' | 'held' | 'names'>) {
  const { meshId, revision, tables } = held;
  return {
    agent: identity,
    meshId,
    revision,
    subscribed: [...names].sort(),
    names: dumpTable('names', tables.names),
    listeners: dumpTable('listeners', tables.listeners),
    routeConfigurations: dumpTable('routeConfigurations', tables.routeConfigurations),
    clusters: dumpTable('clusters', tables.clusters),
    endpoints: dumpTable('endpoints', tables.endpoints),
  };
}

/** Each cluster as requests see it now. */
export function dumpClusters(view: MeshView) {
  return [...view.clusters.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, policy, endpoints }) => ({
      name,
      policy,
      instances: endpoints.map(({ instance, address, port, availability, weight, zone, load }) => {
        return { instance, address, port, availability, weight, zone, activeRequests: load.active };
      }),
    }));
}

function dumpTable<Kind extends ResourceKind>(kind: Kind, table: ReadonlyMap<string, Held<Kind>>): DumpedResource[] {
  return [...table]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, held]) => ({ name, version: held.version, resource: toJson(kind, held) }));
}
