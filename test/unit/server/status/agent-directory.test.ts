import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { Rush } from '../../../../server/registry/rush.ts';
import { AgentDirectory, type AgentLease } from '../../../../server/status/agent-directory.ts';
import { type AgentRecord, agentState, isConnected } from '../../../../server/status/agent-record.ts';
import { Rollouts } from '../../../../server/status/rollouts.ts';
import type { Lease } from '../../../../server/store/store.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

const seconds = 1_000;
const web1 = { id: 'web-1', namespace: 'default', service: 'web', keyHash: 'hash-1' };

describe('the directory of agents', () => {
  let shared: MemoryStore;
  let rollouts: Rollouts;
  let rush: Rush;
  let directory: AgentDirectory;
  let nowMs: number;
  let told: string[];

  /** A server that starts now. */
  function start(): void {
    const clock = () => nowMs;
    rush = new Rush(clock);
    rollouts = new Rollouts(() => {});
    told = [];
    directory = new AgentDirectory({
      store: shared.open(),
      log: pino({ level: 'silent' }),
      clock,
      rush,
      rollouts,
      onUsed: () => {},
      onAgent: (agent, isGone) => told.push(`${agent.key}${isGone ? ' gone' : ''}`),
    });
  }

  async function restart(revision: number): Promise<void> {
    await turns();
    start();
    directory.restore([...shared.leases.values()] as Lease<AgentLease>[], revision);
  }

  beforeEach(() => {
    nowMs = 1_000_000;
    shared = new MemoryStore();
    start();
    pass(5 * seconds);
  });

  function pass(ms: number): void {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs += 500;
      if (rush.hasJustEnded()) directory.restartGraces();
      directory.sweep();
    }
  }

  async function turns(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  const ids = () => [...directory.records()].map(({ key }) => key);
  const join = (more = {}) =>
    directory.join({ id: 'web-1', namespace: 'default', service: 'web', kind: 'agent', ...more });

  describe('has an agent', () => {
    it('for as long as its own stream is there', async () => {
      await directory.hold(web1);
      pass(3_600 * seconds);
      expect(ids()).to.deep.equal(['default/web-1']);
    });

    for (const { name, afterMs, want } of [
      { name: 'for a grace of 30 s after its stream is lost', afterMs: 29.5 * seconds, want: ['default/web-1'] },
      { name: 'no longer when its lease has run out', afterMs: 30 * seconds, want: [] },
    ]) {
      it(name, async () => {
        directory.release(await directory.hold(web1));
        pass(afterMs);
        expect(ids()).to.deep.equal(want);
      });
    }

    it('no longer, at once, when it had said that it would stop', async () => {
      directory.forget(await directory.hold(web1));
      await turns();
      expect([ids(), shared.leases.size, told.at(-1)]).to.deep.equal([[], 0, 'default/web-1 gone']);
    });

    it('with its record and its names when it comes back in time', async () => {
      const record = await directory.hold(web1);
      directory.setNames(record, ['reviews.default']);
      directory.release(record);
      pass(20 * seconds);
      expect(await directory.hold(web1)).to.equal(record);
      pass(60 * seconds);
      expect([ids(), record.names]).to.deep.equal([['default/web-1'], ['reviews.default']]);
    });

    it('with a new record when it comes back as another service', async () => {
      const record = await directory.hold(web1);
      const again = await directory.hold({ ...web1, service: 'shop' });
      expect([again === record, again.service, directory.size]).to.deep.equal([false, 'shop', 1]);
      // What still comes of the old one is of no account.
      directory.release(record);
      pass(60 * seconds);
      expect(directory.size).to.equal(1);
    });

    it('while its configuration stream is there, though its own is lost', async () => {
      const record = await directory.hold(web1);
      join();
      directory.release(record);
      pass(60 * seconds);
      expect(ids()).to.deep.equal(['default/web-1']);
      directory.leave(record);
      pass(29.5 * seconds);
      expect(ids()).to.deep.equal(['default/web-1']);
      pass(0.5 * seconds);
      expect(ids()).to.deep.equal([]);
    });

    it('by the hash of its key, never by the key', async () => {
      await directory.hold(web1);
      expect(directory.keyHashOf('default', 'web-1')).to.equal('hash-1');
      expect(directory.keyHashOf('books', 'web-1')).to.equal(undefined);
    });

    it('apart from one with the same id in another namespace', async () => {
      await directory.hold(web1);
      await directory.hold({ ...web1, namespace: 'books' });
      expect(ids()).to.deep.equal(['default/web-1', 'books/web-1']);
    });
  });

  describe('has a client without registration', () => {
    it('for as long as it has a configuration stream', () => {
      const first = join({ kind: 'envoy' });
      const second = join({ kind: 'envoy' });
      expect([first === second, first.streams]).to.deep.equal([true, 2]);
      directory.leave(first);
      expect(ids()).to.deep.equal(['envoy:default/web-1']);
      directory.leave(first);
      expect([ids(), told.at(-1)]).to.deep.equal([[], 'envoy:default/web-1 gone']);
    });

    it('never in the place of an agent of that id', async () => {
      const agent = await directory.hold(web1);
      const foreign = join({ kind: 'envoy' });
      directory.leave(foreign);
      expect([...directory.records()]).to.deep.equal([agent]);
    });

    it('that turns out to be an agent which registers later: it is not gone with its stream', async () => {
      const early = join();
      const record = await directory.hold(web1);
      expect(record).to.equal(early);
      directory.leave(record);
      expect(ids()).to.deep.equal(['default/web-1']);
    });
  });

  describe('and its leases', () => {
    const stored = (): AgentLease[] => [...shared.leases.values()].map(({ value }) => value as AgentLease);

    it('record who the agent is and the names that it subscribes to, client-only or not', async () => {
      const record = await directory.hold(web1);
      directory.setNames(record, ['reviews.default', 'ratings.default']);
      await turns();
      expect(stored()).to.deep.equal([{ ...web1, names: ['ratings.default', 'reviews.default'] }]);
    });

    it('are not written for names that are the same in another order', async () => {
      const record = await directory.hold(web1);
      directory.setNames(record, ['a.default', 'b.default']);
      await turns();
      const { cursor } = shared.log;
      directory.setNames(record, ['b.default', 'a.default']);
      await turns();
      expect(shared.log.cursor).to.equal(cursor);
    });

    it('are gone when the agent is', async () => {
      directory.release(await directory.hold(web1));
      pass(30 * seconds);
      await turns();
      expect(stored()).to.deep.equal([]);
    });

    it('are not written for clients without registration', async () => {
      directory.setNames(join({ kind: 'envoy' }), ['reviews.default']);
      await turns();
      expect(stored()).to.deep.equal([]);
    });

    it('let an agent go on when they cannot be stored', async () => {
      shared.failure = 'the disk is full';
      await directory.hold(web1);
      expect(ids()).to.deep.equal(['default/web-1']);
      shared.failure = undefined;
      pass(500);
      await turns();
      expect(stored()).to.have.length(1);
    });
  });

  describe('after a restart of the server', () => {
    beforeEach(async () => {
      directory.setNames(await directory.hold(web1), ['reviews.default']);
      await directory.hold({ ...web1, id: 'idle-1' });
      await restart(7);
    });

    it('knows the agents, by key and names, as not connected', () => {
      const states = [...directory.records()].map((record) => [record.id, record.names, agentState(record)]);
      expect(states).to.deep.equal([
        ['web-1', ['reviews.default'], 'disconnected'],
        ['idle-1', [], 'disconnected'],
      ]);
      expect(directory.keyHashOf('default', 'web-1')).to.equal('hash-1');
    });

    it('counts those that hold something for the newest revision: what they have applied is not known', () => {
      expect(rollouts.get(7, directory.records())).to.deep.include({
        agents: 1,
        pending: [{ id: 'web-1', reason: 'not connected; counted until its lease runs out' }],
      });
    });

    it('begins their graces when the rush of reconnections is over', async () => {
      for (let second = 0; second < 60; second++) {
        rush.onReconnection();
        pass(1 * seconds);
      }
      expect(directory.size).to.equal(2);
      pass(4 * seconds + 29.5 * seconds);
      expect(directory.size).to.equal(2);
      pass(0.5 * seconds);
      expect(directory.size).to.equal(0);
    });
  });

  it('property: knows those without a configuration stream, however agents and streams come and go', async () => {
    const step = fc.tuple(fc.constantFrom('hold', 'release', 'forget', 'join', 'leave', 'pass'), fc.nat(2), fc.nat(1));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        start();
        const joined: AgentRecord[] = [];
        for (const [what, number, of] of steps) {
          const identity = { id: `a-${number}`, namespace: 'default', service: of === 0 ? 'web' : 'shop' };
          const record = directory.get('default', identity.id);
          if (what === 'hold') await directory.hold({ ...identity, keyHash: 'hash' });
          else if (what === 'join') joined.push(directory.join({ ...identity, kind: of === 0 ? 'agent' : 'envoy' }));
          else if (what === 'leave') for (const each of joined.splice(number, 1)) directory.leave(each);
          else if (what === 'pass') pass(20 * seconds);
          else if (record) directory[what](record);
          const absent = [...directory.records()].filter((each) => !isConnected(each));
          expect([...directory.absent]).to.have.members(absent);
        }
      }),
    );
  });

  it('takes a sign of every reconnection for the rush', async () => {
    await restart(0);
    pass(4.5 * seconds);
    await directory.hold(web1);
    pass(4.5 * seconds);
    expect(rush.isOver).to.equal(false);
    pass(0.5 * seconds);
    expect(rush.isOver).to.equal(true);
  });

  describe('says in one word of an agent', () => {
    const nack = { revision: 1, atMs: 0, message: '', resources: [] };
    for (const { more, want } of [
      { more: { streams: 1, hasAnswered: true, touched: 3, applied: 3 }, want: 'current' },
      { more: { kind: 'envoy', streams: 1, hasAnswered: true, touched: 3, applied: 3 }, want: 'accepted' },
      { more: { streams: 1, hasAnswered: false, touched: 0, applied: 0 }, want: 'pending' },
      { more: { streams: 1, streamWaits: { name: 'older-store', detail: '' } }, want: 'older-store' },
      { more: { streams: 1, touched: 3, applied: 2 }, want: 'pending' },
      { more: { streams: 1, touched: 3, applied: 2, nack }, want: 'rejected' },
      { more: { streams: 0, touched: 3, applied: 2, nack }, want: 'disconnected' },
      { more: { streams: 1, reported: { name: 'foreign-store', detail: '' } }, want: 'foreign-store' },
      { more: { streams: 1, reported: { name: 'older-store', detail: '' } }, want: 'older-store' },
      {
        more: { streams: 1, hasAnswered: true, reported: { name: 'stale', detail: '' }, touched: 1, applied: 1 },
        want: 'current',
      },
    ] satisfies { more: Partial<AgentRecord>; want: string }[]) {
      it(want, async () => expect(agentState({ ...(await directory.hold(web1)), ...more })).to.equal(want));
    }
  });
});
