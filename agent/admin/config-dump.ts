/** What the agent holds and routes by, for people: resources in their JSON form. */
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

function dumpTable<Kind extends ResourceKind>(kind: Kind, table: ReadonlyMap<string, Held<Kind>>): DumpedResource[] {
  return [...table]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, held]) => ({ name, version: held.version, resource: toJson(kind, held) }));
}
