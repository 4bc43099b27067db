/**
 * What a listener of the agent has done, in integers: requests and how they ended, over all, by cluster and by rule.
 * Counted per request, read by the admin server; kept across swaps.
 */
import { Counter, type Counters } from './counter.ts';
import type { RequestCounts } from './request-counts.ts';
import type { RoutedBy } from './request-facts.ts';
import {
  type Attempt,
  type Attempts,
  type ClusterCounters,
  noAttempts,
  RouteCounters,
  type RoutesInView,
} from './route-counters.ts';

/** `failed`: of those sent, it had no whole answer; `left-out`: too many were under way, or the body was too long to keep. */
export type MirrorOutcome = 'sent' | 'failed' | 'left-out';

export interface StatisticsSnapshot extends Counters {
  /** By cluster (subset) that requests were sent to; only those that were sent any. `other`: clusters that are gone. */
  readonly clusters: Readonly<Record<string, ClusterCounters>>;
  readonly attempts: Attempts;
  /** Copies of requests. */
  readonly mirrors: Readonly<Record<MirrorOutcome, number>>;
  /** Connections of clients; `refused`: closed as soon as they came, because there were too many. */
  readonly connections: Readonly<Record<'accepted' | 'refused', number>>;
}

/** What a listener has done, and how many connections of clients it has now. */
export interface ListenerTraffic extends StatisticsSnapshot {
  readonly openConnections: number;
}

export interface Statistics {
  /** Of all requests. */
  readonly total: Counter;
  /** Of those that its rule sends to its cluster. Keep it no longer than the request lasts. */
  route(decision: RoutedBy): Counter;
  /** `cluster`: the name of the destination that was asked before. */
  countAttempt(attempt: Attempt, cluster: string): void;
  countMirror(what: MirrorOutcome): void;
  countConnection(what: 'accepted' | 'refused'): void;
  snapshot(): StatisticsSnapshot;
  /** By cluster, at far less cost; what load reports want to know. */
  counts(): Iterable<readonly [cluster: string, counts: RequestCounts]>;
}

/** `inView`: the rules by which requests are routed now. Asked seldom: it may take its time. */
export function createStatistics(inView: () => RoutesInView): Statistics {
  const total = new Counter();
  const routes = new RouteCounters(inView);
  const attempts = noAttempts();
  const mirrors = { sent: 0, failed: 0, 'left-out': 0 };
  const connections = { accepted: 0, refused: 0 };
  return {
    total,
    route: (decision) => routes.of(decision),
    countAttempt(attempt, cluster) {
      attempts[attempt]++;
      routes.countAttempt(attempt, cluster);
    },
    countMirror(what) {
      mirrors[what]++;
    },
    countConnection(what) {
      connections[what]++;
    },
    counts: () => routes.counts(),
    snapshot() {
      return {
        ...total.snapshot(),
        clusters: routes.snapshot(),
        attempts: { ...attempts },
        mirrors: { ...mirrors },
        connections: { ...connections },
      };
    },
  };
}
