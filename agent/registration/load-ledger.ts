/** What of the agent's requests has been reported, and what has not: counts since the start in, reports out. Pure. */
import type { Input } from '../../proto/load.ts';
import type { ClusterStats, UpstreamLocalityStats } from '../../proto/types.ts';

/** Requests for one cluster since the agent started; `active`: those under way now. */
export interface RequestCounts {
  readonly requests: number;
  readonly active: number;
  readonly successes: number;
  readonly errors: number;
  /** Sent to nobody. */
  readonly drops: number;
}

export type CountsByCluster = ReadonlyMap<string, RequestCounts>;

const nothing: RequestCounts = { requests: 0, active: 0, successes: 0, errors: 0, drops: 0 };

export class LoadLedger {
  #reported: CountsByCluster = new Map();
  #reportedAtMs: number;
  /** The server has heard that nothing is going on. */
  #isQuiet = true;

  constructor(nowMs: number) {
    this.#reportedAtMs = nowMs;
  }

  /** Since the last report; undefined when there is nothing new to say. What it answers counts as reported. */
  report(counts: CountsByCluster, nowMs: number): Input<ClusterStats>[] | undefined {
    const intervalMs = Math.max(1, Math.round(nowMs - this.#reportedAtMs));
    const interval = { seconds: Math.floor(intervalMs / 1_000), nanos: (intervalMs % 1_000) * 1_000_000 };
    const stats = [...counts].flatMap(([cluster, now]) => {
      const since = difference(now, this.#reported.get(cluster) ?? nothing);
      return isNothing(since) ? [] : [statsOf(cluster, since, interval)];
    });
    this.#reported = counts;
    this.#reportedAtMs = nowMs;
    const wasQuiet = this.#isQuiet;
    this.#isQuiet = stats.length === 0;
    return wasQuiet && this.#isQuiet ? undefined : stats;
  }
}

/** A cluster that went and came again counts from the beginning. */
function difference(now: RequestCounts, before: RequestCounts): RequestCounts {
  const { requests, active, successes, errors, drops } = now;
  if (requests < before.requests) return now;
  return {
    active,
    requests: requests - before.requests,
    successes: Math.max(0, successes - before.successes),
    errors: Math.max(0, errors - before.errors),
    drops: Math.max(0, drops - before.drops),
  };
}

function isNothing(counts: RequestCounts): boolean {
  return Object.values(counts).every((count) => count === 0);
}

function statsOf(
  cluster: string,
  { requests, active, successes, errors, drops }: RequestCounts,
  loadReportInterval: Input<ClusterStats>['loadReportInterval'],
): Input<ClusterStats> {
  // Requests are counted by cluster: to count them by instance, too, would cost each of them something.
  const everywhere: Input<UpstreamLocalityStats> = {
    totalSuccessfulRequests: successes,
    totalErrorRequests: errors,
    totalRequestsInProgress: active,
    totalIssuedRequests: Math.max(0, requests - drops),
  };
  return {
    clusterName: cluster,
    upstreamLocalityStats: [everywhere],
    ...(drops > 0 && { totalDroppedRequests: drops }),
    loadReportInterval,
  };
}
