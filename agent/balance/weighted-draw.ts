/** Draws from a list by weight: the part of chance that `random` and `least-request` share. Prepared once per list. */

export interface WeightedDraw {
  /** An index, by weight. -1 from an empty list. */
  any(random: () => number): number;
  /** An index, by weight, from all but this one. -1 when it is the only one. */
  other(random: () => number, except: number): number;
}

export function createWeightedDraw(weights: readonly number[]): WeightedDraw {
  return weights.every((weight) => weight === weights[0]) ? new EvenDraw(weights.length) : new UnevenDraw(weights);
}

/** Nearly every list: no search, whatever its length. */
class EvenDraw implements WeightedDraw {
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  any(random: () => number): number {
    return this.#length === 0 ? -1 : Math.floor(random() * this.#length);
  }

  other(random: () => number, except: number): number {
    if (this.#length < 2) return -1;
    const drawn = Math.floor(random() * (this.#length - 1));
    return drawn < except ? drawn : drawn + 1;
  }
}

class UnevenDraw implements WeightedDraw {
  /** ends[i] is the sum of weights up to and with i: a point below it and not below ends[i-1] is i. */
  readonly #ends: Float64Array;
  readonly #sum: number;

  constructor(weights: readonly number[]) {
    let sum = 0;
    this.#ends = Float64Array.from(weights, (weight) => {
      sum += weight;
      return sum;
    });
    this.#sum = sum;
  }

  any(random: () => number): number {
    return firstAbove(this.#ends, random() * this.#sum);
  }

  other(random: () => number, except: number): number {
    const end = this.#ends[except] ?? 0;
    const start = except === 0 ? 0 : (this.#ends[except - 1] ?? 0);
    // The stretch of `except` is cut out, and what lies behind it moved up.
    const point = random() * (this.#sum - (end - start));
    return firstAbove(this.#ends, point < start ? point : point + (end - start));
  }
}

/** Index of the first element above the point, by halving. */
function firstAbove(ends: Float64Array, point: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? 0) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}
