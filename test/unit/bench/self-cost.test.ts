import { expect } from 'chai';
import { allocationCosts, cpuCosts } from '../../../bench/proxy/self-cost.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
const dist = 'file:///srv/sluice/dist/agent/proxy/forward.js';

describe('the summary of a profile', () => {
  it('adds up the time of each function, wherever it was called from, without the idle time', () => {
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('(idle)') },
        { id: 2, callFrame: frame('forward', dist, 41) },
        { id: 3, callFrame: frame('forward', dist, 41) },
        { id: 4, callFrame: frame('(garbage collector)') },
      ],
      samples: [2, 1, 4, 3],
      timeDeltas: [100, 1_000, 150, 200],
    };
    expect(cpuCosts(profile)).to.deep.equal([
      { place: 'forward agent/proxy/forward.js:42', cost: 300 },
      { place: '(garbage collector)', cost: 150 },
    ]);
  });

  it('adds up what each function has allocated, and says where a function without name is', () => {
    const leaf = { callFrame: frame('', 'node:net', 9), selfSize: 64, children: [] };
    const head = {
      callFrame: frame('(root)'),
      selfSize: 0,
      children: [{ callFrame: frame('on', 'node:net'), selfSize: 32, children: [leaf] }, leaf],
    };
    expect(allocationCosts({ head })).to.deep.equal([
      { place: '(anonymous) node:net:10', cost: 128 },
      { place: 'on node:net:1', cost: 32 },
      { place: '(root)', cost: 0 },
    ]);
  });
});
