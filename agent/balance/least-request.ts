/**
 * Least request by the power of two choices: of two instances drawn by weight, the one with fewer requests under way for
 * its weight. Nearly as even as asking all of them, without their herding to whoever is idle at the moment.
 */
import type { Balancer, Candidate } from './balancer.ts';

/** All candidates count as available. */
export function createLeastRequest<C extends Candidate>(candidates: readonly C[]): Balancer<C> {
  const draw = createDraw(candidates);
  return {
    pick(tried, random) {
      if (tried.length > 0) {
        // A connection failed, which is rare: the others are drawn from as if they were all.
        return createLeastRequest(candidates.filter((candidate) => !tried.includes(candidate))).pick([], random);
      }
      const first = draw(random, undefined);
      const second = draw(random, first);
      return lessBusy(candidates[first], candidates[second]);
    },
  };
}

/** Index of a candidate, drawn by weight from all but `except`; out of range when none is left. */
type Draw = (random: () => number, except: number | undefined) => number;

function createDraw(candidates: readonly Candidate[]): Draw {
  // ends[i] is the sum of weights up to and with candidate i: a point below it and not below ends[i-1] is candidate i.
  const ends = new Float64Array(candidates.length);
  let sum = 0;
  for (const [index, { weight }] of candidates.entries()) {
    sum += weight;
    ends[index] = sum;
  }
  return (random, except) => {
    if (except === undefined) return firstAbove(ends, random() * sum);
    const end = ends[except] ?? 0;
    const start = ends[except - 1] ?? 0;
    // The stretch of `except` is cut out, and what lies behind it moved up.
    const point = random() * (sum - (end - start));
    return firstAbove(ends, point < start ? point : point + (end - start));
  };
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

/** The first on a tie: both idle, weights alone decide. */
function lessBusy<C extends Candidate>(first: C | undefined, second: C | undefined): C | undefined {
  if (first === undefined || second === undefined) return first;
  return second.load.active * first.weight < first.load.active * second.weight ? second : first;
}
