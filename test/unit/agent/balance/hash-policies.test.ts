import { expect } from 'chai';
import fc from 'fast-check';
import type { Balancer } from '../../../../agent/balance/balancer.ts';
import { ClusterBalancer } from '../../../../agent/balance/cluster-balancer.ts';
import { HashedMembers } from '../../../../agent/balance/hash-table.ts';
import { createMaglev } from '../../../../agent/balance/maglev.ts';
import type { LoadBalancerPolicy } from '../../../../agent/balance/policy.ts';
import { createRing } from '../../../../agent/balance/ring-hash.ts';
import { combine, hash53 } from '../../../../routing/hash.ts';
import { fuzzRuns } from '../../routing/resources.ts';
import { anyHash, candidate, candidates, type NamedCandidate, picksOf } from './balancer-contract.ts';

const keys = Array.from({ length: 2_000 }, (_, index) => combine(hash53('key'), index));

/** Who has which key, by place in `keys`. */
function ownersOf(balancer: Balancer<NamedCandidate>): string[] {
  return keys.map((key) => balancer.pick([], () => 0, key)?.name ?? 'none');
}

/** A change of these moves users. */
const golden = {
  'ring-hash': 'i0 i4 i0 i2 i1 i3 i3 i2 i1 i4 i1 i3',
  maglev: 'i3 i1 i2 i4 i3 i2 i2 i3 i1 i3 i2 i1',
} as const;

const shareOf = (part: readonly unknown[]) => part.length / keys.length;

/** Keys that one owner had before and another one after, but for those of `except`. */
function movedBetween(before: readonly string[], after: readonly string[], except: string): string[] {
  return before.filter((owner, index) => owner !== after[index] && owner !== except && after[index] !== except);
}

for (const { policy, createTable, mayMove } of [
  { policy: 'ring-hash', createTable: createRing, mayMove: 0 },
  // A slot that an instance leaves is claimed in another turn than it would have been.
  { policy: 'maglev', createTable: createMaglev, mayMove: 0.01 },
] as const) {
  const create = (all: readonly NamedCandidate[], which: LoadBalancerPolicy = policy) =>
    new ClusterBalancer({ policy: which, candidates: all });

  describe(`${policy}, as every policy that goes by a hash`, () => {
    it('gives a key to the same instance in every agent, in whatever order it knows them', () => {
      const all = candidates(7);
      expect(ownersOf(create(all))).to.deep.equal(ownersOf(create([...all].reverse())));
    });

    it('moves hardly any key but those of an instance that goes', () => {
      const all = candidates(10);
      const after = ownersOf(create(all.slice(0, 9)));
      expect(shareOf(movedBetween(ownersOf(create(all)), after, 'i9'))).to.be.at.most(mayMove);
    });

    it('gives the keys of one that goes to all others', () => {
      const all = candidates(10);
      const before = ownersOf(create(all));
      const heirs = ownersOf(create(all.slice(0, 9))).filter((_, index) => before[index] === 'i9');
      expect(new Set(heirs).size).to.equal(9);
    });

    for (const availability of ['unavailable', 'degraded'] as const) {
      it(`moves no key but those of an instance that is ${availability} for a while`, () => {
        const all = candidates(10);
        const before = ownersOf(create(all));
        const after = ownersOf(create([...all.slice(0, 9), candidate('i9', 1, availability)]));
        expect(after).to.not.include('i9');
        expect(movedBetween(before, after, 'i9')).to.deep.equal([]);
        expect(ownersOf(create(all))).to.deep.equal(before);
      });
    }

    it('gives a key whose instance was tried to the one that would have it without that instance', () => {
      const all = candidates(5);
      const balancer = create(all);
      const without = ownersOf(create([...all.slice(0, 4), candidate('i4', 1, 'unavailable')]));
      const [, , , , last] = all;
      const tried = last === undefined ? [] : [last];
      expect(keys.map((key) => balancer.pick(tried, () => 0, key)?.name)).to.deep.equal(without);
    });

    it('finds an only one that may be asked among many that may not, and spreads keys over a few', () => {
      const hidden = candidates(200).map(({ name }) => candidate(name, 1, 'unavailable'));
      expect(new Set(ownersOf(create([...hidden, candidate('x')])))).to.deep.equal(new Set(['x']));
      const counts = picksOf(create([...hidden, candidate('x'), candidate('y'), candidate('z')]), 3_000, {
        nextHash: anyHash,
      });
      for (const count of Object.values(counts)) expect(count).to.be.within(800, 1_200);
    });

    it('spreads requests without a key by weight', () => {
      const counts = picksOf(create([candidate('a', 1), candidate('b', 3)]), 4_000);
      expect(counts.a).to.be.within(900, 1_100);
    });

    it('builds its table when it is first asked, and takes it over when only who may be asked changes', () => {
      let built = 0;
      const counting = (names: readonly string[], weights: readonly number[]) => {
        built++;
        return createTable(names, weights);
      };
      const before = new HashedMembers(counting, candidates(3));
      expect(built).to.equal(0);
      const { table } = before;
      const drained = new HashedMembers(counting, [...candidates(2), candidate('i2', 1, 'unavailable')], before);
      expect(drained.table).to.equal(table);
      expect(new HashedMembers(counting, [...candidates(2), candidate('i2', 2)], drained).table).to.not.equal(table);
      expect(new HashedMembers(counting, candidates(2), drained).table).to.not.equal(table);
      expect(built).to.equal(3);
    });

    it('keeps keys where they are from release to release', () => {
      const owners = ownersOf(create(candidates(5)));
      expect(owners.slice(0, 12).join(' ')).to.equal(golden[policy]);
    });
  });
}

