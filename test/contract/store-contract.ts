/**
 * The law that every store keeps, in memory or on disk, held by one server or shared by several. An implementation says
 * how its handles come and go; the tests see nothing else of it.
 */
import { expect } from 'chai';
import { parseDocuments } from '../../model/document.ts';
import { type Resource, resourceKey } from '../../model/resource.ts';
import type { ResourceChange, RevisionRecord } from '../../model/revision.ts';
import type { Store, StoreChange } from '../../server/store/store.ts';

/** A place where one store lives, empty at first. */
export interface StorePlace {
  /** A handle on the store; whoever asks closes it before `reopen`. */
  open(): Promise<Store>;
  /** The handle of another server, while the first is open; the first itself where only one can be open. */
  another(first: Store): Promise<Store>;
  /** How many writes the store keeps for those who watch it, at most. */
  readonly logCapacity: number;
  /** Closes what is open and removes everything. */
  cleanUp(): Promise<void>;
}

export function runStoreContract(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`the ${name} store`, () => {
    let place: StorePlace;
    let store: Store;
    /** The store as another server sees it. */
    let other: Store;

    beforeEach(async () => {
      place = await createPlace();
      store = await place.open();
      other = await place.another(store);
    });

    afterEach(() => place.cleanUp());

    async function reopen(): Promise<void> {
      if (other !== store) await other.close();
      await store.close();
      store = await place.open();
      other = await place.another(store);
    }

    /** Appends revisions 1 to `count`, each with one document of its own. */
    async function appendMany(count: number): Promise<void> {
      for (let number = 1; number <= count; number++) {
        await store.append(revision(number, created(service(`s${number}`))), number - 1);
      }
    }

    describe('a new store', () => {
      it('is at revision 0 and has nothing in it', async () => {
        const { revision, resources, leases } = await store.load();
        expect({ revision, resources, leases }).to.deep.equal({ revision: 0, resources: [], leases: [] });
      });

      it('has a meshId, which stays through every reopening and is the same for every server', async () => {
        const before = store.meshId;
        expect(before).to.match(/^[0-9a-f-]{36}$/);
        expect(other.meshId).to.equal(before);
        await reopen();
        expect(store.meshId).to.equal(before);
      });

      it('has another meshId than any other store', async () => {
        const elsewhere = await createPlace();
        const foreign = await elsewhere.open();
        expect(foreign.meshId).to.not.equal(store.meshId);
        await elsewhere.cleanUp();
      });
    });

    describe('appending', () => {
      it('brings the documents up to date with the revision that changed each', async () => {
        const [first, second] = [service('reviews'), service('ratings')];
        const changed = service('reviews', 'books');
        expect(await store.append(revision(1, created(first), created(second)), 0)).to.deep.equal({ is: 'appended' });
        expect(await store.append(revision(2, updated(first, changed)), 1)).to.deep.equal({ is: 'appended' });
        expect(await standing(other)).to.deep.equal({
          revision: 2,
          resources: [
            { resource: second, revision: 1 },
            { resource: changed, revision: 2 },
          ],
        });
      });

      it('removes the documents that the revision deletes', async () => {
        await store.append(revision(1, created(service('reviews')), created(service('ratings'))), 0);
        await store.append(revision(2, deleted(service('reviews'))), 1);
        expect(await standing(store)).to.deep.equal({
          revision: 2,
          resources: [{ resource: service('ratings'), revision: 1 }],
        });
      });

      for (const { name, expected } of [
        { name: 'refuses what expects an older revision, and says which is the newest', expected: 1 },
        { name: 'refuses what expects a revision that never was, and says which is the newest', expected: 7 },
      ]) {
        it(name, async () => {
          await appendMany(2);
          const before = await standing(store);
          const answer = await store.append(revision(8, created(service('late'))), expected);
          expect(answer).to.deep.equal({ is: 'conflict', revision: 2 });
          expect(await standing(other)).to.deep.equal(before);
          expect(await store.revision(8)).to.equal(undefined);
        });
      }

      it('lets one of two that are appended at the same time win, and nothing of the other is there', async () => {
        const [mine, yours] = [service('mine'), service('yours')];
        const answers = await Promise.all([
          store.append(revision(1, created(mine)), 0),
          other.append(revision(1, created(yours)), 0),
        ]);
        expect(answers).to.have.deep.members([{ is: 'appended' }, { is: 'conflict', revision: 1 }]);
        const winner = answers[0]?.is === 'appended' ? mine : yours;
        expect(await standing(store)).to.deep.equal({ revision: 1, resources: [{ resource: winner, revision: 1 }] });
        expect(await store.revision(1)).to.deep.equal(revision(1, created(winner)));
      });

      it('loses none of many that are appended at the same time by servers that try again', async () => {
        const insist = async (by: Store, name: string) => {
          for (let expected = 0; ; ) {
            const answer = await by.append(revision(expected + 1, created(service(name))), expected);
            if (answer.is === 'appended') return;
            expected = answer.revision;
          }
        };
        const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
        await Promise.all(names.map((name, index) => insist(index % 2 === 0 ? store : other, name)));
        const history = await store.revisions({ limit: 100 });
        expect(history.map(({ revision }) => revision)).to.deep.equal(Array.from({ length: 20 }, (_, n) => 20 - n));
        expect(history.map(({ changes }) => changes[0]?.name)).to.have.members(names);
        expect((await store.load()).resources).to.have.length(20);
      });

      it('changes nothing when it is refused for a number that does not rise', async () => {
        await appendMany(2);
        const before = await standing(store);
        const [{ status }] = await Promise.allSettled([store.append(revision(2, created(service('again'))), 2)]);
        expect(status).to.equal('rejected');
        expect(await standing(store)).to.deep.equal(before);
      });

      it('takes a revision without changes, as one that only counts', async () => {
        await store.append(revision(1), 0);
        expect(await standing(store)).to.deep.equal({ revision: 1, resources: [] });
      });
    });

    describe('the history', () => {
      beforeEach(async () => {
        await appendMany(5);
        // A restored store that went on above 100.
        await store.append(revision(101), 5);
        await store.append(revision(102, created(service('s102'))), 101);
      });

      for (const { name, page, want } of [
        { name: 'is told newest first', page: { limit: 100 }, want: [102, 101, 5, 4, 3, 2, 1] },
        { name: 'is cut to the limit', page: { limit: 3 }, want: [102, 101, 5] },
        { name: 'goes on below a revision', page: { before: 5, limit: 2 }, want: [4, 3] },
        { name: 'goes on below a revision in a hole', page: { before: 50, limit: 2 }, want: [5, 4] },
        { name: 'goes on below a revision that is not reached yet', page: { before: 900, limit: 1 }, want: [102] },
        { name: 'goes on below a number that no revision can have', page: { before: 2 ** 40, limit: 1 }, want: [102] },
        { name: 'is empty below the first revision', page: { before: 1, limit: 10 }, want: [] },
        { name: 'is empty below revision 0', page: { before: 0, limit: 10 }, want: [] },
      ]) {
        it(name, async () => {
          expect((await other.revisions(page)).map(({ revision }) => revision)).to.deep.equal(want);
        });
      }

      for (const { name, number, want } of [
        { name: 'has each revision as it was appended', number: 3, want: revision(3, created(service('s3'))) },
        { name: 'has no revision 0', number: 0, want: undefined },
        { name: 'has no revision in a hole', number: 50, want: undefined },
        { name: 'has no revision that is not reached yet', number: 103, want: undefined },
        { name: 'has no revision that differs from one by 32 bits', number: 2 ** 32 + 3, want: undefined },
        { name: 'has no revision below 0', number: -1, want: undefined },
        { name: 'has no half revision', number: 3.5, want: undefined },
      ]) {
        it(name, async () => expect(await other.revision(number)).to.deep.equal(want));
      }
    });

    describe('a lease', () => {
      it('is kept with its value', async () => {
        const lease = await store.takeLease('instance/a', { state: 'passing' });
        expect(lease).to.deep.include({ key: 'instance/a', value: { state: 'passing' } });
        expect((await other.load()).leases).to.deep.equal([lease]);
      });

      it('gets a higher epoch when it is taken over', async () => {
        const first = await store.takeLease('instance/a', 1);
        const second = await other.takeLease('instance/a', 2);
        expect(second.epoch).to.be.greaterThan(first.epoch);
        expect((await store.load()).leases).to.deep.equal([second]);
      });

      it('keeps its epoch when its holder changes the value', async () => {
        const lease = await store.takeLease('instance/a', 1);
        const changed = { ...lease, value: 2 };
        expect(await store.updateLease(changed)).to.deep.equal(changed);
        expect((await other.load()).leases).to.deep.equal([changed]);
      });

      for (const { name, write, want } of [
        {
          name: 'refuses a change of the value by a holder of an old epoch',
          write: (old: { key: string; epoch: number }) => store.updateLease({ ...old, value: 'stale' }),
          want: undefined,
        },
        {
          name: 'refuses its removal by a holder of an old epoch',
          write: (old: { key: string; epoch: number }) => store.removeLease(old.key, old.epoch),
          want: false,
        },
      ]) {
        it(name, async () => {
          const old = await store.takeLease('instance/a', 1);
          const held = await other.takeLease('instance/a', 2);
          expect(await write(old)).to.equal(want);
          expect((await store.load()).leases).to.deep.equal([held]);
        });
      }

      it('is removed by its holder, once', async () => {
        const { key, epoch } = await store.takeLease('instance/a', 1);
        expect(await store.removeLease(key, epoch)).to.equal(true);
        expect(await store.removeLease(key, epoch)).to.equal(false);
        expect(await store.updateLease({ key, epoch, value: 2 })).to.equal(undefined);
        expect((await other.load()).leases).to.deep.equal([]);
      });

      it('never gets an epoch again that it had before it was removed', async () => {
        const { key, epoch } = await store.takeLease('instance/a', 1);
        await store.removeLease(key, epoch);
        const again = await other.takeLease(key, 2);
        expect(again.epoch).to.be.greaterThan(epoch);
        expect(await store.updateLease({ key, epoch, value: 'stale' })).to.equal(undefined);
      });

      it('never gets an old epoch again after a reopening, even if it was the greatest and is gone', async () => {
        const { key, epoch } = await store.takeLease('instance/a', 1);
        await store.removeLease(key, epoch);
        await reopen();
        expect((await store.takeLease(key, 2)).epoch).to.be.greaterThan(epoch);
      });

      it('goes through many changes at once in their order', async () => {
        const first = await store.takeLease('instance/a', 0);
        const [updated, taken, refused, removed, last] = await Promise.all([
          store.updateLease({ ...first, value: 1 }),
          store.takeLease('instance/a', 2),
          store.updateLease({ ...first, value: 3 }),
          store.removeLease('instance/a', first.epoch),
          store.takeLease('instance/b', 4),
        ]);
        expect([updated?.value, taken.value, refused, removed]).to.deep.equal([1, 2, undefined, false]);
        expect((await store.load()).leases).to.have.deep.members([taken, last]);
      });
    });

    describe('a watch', () => {
      it('tells every write after its cursor once, in order, whoever made it', async () => {
        const { cursor } = await store.load();
        const heard = listen(store, cursor);
        await store.append(revision(1, created(service('s1'))), 0);
        const lease = await other.takeLease('instance/a', 1);
        const changed = { ...lease, value: 2 };
        await store.updateLease(changed);
        await other.removeLease(lease.key, lease.epoch);
        await other.append(revision(2), 1);
        expect(await heard.first(5)).to.deep.equal([
          { is: 'revision', record: revision(1, created(service('s1'))) },
          { is: 'lease-put', lease },
          { is: 'lease-put', lease: changed },
          { is: 'lease-removed', key: 'instance/a' },
          { is: 'revision', record: revision(2) },
        ]);
        heard.close();
      });

      it('tells nothing of what was refused', async () => {
        const lease = await store.takeLease('instance/a', 1);
        await store.append(revision(1), 0);
        const heard = listen(store, (await store.load()).cursor);
        await other.append(revision(9), 7);
        await other.updateLease({ ...lease, epoch: lease.epoch - 1, value: 2 });
        await other.removeLease('instance/none', 1);
        await other.append(revision(2), 1);
        expect(await heard.first(1)).to.deep.equal([{ is: 'revision', record: revision(2) }]);
        heard.close();
      });

      it('misses nothing between the load and the watch', async () => {
        const { cursor } = await store.load();
        await other.append(revision(1), 0);
        await other.append(revision(2), 1);
        const heard = listen(store, cursor);
        await other.append(revision(3), 2);
        expect(revisionsOf(await heard.first(3))).to.deep.equal([1, 2, 3]);
        heard.close();
      });

      it('has cursors that rise, from any of which one can go on', async () => {
        const { cursor } = await store.load();
        const heard = listen(store, cursor);
        await appendMany(4);
        await heard.first(4);
        const cursors = heard.cursors();
        expect(cursors).to.deep.equal([...cursors].sort((a, b) => a - b));
        const late = listen(other, cursors[1] ?? 0);
        expect(revisionsOf(await late.first(2))).to.deep.equal([3, 4]);
        heard.close();
        late.close();
      });

      it('together with a load gives every watcher the same state, whenever it joins', async () => {
        const joined: { state: Map<string, unknown>; heard: Listener }[] = [];
        for (let number = 1; number <= 6; number++) {
          const { cursor, leases } = await other.load();
          const state = new Map<string, unknown>(leases.map(({ key, value }) => [key, value]));
          joined.push({ state, heard: listen(other, cursor) });
          await store.takeLease(`instance/${number % 3}`, number);
        }
        for (const [index, { state, heard }] of joined.entries()) {
          for (const change of await heard.first(6 - index)) {
            if (change.is === 'lease-put') state.set(change.lease.key, change.lease.value);
          }
          expect([...state].sort()).to.deep.equal([
            ['instance/0', 6],
            ['instance/1', 4],
            ['instance/2', 5],
          ]);
          heard.close();
        }
      });

      it('tells a watcher that itself writes of its write after the one it was being told of', async () => {
        const { cursor } = await store.load();
        const heard = listen(store, cursor, (change) => {
          if (change.is === 'revision' && change.record.revision === 1) void store.append(revision(2), 1);
        });
        const alsoHeard = listen(store, cursor);
        await store.append(revision(1), 0);
        expect(revisionsOf(await heard.first(2))).to.deep.equal([1, 2]);
        expect(revisionsOf(await alsoHeard.first(2))).to.deep.equal([1, 2]);
        heard.close();
        alsoHeard.close();
      });

      it('says gap, and nothing more, to one that is too far behind; a load and a new watch go on from there', async () => {
        const { cursor } = await store.load();
        const writes = Array.from({ length: place.logCapacity + 1 }, (_, n) => store.takeLease('instance/a', n));
        await Promise.all(writes);
        const behind = listen(store, cursor);
        expect(await behind.first(1)).to.deep.equal([{ is: 'gap' }]);
        const state = await store.load();
        const heard = listen(store, state.cursor);
        await store.append(revision(1), 0);
        expect(revisionsOf(await heard.first(1))).to.deep.equal([1]);
        expect(behind.count()).to.equal(1);
        heard.close();
      });

      it('says gap to one whose cursor the store has never reached: it belongs to another store', async () => {
        const { cursor } = await store.load();
        expect(await listen(store, cursor + 1_000).first(1)).to.deep.equal([{ is: 'gap' }]);
      });

      it('stops at once when it is closed', async () => {
        const { cursor } = await store.load();
        const closed = listen(store, cursor);
        const open = listen(store, cursor);
        closed.close();
        await store.append(revision(1), 0);
        await open.first(1);
        expect(closed.count()).to.equal(0);
        open.close();
      });

      it('stops at once when it is closed from within what it calls', async () => {
        const { cursor } = await store.load();
        const closing: Listener = listen(store, cursor, () => closing.close());
        const open = listen(store, cursor);
        await Promise.all([store.takeLease('instance/a', 1), store.takeLease('instance/b', 2)]);
        await open.first(2);
        expect(closing.count()).to.equal(1);
        open.close();
      });
    });

    describe('reopening', () => {
      it('keeps revisions, documents and leases', async () => {
        await appendMany(3);
        await store.append(revision(4, deleted(service('s1'))), 3);
        const kept = await store.takeLease('instance/a', { labels: { version: 'v1' } });
        const { epoch } = await store.takeLease('instance/b', 1);
        await store.removeLease('instance/b', epoch);
        const before = { ...(await standing(store)), history: await store.revisions({ limit: 100 }) };
        await reopen();
        expect({ ...(await standing(store)), history: await store.revisions({ limit: 100 }) }).to.deep.equal(before);
        expect((await store.load()).leases).to.deep.equal([kept]);
        expect(await store.append(revision(5), 4)).to.deep.equal({ is: 'appended' });
      });

      it('keeps what was not yet answered when it was closed', async () => {
        const taken = store.takeLease('instance/a', 1);
        await reopen();
        expect((await store.load()).leases).to.deep.equal([await taken]);
      });
    });

    it('has no trouble as long as it can write', async () => {
      await appendMany(1);
      expect(store.trouble).to.equal(undefined);
    });

    it('refuses to write after it was closed', async () => {
      await store.close();
      const answers = await Promise.allSettled([store.append(revision(1), 0), store.takeLease('instance/a', 1)]);
      expect(answers.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    });
  });
}

