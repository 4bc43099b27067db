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

export class Histogram {
  readonly #buckets: number[] = Array.from({ length: durationBounds.length + 1 }, () => 0);
  #sumMs = 0;

  record(durationMs: number): void {
    // Divided last: what is exactly a bound stays one.
    const ticks = Math.min(Math.ceil((durationMs * ticksPerSecond) / 1_000), mostTicks);
    const bucket = ticks <= 1 ? 0 : 32 - Math.clz32(ticks - 1);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#sumMs += durationMs;
  }

  add(other: Histogram): void {
    for (const [bucket, count] of other.#buckets.entries()) {
      this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + count;
    }
    this.#sumMs += other.#sumMs;
  }

  snapshot(): Durations {
    const buckets = [...this.#buckets];
    return { count: buckets.reduce((sum, count) => sum + count, 0), sum: this.#sumMs / 1_000, buckets };
  }
}
