/** What changed between two states of what is held: only that goes to the workers. Pure. */
import { z } from 'zod';
import { decodeInto } from '../xds/decode.ts';
import { copyTables, type HeldMesh, type ResourceKind, resourceKinds, type Tables } from '../xds/resources.ts';

/** `bytes` in base64: what goes between processes is JSON. */
const changedResource = z.object({ name: z.string(), version: z.string(), bytes: z.string() });

const changedTable = z.object({ put: z.array(changedResource), removed: z.array(z.string()) });

export const meshDelta = z.object({
  meshId: z.string(),
  revision: z.number(),
  tables: z.object({
    endpoints: changedTable,
    clusters: changedTable,
    routeConfigurations: changedTable,
    listeners: changedTable,
    names: changedTable,
  }),
});

export type MeshDelta = z.output<typeof meshDelta>;
type ChangedTable = z.output<typeof changedTable>;

/** Leads from the one to the other. */
export function deltaOf(before: HeldMesh, after: HeldMesh): MeshDelta {
  const change = (kind: ResourceKind) => changeOf(before.tables[kind], after.tables[kind]);
  return {
    meshId: after.meshId,
    revision: after.revision,
    tables: {
      endpoints: change('endpoints'),
      clusters: change('clusters'),
      routeConfigurations: change('routeConfigurations'),
      listeners: change('listeners'),
      names: change('names'),
    },
  };
}

/** Throws when a resource cannot be read: whoever sent it could. */
export function applyDelta({ tables: before }: HeldMesh, { meshId, revision, tables }: MeshDelta): HeldMesh {
  const after = copyTables(before);
  for (const kind of resourceKinds) {
    for (const name of tables[kind].removed) after[kind].delete(name);
    for (const { name, version, bytes } of tables[kind].put) {
      const fault = decodeInto(after, kind, { name, version, bytes: Buffer.from(bytes, 'base64') });
      if (fault !== undefined) throw new Error(`${kind} ${name} ${fault}`);
    }
  }
  return { meshId, revision, tables: after };
}

/** A resource that did not change is the same object. */
function changeOf(before: Tables[ResourceKind], after: Tables[ResourceKind]): ChangedTable {
  const put: ChangedTable['put'] = [];
  for (const [name, held] of after) {
    if (before.get(name) === held) continue;
    put.push({ name, version: held.version, bytes: Buffer.from(held.bytes).toString('base64') });
  }
  return { put, removed: [...before.keys()].filter((name) => !after.has(name)) };
}
