import { expect } from 'chai';
import { ClusterBalancer } from '../../../../agent/balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../../../../agent/balance/policy.ts';
import { seededRandom } from '../../routing/resources.ts';
import {
  anyHash,
  candidate,
  candidates,
  type NamedCandidate,
  picksOf,
  runBalancerContract,
} from './balancer-contract.ts';

const create = (policy: LoadBalancerPolicy) => (all: readonly NamedCandidate[]) =>
  new ClusterBalancer({ policy, candidates: all });

runBalancerContract('round robin', { create: create('round-robin') });
runBalancerContract('least request', { create: create('least-request') });
runBalancerContract('random', { create: create('random') });
runBalancerContract('ring hash', { create: create('ring-hash'), nextHash: anyHash, tolerance: 0.2 });
runBalancerContract('ring hash without a hash', { create: create('ring-hash') });
runBalancerContract('maglev', { create: create('maglev'), nextHash: anyHash });
runBalancerContract('maglev without a hash', { create: create('maglev') });

describe('round robin', () => {
  const abc = () => create('round-robin')(['a', 'b', 'c'].map((id) => candidate(id)));

  it('asks equals in turn', () => {
    const balancer = abc();
    const names = Array.from({ length: 6 }, () => balancer.pick([], () => 0, undefined)?.name);
    expect(names.join('')).to.equal('abcabc');
  });

  it('starts anywhere', () => {
    const first = (at: number) => abc().pick([], () => at, undefined)?.name;
    expect([first(0), first(0.5), first(0.99)]).to.deep.equal(['a', 'b', 'c']);
  });

  it('gives different weights exactly their turns, in every round', () => {
    const balancer = create('round-robin')([candidate('a', 5), candidate('b', 1), candidate('c', 1)]);
    for (let round = 0; round < 100; round++) expect(picksOf(balancer, 7)).to.deep.equal({ a: 5, b: 1, c: 1 });
  });

  it('makes no runs: half of all turns are hardly ever two in a row', () => {
    const balancer = create('round-robin')([candidate('a', 9), ...candidates(9)]);
    const random = seededRandom(3);
    const turns = Array.from({ length: 180 }, () => (balancer.pick([], random, undefined)?.name === 'a' ? 'a' : '.'));
    expect(turns.join('')).to.not.contain('aaa');
  });

  it('gives a heavy instance that was tried no more turns, and those of the others to all of them', () => {
    const heavy = candidate('heavy', 1_000);
    const counts = picksOf(create('round-robin')([heavy, candidate('b'), candidate('c')]), 1_000, { tried: [heavy] });
    expect(counts.b).to.be.within(400, 600);
    expect(counts.c).to.be.within(400, 600);
  });
});

describe('least request', () => {
  it('asks the less busy of two', () => {
    const [busy, idle] = [candidate('busy'), candidate('idle')];
    busy.load.active = 3;
    expect(picksOf(create('least-request')([busy, idle]), 100)).to.deep.equal({ idle: 100 });
  });

  it('counts requests by weight: 4 under way at weight 4 are as busy as 1 at weight 1', () => {
    const [strong, weak] = [candidate('strong', 4), candidate('weak', 1)];
    strong.load.active = 3;
    weak.load.active = 1;
    expect(picksOf(create('least-request')([strong, weak]), 100)).to.deep.equal({ strong: 100 });
  });

  it('never asks the busiest of three or more', () => {
    const busiest = candidate('busiest');
    busiest.load.active = 1;
    const balancer = create('least-request')([...candidates(4), busiest]);
    expect(picksOf(balancer, 1_000)).to.not.have.property('busiest');
  });

  it('keeps instances about equally busy when requests do not end', () => {
    const all = candidates(10);
    const balancer = create('least-request')(all);
    const random = seededRandom(3);
    for (let n = 0; n < 1_000; n++) (balancer.pick([], random, undefined) ?? candidate('none')).load.active++;
    const active = all.map(({ load }) => load.active);
    expect(Math.max(...active) - Math.min(...active)).to.be.at.most(6);
  });
});
