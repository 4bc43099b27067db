/**
 * Balancing by a hash: the same key to the same instance, in every agent. Who may be asked is a mark on the instances and
 * not a part of the table, so that an instance that fails for a while loses its keys alone, and gets them all back.
 */
import { combine, hash53, toFraction } from '../../routing/hash.ts';
import type { Balancer, Candidate } from './balancer.ts';
import type { HashedMembers } from './hash-table.ts';
import { RandomBalancer } from './random.ts';

/** Steps through the table until somebody is met who may be asked. Nearly always the first is one. */
const longestWalk = 32;

const nobody: readonly never[] = [];
/** Where there is a hash, chance is not asked. */
const noChance = () => 0;

export class HashBalancer<C extends Candidate> implements Balancer<C> {
  readonly #hashed: HashedMembers<C>;
  readonly #usable: readonly C[];
  /** 1 for those members that may be asked. */
  readonly #isUsable: Uint8Array;
  readonly #random: RandomBalancer<C>;

  /** `usable`: those of the members that may be asked. */
  constructor(hashed: HashedMembers<C>, usable: readonly C[]) {
    const chosen = new Set(usable);
    this.#hashed = hashed;
    this.#usable = usable;
    this.#isUsable = Uint8Array.from(hashed.members, (member) => (chosen.has(member) ? 1 : 0));
    this.#random = new RandomBalancer(usable);
  }

  pick(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    if (hash === undefined) return this.#random.pick(tried, random);
    if (this.#usable.length === 0) return undefined;
    const { table, members } = this.#hashed;
    let place = table.find(hash);
    for (let step = 0; step < longestWalk; step++) {
      const instance = table.instanceAt(place);
      const member = members[instance];
      if (this.#isUsable[instance] === 1 && member !== undefined && !tried.includes(member)) return member;
      place = table.next(hash, place, step);
    }
    return this.#byRendezvous(tried, hash);
  }

  peek(hash: number | undefined): readonly C[] {
    if (hash === undefined) return this.#usable;
    const next = this.pick(nobody, noChance, hash);
    return next === undefined ? [] : [next];
  }

  guess(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    return this.pick(tried, random, hash);
  }

  /** Most may not be asked. Looks at everybody; as `routing/sticky-split.ts`, it moves no key that need not move. */
  #byRendezvous(tried: readonly C[], hash: number): C | undefined {
    let chosen: C | undefined;
    let greatest = 0;
    for (const candidate of this.#usable) {
      if (tried.includes(candidate)) continue;
      const score = -candidate.weight / Math.log(toFraction(combine(hash, hash53(candidate.hashKey))));
      if (score <= greatest) continue;
      greatest = score;
      chosen = candidate;
    }
    return chosen;
  }
}
