/**
 * Ring hash, as of Ketama and Envoy: every instance has points on a ring, in proportion to its weight; a request belongs to
 * the first point from its hash on. When an instance leaves, its stretches fall to whoever comes next: no other key moves.
 */
import { combine, hash53 } from '../../routing/hash.ts';
import type { HashTable } from './hash-table.ts';

/**
 * Points of the instance of least weight: half as many to twice as many. Two of them make Envoy's smallest ring, 1024.
 *
 * Envoy divides 1024 points among all instances, so that each has another number of them when one leaves, and keys move
 * that need not. Here the number hangs on the least weight alone, rounded to a power of two: it stays.
 */
const pointsOfLeast = 512;
/** For 256 instances of one weight. With more, or with very different weights, everybody gets fewer. */
const mostPoints = 2 ** 17;

/** A point is the 32 bits of its place, and behind them who it belongs to: sorting needs no second list. */
const owners = 2 ** 20;

export function createRing(keys: readonly string[], weights: readonly number[]): HashTable {
  if (keys.length > owners) throw new RangeError(`${keys.length} instances; at most ${owners} have room on a ring`);
  const scale = scaleFor(weights);
  const counts = weights.map((weight) => pointsFor(weight, scale));
  const points = new Float64Array(sumOf(counts));
  let filled = 0;
  for (const [owner, key] of keys.entries()) {
    const keyHash = hash53(key);
    const count = counts[owner] ?? 0;
    for (let n = 0; n < count; n++) points[filled++] = upper32(combine(keyHash, n)) * owners + owner;
  }
  return new Ring(points.sort());
}

class Ring implements HashTable {
  readonly #points: Float64Array;

  constructor(points: Float64Array) {
    this.#points = points;
  }

  find(hash: number): number {
    const points = this.#points;
    const wanted = upper32(hash) * owners;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  next(_hash: number, place: number): number {
    return place + 1 === this.#points.length ? 0 : place + 1;
  }

  instanceAt(place: number): number {
    return (this.#points[place] ?? 0) % owners;
  }
}

/** Points per weight: a power of two, so that it seldom changes when an instance comes or goes. */
function scaleFor(weights: readonly number[]): number {
  const least = weights.reduce((a, b) => Math.min(a, b));
  let scale = 2 ** Math.ceil(Math.log2(pointsOfLeast / least));
  while (scale * sumOf(weights) > mostPoints) scale /= 2;
  return scale;
}

function pointsFor(weight: number, scale: number): number {
  return Math.max(1, Math.round(weight * scale));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function upper32(hash: number): number {
  return Math.floor(hash / 2 ** 21);
}