/** Revision and documents, in the order of their keys. */
async function standing(store: Store) {
  const { revision, resources } = await store.load();
  const sorted = [...resources].sort((a, b) => (resourceKey(a.resource) < resourceKey(b.resource) ? -1 : 1));
  return { revision, resources: sorted };
}

/** A StoreChange without the place it has, which differs between stores. */
type Heard = StoreChange extends infer Change ? (Change extends StoreChange ? Omit<Change, 'cursor'> : never) : never;

interface Listener {
  first(count: number): Promise<Heard[]>;
  cursors(): number[];
  count(): number;
  close(): void;
}

/** Collects what a watch tells; `first` waits until it has told so many. */
function listen(store: Store, cursor: number, alsoOn: (change: StoreChange) => void = () => {}): Listener {
  const changes: StoreChange[] = [];
  let awaited: { readonly count: number; readonly resolve: () => void } | undefined;
  const { close } = store.watch(cursor, (change) => {
    changes.push(change);
    if (awaited && changes.length >= awaited.count) awaited.resolve();
    alsoOn(change);
  });
  return {
    first: async (count: number): Promise<Heard[]> => {
      if (changes.length < count) {
        await new Promise<void>((resolve) => {
          awaited = { count, resolve };
        });
      }
      return changes.slice(0, count).map(withoutCursor);
    },
    cursors: () => changes.flatMap((change) => (change.is === 'gap' ? [] : change.cursor)),
    count: () => changes.length,
    close,
  };
}

