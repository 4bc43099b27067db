/**
 * How long requests took, counted by powers of two of a second: the bounds of a native histogram of Prometheus with schema
 * 0, from a quarter of a millisecond to a minute. To record allocates nothing.
 */

const lowestExponent = -12;
const highestExponent = 6;

/** Upper bounds in seconds, each included, ascending. What is longer than the last is counted too. */
export const durationBounds: readonly number[] = Array.from(
  { length: highestExponent - lowestExponent + 1 },
  (_, index) => 2 ** (index + lowestExponent),
);

/** The lowest bound is one tick, so bounds are whole powers of two and integers find their buckets. */
const ticksPerSecond = 2 ** -lowestExponent;
/** All that is longer shares the last bucket. */
const mostTicks = 2 ** (highestExponent - lowestExponent) + 1;

export interface Durations {
  readonly count: number;
  /** Of all, in seconds. */
  readonly sum: number;
  /** By the index of their bound; one more at the end for what is longer than all of them. Not added up. */
  readonly buckets: readonly number[];
}

const buckets = durationBounds.length + 1;
/** Numbers that a histogram takes: its buckets, then the sum in milliseconds. */
export const histogramSlots = buckets + 1;

export class Histogram {
  readonly #slots: Float64Array;
  readonly #first: number;

  /** Counts in `slots`, from `first` on: numbers that are counted together lie together. */
  constructor(slots = new Float64Array(histogramSlots), first = 0) {
    this.#slots = slots;
    this.#first = first;
  }

  record(durationMs: number): void {
    // Divided last: what is exactly a bound stays one.
    const ticks = Math.min(Math.ceil((durationMs * ticksPerSecond) / 1_000), mostTicks);
    const bucket = ticks <= 1 ? 0 : 32 - Math.clz32(ticks - 1);
    this.#add(bucket, 1);
    this.#add(buckets, durationMs);
  }

  snapshot(): Durations {
    const counts = [...this.#slots.subarray(this.#first, this.#first + buckets)];
    const sumMs = this.#slots[this.#first + buckets] ?? 0;
    return { count: counts.reduce((sum, count) => sum + count, 0), sum: sumMs / 1_000, buckets: counts };
  }

  #add(slot: number, amount: number): void {
    const at = this.#first + slot;
    this.#slots[at] = (this.#slots[at] ?? 0) + amount;
  }
}
