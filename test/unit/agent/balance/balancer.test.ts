import { expect } from 'chai';
import { createBalancer } from '../../../../agent/balance/create-balancer.ts';
import { seededRandom } from '../../routing/resources.ts';
import { candidate, picksOf, runBalancerContract } from './balancer-contract.ts';

runBalancerContract('round robin', (candidates) => createBalancer('round-robin', candidates));
runBalancerContract('least request', (candidates) => createBalancer('least-request', candidates));

describe('round robin', () => {
  it('asks equals in turn', () => {
    const balancer = createBalancer(
      'round-robin',
      ['a', 'b', 'c'].map((id) => candidate(id)),
    );
    expect(Array.from({ length: 6 }, () => balancer.pick([], () => 0)?.name)).to.deep.equal([
      'a',
      'b',
      'c',
      'a',
      'b',
      'c',
    ]);
  });

  it('starts anywhere', () => {
    const first = (at: number) =>
      createBalancer(
        'round-robin',
        ['a', 'b', 'c'].map((id) => candidate(id)),
      ).pick([], () => at)?.name;
    expect([first(0), first(0.5), first(0.99)]).to.deep.equal(['a', 'b', 'c']);
  });

  it('gives different weights exactly their turns, without runs', () => {
    const balancer = createBalancer('round-robin', [candidate('a', 5), candidate('b', 1), candidate('c', 1)]);
    const turns = Array.from({ length: 7 }, () => balancer.pick([], () => 0)?.name).join('');
    expect(turns).to.match(/^a*[bc]a+[bc]a*$/);
    expect(picksOf(balancer, 700)).to.deep.equal({ a: 500, b: 100, c: 100 });
  });
});

describe('least request', () => {
  it('asks the less busy of two', () => {
    const [busy, idle] = [candidate('busy'), candidate('idle')];
    busy.load.active = 3;
    expect(picksOf(createBalancer('least-request', [busy, idle]), 100)).to.deep.equal({ idle: 100 });
  });

  it('counts requests by weight: 4 under way at weight 4 are as busy as 1 at weight 1', () => {
    const [strong, weak] = [candidate('strong', 4), candidate('weak', 1)];
    strong.load.active = 3;
    weak.load.active = 1;
    expect(picksOf(createBalancer('least-request', [strong, weak]), 100)).to.deep.equal({ strong: 100 });
  });

  it('never asks the busiest of three or more', () => {
    const all = ['a', 'b', 'c', 'd'].map((id) => candidate(id));
    const busiest = candidate('busiest');
    busiest.load.active = 1;
    expect(picksOf(createBalancer('least-request', [...all, busiest]), 1_000)).to.not.have.property('busiest');
  });

  it('keeps instances about equally busy when requests do not end', () => {
    const all = Array.from({ length: 10 }, (_, index) => candidate(`i${index}`));
    const balancer = createBalancer('least-request', all);
    const random = seededRandom(3);
    for (let n = 0; n < 1_000; n++) (balancer.pick([], random) ?? candidate('none')).load.active++;
    const active = all.map(({ load }) => load.active);
    expect(Math.max(...active) - Math.min(...active)).to.be.at.most(6);
  });
});