function withoutCursor(change: StoreChange): Heard {
  if (change.is === 'gap') return change;
  const { cursor: _cursor, ...rest } = change;
  return rest;
}

function revisionsOf(changes: readonly Heard[]): number[] {
  return changes.flatMap((change) => (change.is === 'revision' ? change.record.revision : []));
}

export function revision(number: number, ...changes: ResourceChange[]): RevisionRecord {
  return { revision: number, at: '2026-01-01T00:00:00.000Z', by: 'test', message: `change ${number}`, changes };
}

export function service(name: string, team = 'none'): Resource {
  const text = JSON.stringify({
    apiVersion: 'sluice.dev/v1',
    kind: 'Service',
    metadata: { name, labels: { team } },
    spec: {},
  });
  const [parsed] = parseDocuments([{ name: 'test.yaml', text }]).resources;
  if (!parsed) throw new Error(`no document: ${text}`);
  return parsed.resource;
}

export function created(after: Resource): ResourceChange {
  return { ...idOf(after), action: 'created', before: null, after };
}

export function updated(before: Resource, after: Resource): ResourceChange {
  return { ...idOf(after), action: 'updated', before, after };
}

export function deleted(before: Resource): ResourceChange {
  return { ...idOf(before), action: 'deleted', before, after: null };
}

function idOf({ kind, metadata }: Resource) {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}
