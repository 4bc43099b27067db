import { expect } from 'chai';
import { pino } from 'pino';
import { LeaseKeeper } from '../../../../server/registry/lease-keeper.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

describe('the keeper of leases', () => {
  let shared: MemoryStore;
  let keeper: LeaseKeeper;
  let lines: string[];

  beforeEach(() => {
    shared = new MemoryStore();
    lines = [];
    keeper = new LeaseKeeper(shared.open(), pino({}, { write: (line) => lines.push(JSON.parse(line).msg) }));
  });

  const values = () => Object.fromEntries([...shared.leases].map(([key, { value }]) => [key, value]));

  it('has the lease in the store when a claim is answered', async () => {
    await keeper.claim('a', 1);
    expect(values()).to.deep.equal({ a: 1 });
  });

  it('writes the newest wish only: what was wished in between is never written', async () => {
    const first = keeper.claim('a', 0);
    const wishes = [1, 2, 3].map((value) => keeper.change('a', value));
    await Promise.all([first, ...wishes]);
    expect([values(), shared.log.cursor]).to.deep.equal([{ a: 3 }, 2]);
  });

  for (const { name, act, want } of [
    { name: 'ends with what was wished last: gone', act: () => [keeper.claim('a', 1), keeper.drop('a')], want: {} },
    {
      name: 'ends with what was wished last: there again',
      act: () => [keeper.claim('a', 1), keeper.drop('a'), keeper.claim('a', 2)],
      want: { a: 2 },
    },
    { name: 'takes a lease for a change when it never had it', act: () => [keeper.change('a', 1)], want: { a: 1 } },
    { name: 'lets go of a lease that it never had', act: () => [keeper.drop('a')], want: {} },
  ]) {
    it(name, async () => {
      await Promise.all(act());
      expect(values()).to.deep.equal(want);
    });
  }

  it('goes on with a lease of before a restart', async () => {
    await keeper.claim('a', 1);
    const [lease] = [...shared.leases.values()];
    const restarted = new LeaseKeeper(shared.open(), pino({ level: 'silent' }));
    if (lease) restarted.restore(lease);
    await restarted.change('a', 2);
    expect([...shared.leases.values()]).to.deep.equal([{ ...lease, value: 2 }]);
  });

  describe('whose lease another server has taken over', () => {
    beforeEach(async () => {
      await keeper.claim('a', 'mine');
      await new LeaseKeeper(shared.open(), pino({ level: 'silent' })).claim('a', 'theirs');
    });

    for (const { name, act, want } of [
      { name: 'cannot change it', act: () => keeper.change('a', 'stale'), want: { a: 'theirs' } },
      { name: 'cannot change it the second time either', act: changeTwice, want: { a: 'theirs' } },
      { name: 'cannot remove it', act: () => keeper.drop('a'), want: { a: 'theirs' } },
      { name: 'can claim it back', act: () => keeper.claim('a', 'mine again'), want: { a: 'mine again' } },
    ]) {
      it(name, async () => {
        await act();
        expect(values()).to.deep.equal(want);
      });
    }

    async function changeTwice() {
      await keeper.change('a', 'stale');
      await keeper.change('a', 'staler');
    }
  });

  describe('whose store takes no writes', () => {
    beforeEach(async () => {
      await keeper.claim('before', 1);
      shared.failure = 'the disk is full';
    });

    it('answers all the same, and leaves the store as it is', async () => {
      await Promise.all([keeper.claim('a', 1), keeper.change('before', 2), keeper.drop('before')]);
      expect(values()).to.deep.equal({ before: 1 });
    });

    it('writes, when it is asked to try again, how things are wished by then', async () => {
      await Promise.all([keeper.claim('a', 1), keeper.claim('b', 1), keeper.change('before', 2)]);
      await Promise.all([keeper.drop('b'), keeper.change('a', 2)]);
      shared.failure = undefined;
      keeper.retry();
      // Answered after the writes that the retry began.
      await Promise.all([keeper.change('before', 3), keeper.claim('c', 1)]);
      expect(values()).to.deep.equal({ a: 2, before: 3, c: 1 });
    });

    it('still claims what it had wanted to claim, though it was changed meanwhile', async () => {
      await new LeaseKeeper(shared.open(), pino({ level: 'silent' })).claim('before', 'theirs');
      await keeper.claim('before', 'mine');
      await keeper.change('before', 'mine, changed');
      shared.failure = undefined;
      keeper.retry();
      await keeper.claim('c', 1);
      expect(values()).to.deep.equal({ before: 'mine, changed', c: 1 });
    });

    it('tells of it once, not for every lease, and when all is well again', async () => {
      await Promise.all([keeper.claim('a', 1), keeper.claim('b', 1)]);
      keeper.retry();
      await keeper.claim('c', 1);
      shared.failure = undefined;
      keeper.retry();
      await Promise.all([keeper.change('a', 2), keeper.change('b', 2), keeper.change('c', 2)]);
      expect(lines).to.deep.equal([
        'leases cannot be stored for now; after a restart they would be as they were',
        'all leases are stored again',
      ]);
    });
  });
});
