/**
 * The exact split: which of k backends takes the next request, so that after every single request each backend has had its
 * share to within less than one request. No chance is involved, and no drift: the state is k integers that stay bounded.
 *
 * This is Tijdeman's chairman-assignment rule. Write w for a backend's weight, W for the sum of weights. A backend's
 * deficit, scaled by W, is what it is due minus what it was given: it grows by w with every request and falls by W when it
 * is picked. A backend may be picked once its deficit has reached W/(2k-2), and must be before it would pass
 * W - W/(2k-2); of those that may, the one that must soonest takes the request. Tijdeman (1980) proved that some backend
 * always may, and that none is ever late: every prefix is within 1 - 1/(2k-2) of the shares.
 *
 * "Soonest" is compared in whole requests. That is still exact: requests are unit jobs with whole release times and
 * deadlines on one machine, where earliest deadline first finds a schedule whenever there is one, ties broken as one likes.
 * It keeps all arithmetic below 2^53: weights add up to at most 2^32-1, as xDS wants it, for at most 2^18 backends.
 */

export interface WeightedSplit {
  /** Reduced by their greatest common divisor: equal shares have equal weights, however they were written. */
  readonly weights: readonly number[];
  /** Index of the backend that takes the next request. Allocates nothing. */
  pick(): number;
  /** What `pick` would answer now; the next request is still to come. */
  peek(): number;
}

const greatestSum = 2 ** 32 - 1;
const mostBackends = 2 ** 18;

/**
 * `weights`: integers >= 0 that add up to 1 to 2^32-1; a backend of weight 0 is never picked. `phase`: any integer >= 0, for
 * instance a hash. With two backends it says where in the sequence of picks the split starts, and every prefix is within
 * less than 1 (with phase 0: 1/2). With more it has no effect: no other start keeps each prefix within one request.
 * Throws on weights that are none.
 */
export function createWeightedSplit(weights: readonly number[], phase: number): WeightedSplit {
  assertWeights(weights);
  const divisor = weights.reduce(greatestCommonDivisor);
  const reduced = weights.map((weight) => weight / divisor);
  const used = reduced.flatMap((weight, index) => (weight > 0 ? [index] : []));
  const [only = 0] = used;
  if (used.length === 1) return { weights: reduced, pick: () => only, peek: () => only };
  return new ChairmanAssignment(reduced, used, phase);
}

class ChairmanAssignment implements WeightedSplit {
  readonly weights: readonly number[];
  /** Where backends of weight above 0 stand in `weights`; the three lists below go by place in this one. */
  readonly #index: Uint32Array;
  readonly #weight: Float64Array;
  /** Due minus given, times the sum of weights. Invariant between picks: they add up to 0. */
  readonly #deficit: Float64Array;
  readonly #sum: number;
  /** 2k-2. */
  readonly #slack: number;

  constructor(weights: readonly number[], used: readonly number[], phase: number) {
    this.weights = weights;
    this.#index = Uint32Array.from(used);
    this.#weight = Float64Array.from(used, (index) => weights[index] ?? 0);
    this.#deficit = new Float64Array(used.length);
    this.#sum = this.#weight.reduce((sum, weight) => sum + weight, 0);
    this.#slack = 2 * used.length - 2;
    if (used.length === 2) {
      // The deficits of two backends walk through exactly these values, one a pick. Ties go to the first, so the
      // first's deficit lies in [-W/2, W/2): two of its values differ by less than W, which is one request.
      const half = Math.floor(this.#sum / 2);
      const first = (((phase % this.#sum) + half) % this.#sum) - half;
      this.#deficit.set([first, -first]);
    }
  }

  pick(): number {
    const weights = this.#weight;
    const deficits = this.#deficit;
    const sum = this.#sum;
    const slack = this.#slack;
    let chosen = 0;
    let soonest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] ?? 0;
      const deficit = (deficits[i] ?? 0) + weight;
      deficits[i] = deficit;
      if (slack * deficit < sum) continue;
      // How many more requests may pass it by. Exact, as both sides of the division are integers below 2^53.
      const deadline = Math.floor(((slack - 1) * sum - slack * deficit) / (slack * weight));
      if (deadline < soonest) {
        soonest = deadline;
        chosen = i;
      }
    }
    deficits[chosen] = (deficits[chosen] ?? 0) - sum;
    return this.#index[chosen] ?? 0;
  }

  /** By picking and taking it back: another way to work it out could come to differ. */
  peek(): number {
    const before = this.#deficit.slice();
    const index = this.pick();
    this.#deficit.set(before);
    return index;
  }
}

function assertWeights(weights: readonly number[]): void {
  if (weights.length > mostBackends)
    throw new RangeError(`${weights.length} backends; at most ${mostBackends} can split`);
  const fault = weights.find((weight) => !Number.isInteger(weight) || weight < 0);
  if (fault !== undefined) throw new RangeError(`weight ${fault} is no integer of 0 or more`);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum < 1 || sum > greatestSum) throw new RangeError(`weights add up to ${sum}; expected 1 to ${greatestSum}`);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
