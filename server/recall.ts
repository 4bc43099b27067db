/**
 * What a restart would forget: clusters and routes that the last revisions took away, for clients that have not heard of it. The rules are taken back to
 * where they stood before these revisions, and forward again, aside from what is served.
 */
import type { RevisionRecord, StoredResource } from '../model/revision.ts';
import { stateOfRules } from './mesh-state.ts';
import { RuleIndex } from './rules/rule-index.ts';
import type { FormerResources } from './snapshot/former-resources.ts';
import { RebuildLoop } from './snapshot/rebuild-loop.ts';
import { SnapshotCache } from './snapshot/snapshot-cache.ts';
import type { Store } from './store/store.ts';

const mostRevisions = 256;

/** Services to be compiled again, each as often as a revision concerns it. It takes half a second. */
const mostCompiled = 2_000;

export interface Recall {
  readonly store: Pick<Store, 'revisions'>;
  /** In force at its newest revision. */
  readonly documents: readonly StoredResource[];
  readonly domain: string;
  /** Where they go. */
  readonly former: FormerResources;
}

/** Of as many of the last revisions as can be gone through in a moment. */
export async function recallFormer({ store, documents, domain, former }: Recall): Promise<void> {
  const rules = new RuleIndex(documents);
  const concerned = new Set<string>();
  const recalled: RevisionRecord[] = [];
  let compiled = 0;
  for await (const record of newestFirst(store)) {
    const services = rules.advance(record.changes.map(backwards), record.revision);
    compiled += services.length;
    if (compiled > mostCompiled) {
      rules.advance(record.changes, record.revision);
      break;
    }
    for (const service of services) concerned.add(service);
    recalled.unshift(record);
  }
  // Neither clusters nor routes depend on anything but the rules.
  const state = { ...stateOfRules(() => rules), virtualIps: () => [], instances: () => [], isHeld: () => false };
  const loop = new RebuildLoop(state, new SnapshotCache('', () => {}, former), domain);
  loop.start(concerned, 0);
  for (const { changes, revision } of recalled) {
    loop.onRevision(rules.advance(changes, revision), revision);
    loop.remove(revision);
  }
}

/** One at a time: there may be large ones beyond what is looked at. */
async function* newestFirst(store: Recall['store']): AsyncGenerator<RevisionRecord> {
  let [record] = await store.revisions({ limit: 1 });
  for (let count = 0; record !== undefined && count < mostRevisions; count++) {
    yield record;
    [record] = await store.revisions({ before: record.revision, limit: 1 });
  }
}

function backwards<Change extends RevisionRecord['changes'][number]>(change: Change): Change {
  return { ...change, before: change.after, after: change.before };
}
