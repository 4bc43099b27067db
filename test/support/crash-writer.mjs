// @ts-check
/**
 * A control plane without doors, to be killed: the built store, rules and registry on the data directory that it is
 * given. Says first what it found, then writes as fast as it can, and says what was acknowledged. One JSON value a line.
 * JavaScript, because it starts a hundred times: what runs from dist starts in a third of the time.
 *
 *     node crash-writer.mjs DATA_DIR REVISION     says all revisions above REVISION
 */
import { Registry } from '../../dist/server/registry/registry.js';
import { Rush } from '../../dist/server/registry/rush.js';
import { RuleBook } from '../../dist/server/rules/rule-book.js';
import { openEmbeddedStore } from '../../dist/server/store/embedded-store.js';

const [, , dataDir = '', since = '0'] = process.argv;
const log = { info() {}, warn() {}, error() {} };
const store = await openEmbeddedStore(dataDir);
const state = await store.load();
const rules = new RuleBook({
  store,
  surroundings: { domain: 'mesh.local', hasInstance: () => true, subscribers: () => 0, clientProblems: () => [] },
  wallClock: Date.now,
  onRevision: () => {},
});
const clock = () => performance.now();
const registry = new Registry({
  store,
  log,
  clock,
  rush: new Rush(clock),
  aliasOwner: () => undefined,
  onChange: () => {},
});
rules.restore(state.revision, state.resources);
registry.restore(state.leases);
store.watch(state.cursor, (change) => change.is === 'revision' && rules.onStored(change.record));

const unseen = state.revision - Number(since);
const records = unseen > 0 ? await rules.revisions({ limit: unseen }) : [];
say({
  is: 'found',
  meshId: store.meshId,
  revision: state.revision,
  records: [...records].reverse(),
  resources: state.resources,
  instances: registry.instances('crash.default').map(({ record }) => record.id),
});

const run = `${process.pid}-${Date.now()}`;
const names = Array.from({ length: 24 }, (_, index) => `policy-${index}`);
let writes = 0;
await Promise.all([apply(), apply(), apply(), register(0), register(1)]);

/** Three documents that carry one token; sometimes all others of a group go. */
async function apply() {
  for (;;) {
    const token = `write-${run}-${writes++}`;
    const first = Math.floor(Math.random() * names.length);
    const put = [0, 5, 10].map((step) => located(names[(first + step) % names.length], token));
    const prune = Math.random() < 0.2 ? { prune: { group: 'short-lived' } } : {};
    const { revision } = await rules.change({ put, remove: [], by: 'crash', message: token, dryRun: false, ...prune });
    say({ is: 'applied', revision, token });
    // Registrations get their turn.
    await nextTurn();
  }
}

async function register(writer) {
  for (;;) {
    const ref = { namespace: 'default', service: 'crash', id: `instance-${writer}-${Math.floor(Math.random() * 10)}` };
    const isThere = registry.instance(ref) === undefined;
    say({ is: 'changing', id: ref.id });
    if (isThere) await registry.register(instance(ref), false);
    else await registry.deregister(ref);
    say({ is: 'changed', id: ref.id, isThere });
  }
}

function located(name, token) {
  const labels = { write: token, group: Math.random() < 0.5 ? 'short-lived' : 'lasting' };
  const metadata = { name, namespace: 'default', labels };
  const resource = { apiVersion: 'sluice.dev/v1', kind: 'TrafficPolicy', metadata, spec: { service: name } };
  return { resource, file: 'crash', locate: () => ({ line: 1, column: 1 }) };
}

function instance(ref) {
  const rest = { labels: {}, weight: 1, zone: '', source: 'rest', ttlMs: 3_600_000, state: 'passing' };
  return { ...ref, address: '127.0.0.1', ports: { '': 8080 }, ...rest };
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Written when this returns: what is said before a kill is heard. */
function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
