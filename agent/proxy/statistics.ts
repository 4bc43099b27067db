/**
 * What a listener of the agent has done, in integers: requests and how they ended, over all and by cluster. Counted per
 * request, read by the admin server; kept across swaps.
 */
import type { Reason } from './local-answer.ts';

/** How a request ended: the whole answer of an upstream was passed on, or the agent answered itself, or one of the two. */
export type Ending =
  | 'passed'
  /** The answer broke off after its head: the upstream's connection ended, or time was up. */
  | 'broken-off'
  | 'client-gone'
  | Reason;

export interface Counters {
  /** All that began. */
  readonly requests: number;
  /** Those of them that have not ended. */
  readonly active: number;
  /** Answers passed on, by the first digit of their status: `{"2xx": 41, "5xx": 1}`. */
  readonly passed: Readonly<Record<string, number>>;
  /** Answers that the agent made, by reason. */
  readonly refused: Readonly<Partial<Record<Reason, number>>>;
  readonly brokenOff: number;
  readonly clientGone: number;
}

export interface StatisticsSnapshot extends Counters {
  /** By cluster (subset) that requests were sent to; only those that were sent any. `other`: clusters that are gone. */
  readonly clusters: Readonly<Record<string, Counters>>;
  readonly attempts: Readonly<Record<Attempt, number>>;
  /** Copies of requests; `left-out`: too many were under way, or the body was too long to keep. */
  readonly mirrors: Readonly<Record<'sent' | 'left-out', number>>;
  /** Closed as soon as they came. */
  readonly tooManyConnections: number;
}

/**
 * What led to another attempt: no connection, an instance that was another, one whose application took no connection, a
 * kept connection that had been closed, a rule that asks for retries.
 */
export type Attempt = 'unreachable' | 'wrong-instance' | 'app-unreachable' | 'stale-connection' | 'retry';

export interface Statistics {
  /** Of all requests. */
  readonly total: Counter;
  /** Of those that are sent to this cluster. Keep it no longer than the request lasts. */
  cluster(name: string): Counter;
  countAttempt(attempt: Attempt): void;
  countMirror(what: 'sent' | 'left-out'): void;
  /** A connection was closed at once because there are too many. */
  countTooMany(): void;
  snapshot(): StatisticsSnapshot;
}

/** `isInView`: whether requests can still be sent to this cluster. */
export function createStatistics(isInView: (cluster: string) => boolean): Statistics {
  const total = new Counter();
  const clusters = new ClusterCounters(isInView);
  const attempts: Record<Attempt, number> = {
    unreachable: 0,
    'wrong-instance': 0,
    'app-unreachable': 0,
    'stale-connection': 0,
    retry: 0,
  };
  const mirrors = { sent: 0, 'left-out': 0 };
  let tooManyConnections = 0;
  return {
    total,
    cluster: (name) => clusters.of(name),
    countAttempt(attempt) {
      attempts[attempt]++;
    },
    countMirror(what) {
      mirrors[what]++;
    },
    countTooMany() {
      tooManyConnections++;
    },
    snapshot() {
      return {
        ...total.snapshot(),
        clusters: clusters.snapshot(),
        attempts: { ...attempts },
        mirrors: { ...mirrors },
        tooManyConnections,
      };
    },
  };
}

/** So many are kept one by one without asking whether they are still there. */
const clustersKept = 1_000;
/** No cluster is called so: their names have two bars. */
const other = 'other';

/**
 * Subsets come and go for as long as the agent runs. Those that are gone and have no request under way are added up, so
 * that what is kept is bounded by twice the clusters in the view, or by `clustersKept`.
 */
class ClusterCounters {
  readonly #isInView: (cluster: string) => boolean;
  readonly #counters = new Map<string, Counter>();
  #gone: Counter | undefined;
  #foldAt = clustersKept;

  constructor(isInView: (cluster: string) => boolean) {
    this.#isInView = isInView;
  }

  of(cluster: string): Counter {
    const known = this.#counters.get(cluster);
    if (known !== undefined) return known;
    if (this.#counters.size >= this.#foldAt) this.#foldGone();
    const counter = new Counter();
    this.#counters.set(cluster, counter);
    return counter;
  }

  snapshot(): Record<string, Counters> {
    const byName = [...this.#counters].sort(([a], [b]) => (a < b ? -1 : 1));
    if (this.#gone !== undefined) byName.push([other, this.#gone]);
    return Object.fromEntries(byName.map(([name, counter]) => [name, counter.snapshot()]));
  }

  #foldGone(): void {
    for (const [cluster, counter] of this.#counters) {
      if (counter.isActive || this.#isInView(cluster)) continue;
      this.#gone ??= new Counter();
      this.#gone.add(counter);
      this.#counters.delete(cluster);
    }
    // Looking at all of them again pays only when as many have come as were left.
    this.#foldAt = Math.max(clustersKept, 2 * this.#counters.size);
  }
}

/** Requests of one kind, begun and ended. */
export class Counter {
  #requests = 0;
  #active = 0;
  #brokenOff = 0;
  #clientGone = 0;
  /** By first digit of the status; 1 to 9 are all there can be. */
  readonly #passed = new Float64Array(10);
  readonly #refused = new Map<Reason, number>();

  begin(): void {
    this.#requests++;
    this.#active++;
  }

  get isActive(): boolean {
    return this.#active > 0;
  }

  /** One that is not active. */
  add(ended: Counter): void {
    this.#requests += ended.#requests;
    this.#brokenOff += ended.#brokenOff;
    this.#clientGone += ended.#clientGone;
    for (const [digit, count] of ended.#passed.entries()) this.#passed[digit] = (this.#passed[digit] ?? 0) + count;
    for (const [reason, count] of ended.#refused) this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + count);
  }

  /** `status`: of an answer that was passed on. */
  end(ending: Ending, status: number): void {
    this.#active--;
    switch (ending) {
      case 'passed': {
        const digit = Math.floor(status / 100);
        this.#passed[digit] = (this.#passed[digit] ?? 0) + 1;
        break;
      }
      case 'broken-off':
        this.#brokenOff++;
        break;
      case 'client-gone':
        this.#clientGone++;
        break;
      default:
        this.#refused.set(ending, (this.#refused.get(ending) ?? 0) + 1);
    }
  }

  snapshot(): Counters {
    const classes = [...this.#passed].flatMap((count, digit) => (count > 0 ? [[`${digit}xx`, count] as const] : []));
    return {
      requests: this.#requests,
      active: this.#active,
      passed: Object.fromEntries(classes),
      refused: Object.fromEntries(this.#refused),
      brokenOff: this.#brokenOff,
      clientGone: this.#clientGone,
    };
  }
}
