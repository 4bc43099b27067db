/**
 * What a listener of the agent has done, in integers: requests and how they ended, over all and by cluster. Counted per
 * request, read by the admin server; kept across swaps.
 */
import type { Ending, Reason } from './local-answer.ts';

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
  /** By cluster (subset) that requests were sent to; only those that were sent any. */
  readonly clusters: Readonly<Record<string, Counters>>;
  readonly attempts: Readonly<Record<Attempt, number>>;
}

/**
 * What led to another attempt: no connection, an instance that was another, one whose application took no connection, a
 * kept connection that had been closed.
 */
export type Attempt = 'unreachable' | 'wrong-instance' | 'app-unreachable' | 'stale-connection';

/** One request, from its head to its end. */
export interface RequestRecord {
  /** The cluster is decided; once. */
  sentTo(cluster: string): void;
  /** Once. */
  ended(ending: Ending): void;
}

export interface Statistics {
  begin(): RequestRecord;
  countAttempt(attempt: Attempt): void;
  /** The agent answered something that is no request, and so never began. */
  countUnreadable(reason: Reason): void;
  snapshot(): StatisticsSnapshot;
}

export function createStatistics(): Statistics {
  const total = new Counter();
  // Bounded by the clusters of the services that the application has addressed.
  const clusters = new Map<string, Counter>();
  const attempts: Record<Attempt, number> = {
    unreachable: 0,
    'wrong-instance': 0,
    'app-unreachable': 0,
    'stale-connection': 0,
  };
  return {
    begin() {
      const counters = [total];
      total.begin();
      return {
        sentTo(cluster) {
          const counter = clusters.get(cluster) ?? new Counter();
          clusters.set(cluster, counter);
          counter.begin();
          counters.push(counter);
        },
        ended(ending) {
          for (const counter of counters) counter.end(ending);
        },
      };
    },
    countAttempt(attempt) {
      attempts[attempt]++;
    },
    countUnreadable(reason) {
      total.begin();
      total.end({ is: 'refused', reason });
    },
    snapshot() {
      const byName = [...clusters].sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        ...total.snapshot(),
        clusters: Object.fromEntries(byName.map(([name, counter]) => [name, counter.snapshot()])),
        attempts: { ...attempts },
      };
    },
  };
}

class Counter {
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

  end(ending: Ending): void {
    this.#active--;
    switch (ending.is) {
      case 'passed':
        this.#passed[Math.floor(ending.status / 100)] = (this.#passed[Math.floor(ending.status / 100)] ?? 0) + 1;
        break;
      case 'refused':
        this.#refused.set(ending.reason, (this.#refused.get(ending.reason) ?? 0) + 1);
        break;
      case 'broken-off':
        this.#brokenOff++;
        break;
      case 'client-gone':
        this.#clientGone++;
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
