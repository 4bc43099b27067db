import { mock } from 'node:test';
import { expect } from 'chai';
import { type AgentRecord, createAgentRecord } from '../../../../server/status/agent-record.ts';
import { type Laggard, type Rollout, Rollouts } from '../../../../server/status/rollouts.ts';

const never = new AbortController().signal;
/** Long enough to fail a test that waits for it. */
const long = 60_000;

describe('rollouts', () => {
  let rollouts: Rollouts;
  let progress: Rollout[];

  beforeEach(() => {
    progress = [];
    rollouts = new Rollouts((describe) => progress.push(describe()));
  });

  const agent = (id: string, more: Partial<AgentRecord> = {}): AgentRecord => ({
    ...createAgentRecord({ id, namespace: 'default', service: 'web', kind: 'agent' }, 0),
    streams: 1,
    ...more,
  });

  /** The agent uses this revision, and the state of the cache with the same number. */
  const applies = (by: AgentRecord, revision: number) => {
    Object.assign(by, { applied: revision, appliedSequence: revision });
    if (by.nack && by.nack.revision <= revision) by.nack = undefined;
    rollouts.onAgent(by);
  };

  const refuses = (by: AgentRecord, revision: number) => {
    by.nack = { revision, atMs: 0, message: 'unknown subset "v3"', resources: [] };
    rollouts.onAgent(by);
  };

  const publish = (revision: number, ...agents: AgentRecord[]) =>
    rollouts.publish({ revision, sequence: revision }, agents);

  const wait = (revision: number, timeoutMs = long, signal = never, agents: AgentRecord[] = []) =>
    rollouts.waitFor(revision, agents, timeoutMs, signal);

  describe('a wait', () => {
    it('ends at once, and says so, when no agent holds something that the revision changes', async () => {
      publish(1);
      expect(await wait(1)).to.deep.equal({
        revision: 1,
        phase: 'complete',
        retired: 0,
        agents: 0,
        applied: 0,
        pending: [],
        rejected: [],
        gone: [],
      });
    });

    it('ends when every agent that counts has applied it', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      const waiting = wait(1);
      applies(a, 1);
      applies(b, 1);
      expect(await waiting).to.deep.include({ agents: 2, applied: 2, pending: [] });
    });

    it('ends when they have applied a later one', async () => {
      const a = agent('a');
      publish(1, a);
      publish(2, a);
      const waiting = wait(1);
      applies(a, 2);
      expect(await waiting).to.deep.include({ agents: 1, applied: 1 });
    });

    it('ends at once when an agent refuses, naming it with its reason', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(3, a, b);
      const waiting = wait(3);
      refuses(b, 3);
      expect(await waiting).to.deep.include({
        applied: 0,
        pending: [{ id: 'a', reason: 'has not acknowledged yet' }],
        rejected: [{ id: 'b', reason: 'refuses revision 3: unknown subset "v3"' }],
      });
    });

    it('does not end for an earlier refusal: the revision may be what repairs it', async () => {
      const a = agent('a');
      publish(1, a);
      refuses(a, 1);
      publish(2, a);
      const waiting = wait(2);
      applies(a, 2);
      expect(await waiting).to.deep.include({ applied: 1, rejected: [] });
    });

    it('ends for an earlier refusal when the agent has dealt with the revision and does not take it back', async () => {
      const a = agent('a');
      publish(2, a);
      refuses(a, 2);
      publish(3, a);
      const waiting = wait(3);
      // A mark that repeats an older revision: the rest of revision 3 is in use.
      Object.assign(a, { applied: 1, appliedSequence: 3 });
      rollouts.onAgent(a);
      expect(await waiting).to.deep.include({
        applied: 0,
        rejected: [{ id: 'a', reason: 'refuses revision 2: unknown subset "v3"' }],
      });
    });

    it('does not end for the refusal of a later revision by an agent that has applied this one', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      const waiting = wait(1);
      a.nack = { revision: 2, atMs: 0, message: 'no', resources: [] };
      a.applied = 1;
      rollouts.onAgent(a);
      applies(b, 1);
      expect(await waiting).to.deep.include({ applied: 2 });
    });

    it('names who is not connected as pending, not forgotten', async () => {
      publish(1, agent('a', { streams: 0 }));
      expect((await wait(1, 0)).pending).to.deep.equal([
        { id: 'a', reason: 'not connected; counted until its lease runs out' },
      ]);
    });

    it('names who says why it does not follow', async () => {
      publish(
        1,
        agent('a', { reported: { name: 'foreign-store', detail: 'it keeps another mesh' } }),
        agent('b', { reported: { name: 'stale', detail: '' } }),
      );
      expect((await wait(1, 0)).pending).to.deep.equal([
        { id: 'a', reason: 'foreign-store: it keeps another mesh' },
        { id: 'b', reason: 'stale' },
      ]);
    });

    it('goes on without an agent that vanishes, and names it', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      const waiting = wait(1);
      applies(a, 1);
      rollouts.onGone(b, 'its lease ran out');
      expect(await waiting).to.deep.include({
        agents: 2,
        applied: 1,
        pending: [],
        gone: [{ id: 'b', reason: 'its lease ran out' }],
      });
    });

    it('counts an agent again that had vanished and is back', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      applies(a, 1);
      rollouts.onGone(b, 'its lease ran out');
      rollouts.onReturned(b);
      expect(await wait(1, 0)).to.deep.include({ applied: 1, gone: [] });
      applies(b, 1);
      expect(await wait(1)).to.deep.include({ agents: 2, applied: 2, pending: [], gone: [] });
    });

    it('counts an agent again that had been given up and is back', async () => {
      const a = agent('a', { streams: 0 });
      publish(1, a);
      rollouts.onGone(a, 'its lease ran out');
      const again = agent('a');
      rollouts.onReturned(again);
      const waiting = wait(1);
      applies(again, 1);
      expect(await waiting).to.deep.include({ agents: 1, applied: 1, gone: [] });
    });

    it('ends when its time is over, and says how far it has come', async () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      applies(a, 1);
      expect(await wait(1, 0)).to.deep.include({ agents: 2, applied: 1 });
    });

    for (const { name, isAbortedBefore } of [
      { name: 'ends when whoever waits goes away', isAbortedBefore: false },
      { name: 'ends at once when whoever waits is away already', isAbortedBefore: true },
    ]) {
      it(name, async () => {
        const gone = new AbortController();
        publish(1, agent('a'));
        if (isAbortedBefore) gone.abort();
        const waiting = wait(1, long, gone.signal);
        gone.abort();
        expect(await waiting).to.deep.include({ agents: 1, applied: 0 });
      });
    }

    it('of several ends for all of them', async () => {
      const a = agent('a');
      publish(1, a);
      const waiting = [wait(1), wait(1), wait(1)];
      applies(a, 1);
      expect((await Promise.all(waiting)).map(({ applied }) => applied)).to.deep.equal([1, 1, 1]);
    });
  });

  describe('who counts', () => {
    it('is settled when the revision is published: who comes later does not', () => {
      publish(1, agent('a'));
      applies(agent('later'), 0);
      expect(rollouts.get(1, [])).to.deep.include({ agents: 1, applied: 0 });
    });

    it('counts an agent with two streams once', () => {
      const a = agent('a');
      publish(1, a, a);
      applies(a, 1);
      expect(rollouts.get(1, [])).to.deep.include({ agents: 1, applied: 1, pending: [] });
    });

    it('keeps two namespaces apart, though ids are the same', () => {
      const [mine, yours] = [agent('a'), agent('a', { key: 'books/a', namespace: 'books' })];
      publish(1, mine, yours);
      applies(mine, 1);
      expect(rollouts.get(1, [])).to.deep.include({ agents: 2, applied: 1 });
    });

    it('still counts an agent that has come back as another service', () => {
      publish(1, agent('a', { streams: 0 }));
      const again = agent('a', { service: 'shop' });
      rollouts.onAgent(again);
      expect(rollouts.get(1, []).pending).to.deep.equal([{ id: 'a', reason: 'has not acknowledged yet' }]);
      applies(again, 1);
      expect(rollouts.get(1, [])).to.deep.include({ applied: 1, pending: [] });
    });

    it('marks the agents with the revision that touches them', () => {
      const [a, b] = [agent('a'), agent('b')];
      publish(1, a, b);
      publish(2, b);
      expect([a.touched, b.touched]).to.deep.equal([1, 2]);
    });

    it('names the pending in the order of their keys', () => {
      publish(1, agent('c'), agent('a'), agent('b'));
      expect(rollouts.get(1, []).pending.map(({ id }) => id)).to.deep.equal(['a', 'b', 'c']);
    });
  });

  describe('a revision that is no longer remembered', () => {
    const agents = [
      agent('done', { touched: 5, applied: 5 }),
      agent('behind', { touched: 5, applied: 3 }),
      agent('untouched', { touched: 2, applied: 2 }),
    ];

    it('is judged by the numbers of the agents', () => {
      expect(rollouts.get(5, agents)).to.deep.include({
        agents: 2,
        applied: 1,
        pending: [{ id: 'behind', reason: 'has not acknowledged yet' }],
      });
    });

    it('can be waited for', async () => {
      const waiting = wait(5, long, never, agents);
      const [, behind] = agents;
      if (behind) applies(behind, 5);
      expect(await waiting).to.deep.include({ agents: 2, applied: 2 });
    });

    it('is one of the oldest: 200 are remembered, and any that somebody waits for', async () => {
      const a = agent('a');
      publish(1, a);
      const waiting = wait(1);
      for (let revision = 2; revision <= 300; revision++) publish(revision, a);
      expect(rollouts.get(2, [])).to.deep.include({ agents: 0 });
      expect(rollouts.get(300, [])).to.deep.include({ agents: 1 });
      applies(a, 1);
      expect(await waiting).to.deep.include({ agents: 1, applied: 1 });
    });
  });

  it('tell of their progress once in a turn of the event loop, however many agents answer in it', async () => {
    const agents = Array.from({ length: 100 }, (_, n) => agent(`a${n}`));
    publish(1, ...agents);
    for (const each of agents) applies(each, 1);
    expect(progress).to.deep.equal([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(progress).to.have.length(1);
    expect(progress[0]).to.deep.include({ agents: 100, applied: 100 });
  });

  it('have a client as rejecting one revision while it goes on with the next without what it refused', () => {
    const a = agent('a');
    publish(1, a);
    refuses(a, 1);
    publish(2, a);
    Object.assign(a, { applied: 2, appliedSequence: 2 });
    rollouts.onAgent(a);
    expect(rollouts.get(1, [])).to.deep.include({ applied: 0 });
    expect(rollouts.get(1, []).rejected.map(({ id }) => id)).to.deep.equal(['a']);
    expect(rollouts.get(2, [])).to.deep.include({ applied: 1, rejected: [] });
  });

  describe('a revision that takes something away', () => {
    /** What is called back, once it is. */
    const follow = (revision: number, timeoutMs: number, settleMs = 0) =>
      new Promise<string[]>((resolve) => {
        rollouts.whenApplied(revision, { timeoutMs, settleMs }, (laggards) => resolve(laggards.map(({ id }) => id)));
      });

    it('is complete when everybody has applied it and it is gone', async () => {
      const a = agent('a');
      rollouts.publish({ revision: 1, sequence: 1 }, [a], 2);
      const applied = follow(1, long);
      expect(rollouts.get(1, [])).to.deep.include({ phase: 'applying', retired: 2, applied: 0 });
      applies(a, 1);
      expect(await applied).to.deep.equal([]);
      expect(rollouts.get(1, [])).to.deep.include({ phase: 'applying', retired: 2, applied: 1 });
      rollouts.onRemoved(1);
      expect(rollouts.get(1, [])).to.deep.include({ phase: 'complete', retired: 0, applied: 1 });
    });

    it('waits for who refuses it as for who is silent, and names both at the deadline', async () => {
      const [a, b, c] = [agent('a'), agent('b'), agent('c')];
      rollouts.publish({ revision: 1, sequence: 1 }, [a, b, c], 1);
      const applied = follow(1, 50);
      refuses(b, 1);
      applies(c, 1);
      expect(await applied).to.deep.equal(['a', 'b']);
    });

    it('stays for a moment with those who may not use yet what they have acknowledged', async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        const a = agent('a');
        rollouts.publish({ revision: 1, sequence: 1 }, [a], 1);
        const called: (readonly Laggard[])[] = [];
        rollouts.whenApplied(1, { timeoutMs: 1_000, settleMs: 500 }, (laggards) => called.push(laggards));
        mock.timers.tick(900);
        applies(a, 1);
        mock.timers.tick(499);
        expect(called).to.deep.equal([]);
        mock.timers.tick(1);
        expect(called).to.deep.equal([[]]);
      } finally {
        mock.timers.reset();
      }
    });

    it('does not wait when nobody is concerned', async () => {
      rollouts.publish({ revision: 1, sequence: 1 }, [], 1);
      expect(await follow(1, long)).to.deep.equal([]);
    });

    it('is complete by itself, whatever later ones are', () => {
      rollouts.publish({ revision: 1, sequence: 1 }, [], 1);
      rollouts.publish({ revision: 2, sequence: 2 }, [], 1);
      rollouts.onRemoved(2);
      expect([1, 2].map((revision) => rollouts.get(revision, []).phase)).to.deep.equal(['applying', 'complete']);
    });

    it('calls nobody back when the server has ended', async () => {
      rollouts.publish({ revision: 1, sequence: 1 }, [agent('a')], 1);
      let isCalled = false;
      rollouts.whenApplied(1, { timeoutMs: 1, settleMs: 0 }, () => {
        isCalled = true;
      });
      rollouts.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(isCalled).to.equal(false);
    });
  });
});
