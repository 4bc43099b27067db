/**
 * Least request by the power of two choices: of two instances drawn by weight, the one with fewer requests under way for
 * its weight. Nearly as even as asking all of them, without their herding to whoever is idle at the moment.
 */
import type { Balancer, Candidate } from './balancer.ts';
import { RandomBalancer } from './random.ts';
import { createWeightedDraw, type WeightedDraw } from './weighted-draw.ts';

/** All candidates count as available. */
export class LeastRequestBalancer<C extends Candidate> implements Balancer<C> {
  readonly #candidates: readonly C[];
  readonly #draw: WeightedDraw;
  readonly #random: RandomBalancer<C>;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    this.#draw = createWeightedDraw(candidates.map(({ weight }) => weight));
    this.#random = new RandomBalancer(candidates);
  }

  pick(tried: readonly C[], random: () => number): C | undefined {
    // After a failure, which is rare, both draws may be the same instance.
    if (tried.length > 0) return lessBusy(this.#random.pick(tried, random), this.#random.pick(tried, random));
    const first = this.#draw.any(random);
    const second = this.#draw.other(random, first);
    return lessBusy(this.#candidates[first], this.#candidates[second]);
  }

  /** Whoever is busier than each of the others loses against whomever it is drawn with. */
  peek(): readonly C[] {
    const all = this.#candidates;
    if (all.length < 2) return all;
    return all.filter((one) => all.some((other) => other !== one && lessBusy(one, other) === one));
  }

  guess(tried: readonly C[], random: () => number): C | undefined {
    return this.pick(tried, random);
  }
}

/** The first on a tie: both idle, weights alone decide. */
function lessBusy<C extends Candidate>(first: C | undefined, second: C | undefined): C | undefined {
  if (first === undefined || second === undefined) return first;
  return second.load.active * first.weight < first.load.active * second.weight ? second : first;
}