describe('the ring', () => {
  it('property: moves no key between two instances when a third one comes or goes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 40 }), (names) => {
        const all = names.map((name) => candidate(name));
        const owners = (list: readonly NamedCandidate[]) =>
          ownersOf(new ClusterBalancer({ policy: 'ring-hash', candidates: list }));
        const [gone = ''] = names;
        expect(movedBetween(owners(all), owners(all.slice(1)), gone)).to.deep.equal([]);
      }),
      { numRuns: Math.ceil(fuzzRuns / 20) },
    );
  });

  for (const { name, weights, points } of [
    { name: 'two instances have the 1024 points that Envoy begins with', weights: [1, 1], points: [512, 512] },
    { name: 'as many per instance, however many there are', weights: Array(256).fill(1), points: Array(256).fill(512) },
    { name: 'the ring is bounded', weights: Array(1_000).fill(1), points: Array(1_000).fill(128) },
    { name: 'weights count', weights: [1, 4], points: [512, 2_048] },
    { name: 'whatever their unit is', weights: [100, 400], points: [800, 3_200] },
    { name: 'the least has a point at least', weights: [1, 2 ** 31], points: [1, 2 ** 16] },
  ]) {
    it(`${name}`, () => {
      const ring = createRing(
        weights.map((_, index) => `i${index}`),
        weights,
      );
      const found = weights.map(() => 0);
      let place = 0;
      do {
        const instance = ring.instanceAt(place);
        found[instance] = (found[instance] ?? 0) + 1;
        place = ring.next(0, place, 0);
      } while (place !== 0);
      expect(found).to.deep.equal(points);
    });
  }
});

describe('the table of maglev', () => {
  const sharesOf = (weights: readonly number[]) => {
    const table = createMaglev(
      weights.map((_, index) => `i${index}`),
      weights,
    );
    const shares = weights.map(() => 0);
    for (let slot = 0; slot < 65_537; slot++)
      shares[table.instanceAt(slot)] = (shares[table.instanceAt(slot)] ?? 0) + 1;
    return shares;
  };

  it('has as many slots for each of equal weight, to one', () => {
    expect(sharesOf([1, 1, 1, 1, 1])).to.have.members([13_108, 13_108, 13_107, 13_107, 13_107]);
  });

  it('has slots in proportion to weight', () => {
    const [one = 0, three = 0, six = 0] = sharesOf([1, 3, 6]);
    expect(one).to.be.closeTo(6_554, 2);
    expect(three).to.be.closeTo(19_661, 2);
    expect(six).to.be.closeTo(39_322, 2);
  });

  it('has room for more instances than a byte counts', () => {
    const shares = sharesOf(Array(300).fill(1));
    expect([Math.min(...shares), Math.max(...shares)]).to.deep.equal([218, 219]);
  });
});
