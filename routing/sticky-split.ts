/**
 * The sticky split: the same key goes to the same backend, in every agent, as long as the weights let it.
 *
 * Weighted rendezvous hashing: each backend draws a number from the hash of (key, backend) and scores -weight/ln(number);
 * the greatest score wins, which happens to a backend in proportion to its weight. It is monotone: a key moves from a to b
 * only if b's weight grew relative to a's, for any number of backends; raising 10 % to 25 % never moves a user back.
 * Cumulative ranges of a hash do not keep that with more than two backends.
 */
import { combine, hash53, toFraction } from './hash.ts';

export interface StickyBackend {
  /** What the backend is called: its hash, so a renamed backend draws anew for every key. */
  readonly name: string;
  readonly weight: number;
}

export interface StickySplit {
  /** Index of the backend for this key. Allocates nothing. */
  pick(key: string): number;
}

/** A backend of weight 0 is never picked, unless all are. Names must differ: equal names draw equal numbers. */
export function createStickySplit(backends: readonly StickyBackend[]): StickySplit {
  const hashes = Float64Array.from(backends, ({ name }) => hash53(name));
  const weights = Float64Array.from(backends, ({ weight }) => weight);
  return {
    pick(key) {
      const keyHash = hash53(key);
      let chosen = 0;
      let greatest = 0;
      for (let i = 0; i < hashes.length; i++) {
        const score = -(weights[i] ?? 0) / Math.log(toFraction(combine(keyHash, hashes[i] ?? 0)));
        if (score > greatest) {
          greatest = score;
          chosen = i;
        }
      }
      return chosen;
    },
  };
}
