import { expect } from 'chai';
import { type AgentRecord, createAgentRecord } from '../../../../server/status/agent-record.ts';
import { UseBarrier } from '../../../../server/status/use-barrier.ts';

const long = 60_000;

describe('the barrier of use', () => {
  const agent = (id: string, appliedSequence: number): AgentRecord => ({
    ...createAgentRecord({ id, namespace: 'default', service: 'web', kind: 'agent' }, 0),
    streams: 1,
    appliedSequence,
  });
  let barrier: UseBarrier;

  beforeEach(() => {
    barrier = new UseBarrier();
  });

  for (const { name, agents } of [
    { name: 'is open when nobody uses the service', agents: [] },
    { name: 'is open when all use the state already', agents: [agent('a', 5), agent('b', 9)] },
  ]) {
    it(name, async () => expect(await barrier.wait(5, agents, long)).to.deep.equal([]));
  }

  it('opens when the last one uses the state', async () => {
    const [a, b] = [agent('a', 1), agent('b', 4)];
    const waiting = barrier.wait(5, [a, b], long);
    barrier.onAgent(Object.assign(a, { appliedSequence: 5 }));
    barrier.onAgent(Object.assign(b, { appliedSequence: 7 }));
    expect(await waiting).to.deep.equal([]);
  });

  it('opens when the last one is gone', async () => {
    const a = agent('a', 1);
    const waiting = barrier.wait(5, [a], long);
    barrier.onAgent(Object.assign(a, { streams: 0 }));
    expect(await waiting).to.deep.equal([]);
  });

  it('names those who do not use it when the time is over', async () => {
    const agents = [agent('c', 1), agent('a', 1), agent('b', 5)];
    expect(await barrier.wait(5, agents, 0)).to.deep.equal(['a', 'c']);
  });

  it('is not opened by an agent that uses another older state, nor by one that nobody waits for', async () => {
    const a = agent('a', 1);
    const waiting = barrier.wait(5, [a], 0);
    barrier.onAgent(Object.assign(a, { appliedSequence: 4 }));
    barrier.onAgent(agent('b', 5));
    expect(await waiting).to.deep.equal(['a']);
  });
});
