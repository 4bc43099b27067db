/** Requests for a cluster as load reports have them: sent or not sent, ended well or with an error. */
import type { Reason } from '../proxy/local-answer.ts';
import type { Outcomes } from './counter.ts';

/** All but `active` only rise. Who gave up before an answer came is no success and no error. */
export interface RequestCounts {
  /** All that began. */
  readonly requests: number;
  /** Those of them that have not ended. */
  readonly active: number;
  readonly successes: number;
  /** Status 500 and above, and no whole answer. */
  readonly errors: number;
  /** Those that no instance was asked for, because the operator wants it so. */
  readonly drops: number;
}

export const noCounts: RequestCounts = { requests: 0, active: 0, successes: 0, errors: 0, drops: 0 };

/** Reasons that say nothing of an instance. */
const dropped: ReadonlySet<string> = new Set<Reason>(['overflow', 'fault']);

export function countsOf({ requests, active, passed, refused, brokenOff }: Outcomes): RequestCounts {
  const drops = sum(Object.entries(refused).map(([reason, count]) => (dropped.has(reason) ? count : 0)));
  const failed = passed['5xx'] ?? 0;
  return {
    requests,
    active,
    successes: sum(Object.values(passed)) - failed,
    errors: failed + brokenOff + sum(Object.values(refused)) - drops,
    drops,
  };
}

export function addCounts(one: RequestCounts, other: RequestCounts): RequestCounts {
  return {
    requests: one.requests + other.requests,
    active: one.active + other.active,
    successes: one.successes + other.successes,
    errors: one.errors + other.errors,
    drops: one.drops + other.drops,
  };
}

/** By cluster, of several listeners or rules together. What is for no cluster that is still there is left out. */
export function addUpCounts(
  parts: Iterable<readonly [cluster: string, counts: RequestCounts]>,
): ReadonlyMap<string, RequestCounts> {
  const sums = new Map<string, RequestCounts>();
  for (const [cluster, counts] of parts) {
    if (cluster.includes('|')) sums.set(cluster, addCounts(sums.get(cluster) ?? noCounts, counts));
  }
  return sums;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
