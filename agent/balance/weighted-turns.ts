/**
 * Turns by weight: stride scheduling, which is Envoy's EDF scheduler. An instance of weight w is due every 1/w of a
 * virtual hour; whoever is due soonest takes the turn. In each such hour everybody has exactly as many turns as its weight.
 *
 * A heap of who is due when: a turn costs O(log n), where the exact split of rules would cost O(n).
 */

/** Whose turn it is, as an index. Chance is asked when it begins, and not again. */
export interface Turns {
  /** Takes no turn, and does nothing when they have begun; `next` begins by itself. */
  begin(random: () => number): void;
  next(random: () => number): number;
  /** What `next` would answer now; -1 when it has not begun, and chance decides. */
  peek(): number;
}

/** `weights`: at least one, all above 0. */
export function createWeightedTurns(weights: readonly number[]): Turns {
  return new StrideScheduler(weights);
}

class StrideScheduler implements Turns {
  /** Virtual time between two turns of the instance, by its index. */
  readonly #strides: Float64Array;
  /** When each instance is due next, by its index. */
  readonly #due: Float64Array;
  /** Binary heap of the indexes; whoever is due soonest stands at 0. */
  readonly #heap: Uint32Array;
  #hasBegun = false;

  constructor(weights: readonly number[]) {
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 1);
    // In strides of the heaviest: the numbers stay small for a long time, and precise.
    this.#strides = Float64Array.from(weights, (weight) => heaviest / weight);
    this.#due = new Float64Array(weights.length);
    this.#heap = Uint32Array.from(weights.keys());
  }

  /** Everybody's first turn is anywhere in its first stride: agents that start together are spread over all instances. */
  begin(random: () => number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    for (let index = 0; index < this.#due.length; index++) this.#due[index] = random() * (this.#strides[index] ?? 0);
    for (let place = (this.#heap.length >>> 1) - 1; place >= 0; place--) this.#sink(place);
  }

  next(random: () => number): number {
    this.begin(random);
    const chosen = this.#heap[0] ?? 0;
    this.#due[chosen] = (this.#due[chosen] ?? 0) + (this.#strides[chosen] ?? 0);
    this.#sink(0);
    return chosen;
  }

  peek(): number {
    return this.#hasBegun ? (this.#heap[0] ?? -1) : -1;
  }

  /** Lets what stands at this place sink to below everything that is due sooner. */
  #sink(from: number): void {
    const heap = this.#heap;
    const due = this.#due;
    const sinking = heap[from] ?? 0;
    const sinkingDue = due[sinking] ?? 0;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (due[heap[child + 1] ?? 0] ?? 0) < (due[heap[child] ?? 0] ?? 0)) child++;
      const sooner = heap[child] ?? 0;
      if ((due[sooner] ?? 0) >= sinkingDue) break;
      heap[place] = sooner;
      place = child;
    }
    heap[place] = sinking;
  }
}
