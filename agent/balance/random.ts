/** Random: every instance in proportion to its weight, whatever came before. */
import type { Balancer, Candidate } from './balancer.ts';
import { anyUntried } from './untried.ts';
import { createWeightedDraw, type WeightedDraw } from './weighted-draw.ts';

/** All candidates count as available. */
export class RandomBalancer<C extends Candidate> implements Balancer<C> {
  readonly #candidates: readonly C[];
  readonly #draw: WeightedDraw;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    this.#draw = createWeightedDraw(candidates.map(({ weight }) => weight));
  }

  pick(tried: readonly C[], random: () => number): C | undefined {
    const drawn = this.#candidates[this.#draw.any(random)];
    return drawn === undefined || !tried.includes(drawn) ? drawn : this.#drawAgain(tried, random);
  }

  peek(): readonly C[] {
    return this.#candidates;
  }

  guess(tried: readonly C[], random: () => number): C | undefined {
    return this.pick(tried, random);
  }

  /** A failure, which is rare. Drawing again keeps to the weights; who has most of it all would be drawn for ever. */
  #drawAgain(tried: readonly C[], random: () => number): C | undefined {
    for (let draws = 0; draws < mostDraws; draws++) {
      const drawn = this.#candidates[this.#draw.any(random)];
      if (drawn !== undefined && !tried.includes(drawn)) return drawn;
    }
    return anyUntried(this.#candidates, tried, random);
  }
}

const mostDraws = 8;
