/**
 * What a restart would forget: clusters that the last revisions took away, and first ports that they changed, for clients that have not heard of it. The rules are taken back to
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

/** Documents that these changed. */
const mostChanges = 2_000;

/** Services to be compiled again, each as often as a revision concerns it, five of their rules counting as much; and to be looked at. It takes half a second. */
const mostWork = 1_000;
const mostSeen = 5_000;
const rulesAsMuch = 5;

export interface Recall {
  readonly store: Pick<Store, 'revisions'>;
  /** The documents in force, and their newest revision. */
  readonly documents: readonly StoredResource[];
  readonly revision: number;
  readonly domain: string;
  /** Where they go. */
  readonly former: FormerResources;
}

/** A revision to go through again. */
interface Step {
  readonly record: RevisionRecord;
  readonly services: readonly string[];
  /** It concerns more than can be compiled in a moment: what it took away is not recalled. */
  readonly isTooMuch: boolean;
}

/** Of as many of the last revisions as can be gone through in a moment. */
export async function recallFormer({ store, documents, revision, domain, former }: Recall): Promise<void> {
  const rules = new RuleIndex(documents);
  const steps: Step[] = [];
  let [work, seen] = [0, 0];
  for await (const record of newestFirst(store, revision)) {
    const services = rules.advance(record.changes.map(backwards), record.revision);
    const more = services.reduce((sum, key) => sum + workOf(rules, key), 0);
    const isTooMuch = work + more > mostWork;
    if (!isTooMuch) work += more;
    steps.unshift({ record, services, isTooMuch });
    seen += more;
    if (seen > mostSeen) break;
  }
  // Neither clusters nor routes depend on anything but the rules.
  const state = { ...stateOfRules(() => rules), virtualIps: () => [], instances: () => [], isHeld: () => false };
  const loop = new RebuildLoop(state, new SnapshotCache('', () => {}, former), domain);
  loop.start(new Set(steps.flatMap(({ services, isTooMuch }) => (isTooMuch ? [] : services))), 0);
  /** Services that were not compiled when they changed last. */
  const stale = new Set<string>();
  for (const { record, services, isTooMuch } of steps) {
    const { changes, revision } = record;
    if (isTooMuch) for (const service of services) stale.add(service);
    else
      loop.onRevision(
        services.filter((service) => stale.delete(service)),
        revision - 1,
      );
    rules.advance(changes, revision);
    if (!isTooMuch) loop.onRevision(services, revision);
    loop.remove(revision);
  }
}

function workOf(rules: RuleIndex, key: string): number {
  return 1 + rules.routes(key).reduce((sum, { spec }) => sum + spec.rules.length, 0) / rulesAsMuch;
}

/** Read one at a time: there may be large ones beyond what is looked at. */
async function* newestFirst(store: Recall['store'], newest: number): AsyncGenerator<RevisionRecord> {
  let [record] = await store.revisions({ before: newest + 1, limit: 1 });
  let changes = 0;
  for (let count = 0; record !== undefined && count < mostRevisions && changes < mostChanges; count++) {
    changes += record.changes.length;
    yield record;
    [record] = await store.revisions({ before: record.revision, limit: 1 });
  }
}

function backwards<Change extends RevisionRecord['changes'][number]>(change: Change): Change {
  return { ...change, before: change.after, after: change.before };
}
