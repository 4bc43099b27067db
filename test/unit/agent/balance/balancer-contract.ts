/** The law that every balancer obeys. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Availability, Balancer, Candidate } from '../../../../agent/balance/balancer.ts';
import { fuzzRuns, seededRandom } from '../../routing/resources.ts';

export interface NamedCandidate extends Candidate {
  readonly name: string;
}

export function candidate(
  name: string,
  weight = 1,
  availability: Availability = 'healthy',
  zone = 'z1',
): NamedCandidate {
  return { name, hashKey: name, weight, availability, zone, load: { active: 0 } };
}

/** `i0`, `i1` and so on. */
export function candidates(count: number): NamedCandidate[] {
  return Array.from({ length: count }, (_, index) => candidate(`i${index}`));
}

/** From a source of chance to the hash of the next request. */
export type NextHash = (random: () => number) => number | undefined;

export const noHash: NextHash = () => undefined;
export const anyHash: NextHash = (random) => Math.floor(random() * 2 ** 53);

interface Picks {
  readonly tried?: readonly NamedCandidate[];
  readonly nextHash?: NextHash;
}

/** Names and how often they were picked; requests end at once. */
export function picksOf(
  balancer: Balancer<NamedCandidate>,
  count: number,
  { tried = [], nextHash = noHash }: Picks = {},
): Record<string, number> {
  const random = seededRandom(7);
  const counts: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const picked = balancer.pick(tried, random, nextHash(random))?.name ?? 'none';
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

export type CreateBalancer = (candidates: readonly NamedCandidate[]) => Balancer<NamedCandidate>;

export interface BalancerContract {
  readonly create: CreateBalancer;
  readonly nextHash?: NextHash;
  /** By how much a share may miss its weight, as a part of it. */
  readonly tolerance?: number;
}

export function runBalancerContract(
  name: string,
  { create, nextHash = noHash, tolerance = 0.08 }: BalancerContract,
): void {
  const within = (share: number): [number, number] => [share * (1 - tolerance), share * (1 + tolerance)];

  describe(`${name}, as every balancer`, () => {
    it('has nobody for a cluster without instances', () => {
      expect(picksOf(create([]), 3, { nextHash })).to.deep.equal({ none: 3 });
    });

    it('has nobody when all instances are unavailable', () => {
      expect(picksOf(create([candidate('a', 1, 'unavailable')]), 3, { nextHash })).to.deep.equal({ none: 3 });
    });

    it('asks an only instance always', () => {
      expect(picksOf(create([candidate('a', 5)]), 10, { nextHash })).to.deep.equal({ a: 10 });
    });

    it('asks everybody', () => {
      const all = ['a', 'b', 'c', 'd', 'e'].map((id) => candidate(id));
      expect(Object.keys(picksOf(create(all), 200, { nextHash })).sort()).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
    });

    it('asks equals alike', () => {
      const counts = picksOf(create(candidates(10)), 20_000, { nextHash });
      for (const count of Object.values(counts)) expect(count).to.be.within(...within(2_000));
    });

    it('asks in proportion to weight', () => {
      const counts = picksOf(create([candidate('a', 1), candidate('b', 3), candidate('c', 6)]), 20_000, { nextHash });
      expect(counts.a).to.be.within(...within(2_000));
      expect(counts.b).to.be.within(...within(6_000));
      expect(counts.c).to.be.within(...within(12_000));
    });

    it('leaves degraded and unavailable instances alone while a healthy one is there', () => {
      const all = [candidate('a', 9, 'degraded'), candidate('b'), candidate('c', 9, 'unavailable')];
      expect(picksOf(create(all), 100, { nextHash })).to.deep.equal({ b: 100 });
    });

    it('asks degraded instances when there is no healthy one', () => {
      const all = [candidate('a', 1, 'degraded'), candidate('b', 1, 'unavailable')];
      expect(picksOf(create(all), 100, { nextHash })).to.deep.equal({ a: 100 });
    });

    it('asks degraded instances when all healthy ones were tried', () => {
      const [healthy, degraded] = [candidate('a'), candidate('b', 1, 'degraded')];
      expect(picksOf(create([healthy, degraded]), 10, { tried: [healthy], nextHash })).to.deep.equal({ b: 10 });
    });

    it('spreads what a dead instance would have taken over all others', () => {
      const dead = candidate('a');
      const balancer = create([dead, candidate('b'), candidate('c')]);
      const counts = picksOf(balancer, 1_000, { tried: [dead], nextHash });
      expect(counts.b).to.be.within(400, 600);
      expect(counts.c).to.be.within(400, 600);
    });

    it('property: says beforehand whom it can ask next, and changes nothing by that', () => {
      const anyCandidate = fc.record({
        weight: fc.integer({ min: 1, max: 5 }),
        availability: fc.constantFrom<Availability>('healthy', 'healthy', 'degraded', 'unavailable'),
      });
      const lists = fc.array(anyCandidate, { maxLength: 6 });
      fc.assert(
        fc.property(lists, fc.integer(), fc.array(fc.nat(3), { maxLength: 20 }), (list, seed, loads) => {
          const all = list.map(({ weight, availability }, index) => candidate(`i${index}`, weight, availability));
          const [looked, plain] = [create(all), create(all)];
          const [first, second] = [seededRandom(seed), seededRandom(seed)];
          for (const [step, active] of loads.entries()) {
            const one = all[step % Math.max(1, all.length)];
            if (one !== undefined) one.load.active = active;
            const hash = nextHash(seededRandom(step));
            const foreseen = looked.peek(hash);
            const picked = looked.pick([], first, hash);
            expect(foreseen.length > 0).to.equal(picked !== undefined);
            if (picked !== undefined) expect(foreseen).to.include(picked);
            expect(picked).to.equal(plain.pick([], second, hash));
          }
        }),
        { numRuns: fuzzRuns },
      );
    });

    it('property: guesses whom it can ask next, of those that were not tried, and takes no turn by that', () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 6 }), fc.integer(), (weights, seed) => {
          const all = weights.map((weight, index) => candidate(`i${index}`, weight));
          const random = seededRandom(seed);
          const balancer = create(all);
          for (let step = 0; step < 12; step++) {
            const hash = nextHash(seededRandom(step));
            const guessed = balancer.guess([], random, hash);
            const foreseen = balancer.peek(hash);
            expect(guessed === undefined).to.equal(foreseen.length === 0);
            if (guessed !== undefined) expect(foreseen).to.include(guessed);
            const tried = all.slice(0, step % (all.length + 1));
            const other = balancer.guess(tried, random, hash);
            expect(other === undefined).to.equal(tried.length === all.length);
            expect(tried).to.not.include(other);
            expect(balancer.peek(hash)).to.deep.equal(foreseen);
            balancer.pick([], random, hash);
          }
        }),
        { numRuns: fuzzRuns },
      );
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
          const hash = nextHash(random);
          const balancer = create(all);
          const tried: NamedCandidate[] = [];
          for (let next = balancer.pick(tried, random, hash); next; next = balancer.pick(tried, random, hash)) {
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
