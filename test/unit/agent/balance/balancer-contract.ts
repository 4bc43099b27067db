/** The law that every balancer obeys. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Availability, Balancer, Candidate } from '../../../../agent/balance/balancer.ts';
import { fuzzRuns, seededRandom } from '../../routing/resources.ts';

export interface NamedCandidate extends Candidate {
  readonly name: string;
}

export function candidate(name: string, weight = 1, availability: Availability = 'healthy'): NamedCandidate {
  return { name, weight, availability, load: { active: 0 } };
}

/** Names and how often they were picked; requests end at once. */
export function picksOf(balancer: Balancer<NamedCandidate>, count: number, tried: readonly NamedCandidate[] = []) {
  const random = seededRandom(7);
  const counts: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const picked = balancer.pick(tried, random)?.name ?? 'none';
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

export type CreateBalancer = (candidates: readonly NamedCandidate[]) => Balancer<NamedCandidate>;

export function runBalancerContract(name: string, create: CreateBalancer): void {
  describe(`${name}, as every balancer`, () => {
    it('has nobody for a cluster without instances', () => {
      expect(picksOf(create([]), 3)).to.deep.equal({ none: 3 });
    });

    it('has nobody when all instances are unavailable', () => {
      expect(picksOf(create([candidate('a', 1, 'unavailable')]), 3)).to.deep.equal({ none: 3 });
    });

    it('asks an only instance always', () => {
      expect(picksOf(create([candidate('a', 5)]), 10)).to.deep.equal({ a: 10 });
    });

    it('asks everybody', () => {
      const all = ['a', 'b', 'c', 'd', 'e'].map((id) => candidate(id));
      expect(Object.keys(picksOf(create(all), 200)).sort()).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
    });

    it('asks in proportion to weight', () => {
      const counts = picksOf(create([candidate('a', 1), candidate('b', 3), candidate('c', 6)]), 10_000);
      expect(counts.a).to.be.within(850, 1_150);
      expect(counts.b).to.be.within(2_800, 3_200);
      expect(counts.c).to.be.within(5_800, 6_200);
    });

    it('leaves degraded and unavailable instances alone while a healthy one is there', () => {
      const all = [candidate('a', 9, 'degraded'), candidate('b'), candidate('c', 9, 'unavailable')];
      expect(picksOf(create(all), 100)).to.deep.equal({ b: 100 });
    });

    it('asks degraded instances when there is no healthy one', () => {
      const all = [candidate('a', 1, 'degraded'), candidate('b', 1, 'unavailable')];
      expect(picksOf(create(all), 100)).to.deep.equal({ a: 100 });
    });

    it('asks degraded instances when all healthy ones were tried', () => {
      const [healthy, degraded] = [candidate('a'), candidate('b', 1, 'degraded')];
      expect(picksOf(create([healthy, degraded]), 10, [healthy])).to.deep.equal({ b: 10 });
    });

    it('spreads what a dead instance would have taken over all others', () => {
      const dead = candidate('a');
      const counts = picksOf(create([dead, candidate('b'), candidate('c')]), 1_000, [dead]);
      expect(counts.b).to.be.within(400, 600);
      expect(counts.c).to.be.within(400, 600);
    });

    it('property: asks each instance that may be asked once, healthy ones first, then has nobody', () => {
      const anyCandidate = fc.record({
        weight: fc.integer({ min: 1, max: 2 ** 20 }),
        availability: fc.constantFrom<Availability>('healthy', 'degraded', 'unavailable'),
        active: fc.nat(5),
      });
      fc.assert(
        fc.property(fc.array(anyCandidate, { maxLength: 12 }), fc.integer(), (list, seed) => {
          const all = list.map(({ weight, availability, active }, index) => ({
            ...candidate(`i${index}`, weight, availability),
            load: { active },
          }));
          const random = seededRandom(seed);
          const balancer = create(all);
          const tried: NamedCandidate[] = [];
          for (let next = balancer.pick(tried, random); next !== undefined; next = balancer.pick(tried, random)) {
            tried.push(next);
          }
          const order = tried.map(({ availability }) => availability);
          const wanted = ['healthy', 'degraded'].flatMap((kind) =>
            all.filter(({ availability }) => availability === kind),
          );
          expect(tried).to.have.members(wanted);
          expect(order).to.deep.equal(wanted.map(({ availability }) => availability));
        }),
        { numRuns: fuzzRuns },
      );
    });
  });
}
