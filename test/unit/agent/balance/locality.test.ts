import { expect } from 'chai';
import fc from 'fast-check';
import type { Availability } from '../../../../agent/balance/balancer.ts';
import { ClusterBalancer } from '../../../../agent/balance/cluster-balancer.ts';
import { localPercent } from '../../../../agent/balance/local-share.ts';
import type { LoadBalancerPolicy } from '../../../../agent/balance/policy.ts';
import { fuzzRuns } from '../../routing/resources.ts';
import { anyHash, candidate, type NamedCandidate, picksOf } from './balancer-contract.ts';

describe('the share of the own zone', () => {
  for (const { name, local, others, want } of [
    { name: 'is everything while all of it take requests', local: [3, 3], others: [3, 3], want: 100 },
    { name: 'is everything from 72 % on', local: [72, 100], others: [3, 3], want: 100 },
    { name: 'is 140 % of what takes requests below', local: [1, 2], others: [3, 3], want: 70 },
    { name: 'of one in three is 46 %', local: [1, 3], others: [3, 3], want: 46 },
    { name: 'is nothing when nobody there takes requests', local: [0, 3], others: [3, 3], want: 0 },
    { name: 'is everything when nobody elsewhere does', local: [1, 10], others: [0, 3], want: 100 },
    { name: 'is everything when there is nobody elsewhere', local: [1, 10], others: [0, 0], want: 100 },
    { name: 'goes by what each carries when that is less than all', local: [1, 5], others: [1, 10], want: 67 },
    { name: 'is half when both carry as little', local: [1, 10], others: [1, 10], want: 50 },
    { name: 'is nothing when nobody takes requests', local: [0, 3], others: [0, 3], want: 0 },
  ] as const) {
    it(name, () => {
      const level = ([usable, all]: readonly [number, number]) => ({ usable, all });
      expect(localPercent(level(local), level(others))).to.equal(want);
    });
  }

  it('property: is a whole percentage that rises with what takes requests there', () => {
    const level = fc.tuple(fc.nat(50), fc.nat(50)).map(([usable, more]) => ({ usable, all: usable + more }));
    fc.assert(
      fc.property(level, level, ({ usable, all }, others) => {
        const now = localPercent({ usable, all: all + 1 }, others);
        const then = localPercent({ usable: usable + 1, all: all + 1 }, others);
        expect(now).to.be.within(0, 100).and.satisfy(Number.isInteger);
        expect(then).to.be.at.least(now);
      }),
      { numRuns: fuzzRuns },
    );
  });
});

describe('a balancer that prefers the own zone', () => {
  interface Zones {
    readonly here: readonly Availability[];
    readonly there: readonly Availability[];
  }

  const inZones = ({ here, there }: Zones): NamedCandidate[] => [
    ...here.map((availability, index) => candidate(`here${index}`, 1, availability, 'here')),
    ...there.map((availability, index) => candidate(`there${index}`, 1, availability, 'there')),
  ];
  const create = (zones: Zones, policy: LoadBalancerPolicy = 'round-robin') =>
    new ClusterBalancer({ policy, candidates: inZones(zones), preferredZone: 'here' });

  it('asks nobody else while its own zone can carry all', () => {
    const balancer = create({ here: ['healthy', 'healthy'], there: ['healthy', 'healthy'] });
    expect(picksOf(balancer, 100)).to.deep.equal({ here0: 50, here1: 50 });
  });

  it('sends others exactly what its own zone cannot carry', () => {
    const balancer = create({ here: ['healthy', 'unavailable'], there: ['healthy', 'healthy'] });
    expect(picksOf(balancer, 100)).to.deep.equal({ here0: 70, there0: 15, there1: 15 });
  });

  it('asks others when there is nobody in its own zone', () => {
    expect(picksOf(create({ here: [], there: ['healthy'] }), 10)).to.deep.equal({ there0: 10 });
    expect(picksOf(create({ here: ['unavailable'], there: ['healthy'] }), 10)).to.deep.equal({ there0: 10 });
  });

  it('asks healthy instances elsewhere before degraded ones in its own zone', () => {
    expect(picksOf(create({ here: ['degraded'], there: ['healthy'] }), 10)).to.deep.equal({ there0: 10 });
  });

  it('asks elsewhere when all in its own zone were tried, and the other way round', () => {
    const all = inZones({ here: ['healthy'], there: ['healthy'] });
    const balancer = new ClusterBalancer({ policy: 'round-robin', candidates: all, preferredZone: 'here' });
    expect(picksOf(balancer, 10, { tried: all.slice(0, 1) })).to.deep.equal({ there0: 10 });
    expect(picksOf(balancer, 10, { tried: all.slice(1) })).to.deep.equal({ here0: 10 });
  });

  it('counts those that it suspects as not carrying', () => {
    const all = inZones({ here: ['healthy', 'healthy'], there: ['healthy', 'healthy'] });
    const state = { changes: 0 };
    let suspect = '';
    const suspicions = { state, panicThreshold: 50, isSuspected: ({ name }: NamedCandidate) => name === suspect };
    const balancer = new ClusterBalancer({
      policy: 'least-request',
      candidates: all,
      preferredZone: 'here',
      suspicions,
    });
    suspect = 'here1';
    state.changes++;
    const counts = picksOf(balancer, 1_000);
    expect(counts.here0).to.equal(700);
    expect(counts).to.not.have.property('here1');
  });

  for (const policy of ['ring-hash', 'maglev'] as const) {
    it(`keeps the keys of ${policy} on their level, and moves only those that its own zone cannot carry`, () => {
      const whole = create({ here: Array(4).fill('healthy'), there: ['healthy'] }, policy);
      const part = create({ here: ['healthy', 'healthy', 'unavailable', 'unavailable'], there: ['healthy'] }, policy);
      const counts = picksOf(part, 2_000, { nextHash: anyHash });
      expect(counts.there0).to.be.within(500, 700);
      for (let key = 0; key < 1_000; key++) {
        const [before, after] = [whole, part].map((balancer) => balancer.pick([], () => 0, key * 2 ** 43)?.name ?? '');
        expect([before, 'there0', 'here0', 'here1']).to.include(after);
        if (before === 'here0' || before === 'here1') expect([before, 'there0']).to.include(after);
      }
    });
  }

  it('does not look at zones when it is not told to', () => {
    const all = inZones({ here: ['healthy'], there: ['healthy'] });
    const balancer = new ClusterBalancer({ policy: 'round-robin', candidates: all });
    expect(picksOf(balancer, 10)).to.deep.equal({ here0: 5, there0: 5 });
  });
});
