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

describe('whom a balancer can ask next', () => {
  const namesOf = (all: readonly NamedCandidate[]) => all.map(({ name }) => name).join(' ');
  const busy = (name: string, active: number) => {
    const one = candidate(name);
    one.load.active = active;
    return one;
  };

  it('is anybody for round robin that has not begun, then the one whose turn it is', () => {
    const balancer = create('round-robin')(candidates(3));
    const before = namesOf(balancer.peek(undefined));
    balancer.pick([], () => 0, undefined);
    expect([before, namesOf(balancer.peek(undefined))]).to.deep.equal(['i0 i1 i2', 'i1']);
  });

  it('is the one whose turn it is by weight, too', () => {
    const balancer = create('round-robin')([candidate('a', 3), candidate('b')]);
    const random = seededRandom(1);
    balancer.pick([], random, undefined);
    for (let n = 0; n < 8; n++) {
      const foreseen = namesOf(balancer.peek(undefined));
      expect(balancer.pick([], random, undefined)?.name).to.equal(foreseen);
    }
  });

  it('is for least request anybody but the one that is busier than all others', () => {
    const balancer = create('least-request')([busy('a', 1), busy('b', 3), busy('c', 2)]);
    expect(namesOf(balancer.peek(undefined))).to.equal('a c');
    expect(namesOf(create('least-request')([busy('a', 1), busy('b', 0)]).peek(undefined))).to.equal('b');
    expect(namesOf(create('least-request')([busy('a', 3)]).peek(undefined))).to.equal('a');
  });

  for (const weight of [1, 3]) {
    it(`is guessed right by round robin from the first turn on, with weights 1 and ${weight}`, () => {
      const balancer = create('round-robin')([candidate('a'), candidate('b', weight)]);
      const random = seededRandom(2);
      for (let n = 0; n < 12; n++) {
        const guessed = [balancer.guess([], random, undefined), balancer.guess([], random, undefined)];
        const picked = balancer.pick([], random, undefined);
        expect(guessed).to.deep.equal([picked, picked]);
      }
    });
  }

  it('is one alone where a hash decides', () => {
    const balancer = create('maglev')(candidates(5));
    expect(namesOf(balancer.peek(7))).to.equal(balancer.pick([], () => 0, 7)?.name);
    expect(namesOf(balancer.peek(undefined))).to.equal('i0 i1 i2 i3 i4');
  });

  describe('with zones', () => {
    const zoned = (local: number, others: number, usableLocal: number) => {
      const all = [
        ...Array.from({ length: local }, (_, n) =>
          candidate(`l${n}`, 1, n < usableLocal ? 'healthy' : 'unavailable', 'here'),
        ),
        ...Array.from({ length: others }, (_, n) => candidate(`o${n}`, 1, 'healthy', 'there')),
      ];
      return new ClusterBalancer({ policy: 'round-robin', candidates: all, preferredZone: 'here' });
    };

    for (const { name, balancer, next, localPercent } of [
      {
        name: 'is the own zone alone as long as it carries everything',
        balancer: zoned(2, 2, 2),
        next: 'l0 l1',
        localPercent: 100,
      },
      {
        name: 'is the own zone or another when it does not',
        balancer: zoned(2, 1, 1),
        next: 'l0 o0',
        localPercent: 70,
      },
      {
        name: 'is another zone when nobody is left in the own',
        balancer: zoned(2, 2, 0),
        next: 'o0 o1',
        localPercent: 0,
      },
      { name: 'is the own zone when there is no other', balancer: zoned(2, 0, 2), next: 'l0 l1', localPercent: 100 },
    ]) {
      it(name, () => {
        const prospect = balancer.prospect(undefined);
        expect({ ...prospect, next: namesOf(prospect.next) }).to.deep.equal({
          level: 'healthy',
          next,
          localPercent,
          isInPanic: false,
          asksSuspected: true,
        });
      });
    }

    it('is guessed right with a split between zones, from the first turn on', () => {
      const balancer = zoned(2, 1, 1);
      const random = seededRandom(5);
      for (let n = 0; n < 20; n++) {
        const guessed = balancer.guess([], random, undefined);
        expect(balancer.pick([], random, undefined)).to.equal(guessed);
      }
    });

    it('is of the zone whose turn it is, once the split has begun', () => {
      const balancer = zoned(2, 1, 1);
      const random = seededRandom(5);
      for (let n = 0; n < 3; n++) balancer.pick([], random, undefined);
      for (let n = 0; n < 20; n++) {
        const foreseen = namesOf(balancer.peek(undefined));
        expect(balancer.pick([], random, undefined)?.name).to.equal(foreseen);
      }
    });
  });
});
