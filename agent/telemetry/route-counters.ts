/**
 * Requests by the cluster that they are sent to, and by the rule that sends them there. Subsets and rules come and go for as
 * long as the agent runs: those that are gone are added up, so that what is kept is bounded by what there is.
 */
import { Counter, type Counters } from './counter.ts';
import { addCounts, countsOf, noCounts, type RequestCounts } from './request-counts.ts';
import type { RoutedBy } from './request-facts.ts';

/** What led to another attempt: see `attempts`. */
export type Attempt = (typeof attempts)[number];

/**
 * No connection; an instance that was another; one whose application took no connection; a kept connection that had been
 * closed; a rule that asks for retries.
 */
export const attempts = ['unreachable', 'wrong-instance', 'app-unreachable', 'stale-connection', 'retry'] as const;
export type Attempts = Readonly<Record<Attempt, number>>;

export function noAttempts(): Record<Attempt, number> {
  return { unreachable: 0, 'wrong-instance': 0, 'app-unreachable': 0, 'stale-connection': 0, retry: 0 };
}

export interface ClusterCounters extends Counters {
  readonly attempts: Attempts;
  /** By rule, as decisions name it; `other`: rules that are gone. */
  readonly rules: Readonly<Record<string, Counters>>;
}

/** Which rules there are, and where they send requests: by rule, its clusters. '' is the cluster of a redirect. */
export type RoutesInView = ReadonlyMap<string, ReadonlySet<string>>;

/** So many are kept one by one without asking whether they are still there. */
const kept = 1_000;
/** No cluster is called so, for their names have two bars, and no rule, for theirs have a slash. */
const other = 'other';

export class RouteCounters {
  readonly #inView: () => RoutesInView;
  readonly #clusters = new Map<string, ClusterCounter>();
  #count = 0;
  #foldAt = kept;

  constructor(inView: () => RoutesInView) {
    this.#inView = inView;
  }

  of(decision: RoutedBy): Counter {
    const { counter } = decision;
    if (counter instanceof RuleCounter && counter.owner === this && !counter.isGone) return counter;
    const found = this.#find(decision);
    decision.counter = found;
    return found;
  }

  /** Of a request for which a rule chose the cluster; else nothing is counted. */
  countAttempt(attempt: Attempt, cluster: string): void {
    const counter = this.#clusters.get(cluster);
    if (counter !== undefined) counter.attempts[attempt]++;
  }

  snapshot(): Record<string, ClusterCounters> {
    const byName = [...this.#clusters].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(byName.map(([name, counter]) => [name, counter.snapshot()]));
  }

  /** By cluster; what load reports want to know. */
  *counts(): Generator<readonly [cluster: string, counts: RequestCounts]> {
    for (const [name, counter] of this.#clusters) yield [name, counter.counts()];
  }

  #find({ cluster, rule }: RoutedBy): Counter {
    const known = this.#clusters.get(cluster)?.rules.get(rule);
    if (known !== undefined) return known;
    if (this.#count >= this.#foldAt) this.#foldGone();
    this.#count++;
    return this.#clusterOf(cluster).of(rule);
  }

  #clusterOf(name: string): ClusterCounter {
    let counter = this.#clusters.get(name);
    if (counter === undefined) {
      counter = new ClusterCounter(this);
      this.#clusters.set(name, counter);
    }
    return counter;
  }

  #foldGone(): void {
    const inView = this.#inView();
    const clusters = new Set([...inView.values()].flatMap((of) => [...of]));
    this.#count = 0;
    for (const [name, counter] of [...this.#clusters]) {
      if (name === other) continue;
      counter.foldRules((rule) => inView.get(rule)?.has(name) ?? false);
      if (counter.isActive || clusters.has(name)) {
        this.#count += counter.rules.size;
        continue;
      }
      this.#clusterOf(other).add(counter);
      this.#clusters.delete(name);
    }
    // Looking at all of them again pays only when as many have come as were left.
    this.#foldAt = Math.max(kept, 2 * this.#count);
  }
}

/** Of one rule and cluster. */
class RuleCounter extends Counter {
  readonly owner: RouteCounters;
  /** What it has counted is added up elsewhere: nothing more may be counted here. */
  isGone = false;

  constructor(owner: RouteCounters) {
    super();
    this.owner = owner;
  }
}

class ClusterCounter {
  readonly rules = new Map<string, RuleCounter>();
  readonly attempts = noAttempts();
  readonly #owner: RouteCounters;

  constructor(owner: RouteCounters) {
    this.#owner = owner;
  }

  get isActive(): boolean {
    return [...this.rules.values()].some(({ isActive }) => isActive);
  }

  of(rule: string): Counter {
    let counter = this.rules.get(rule);
    if (counter === undefined) {
      counter = new RuleCounter(this.#owner);
      this.rules.set(rule, counter);
    }
    return counter;
  }

  /** Those that are gone and have no request under way become one. */
  foldRules(isInView: (rule: string) => boolean): void {
    for (const [rule, counter] of [...this.rules]) {
      if (rule === other || counter.isActive || isInView(rule)) continue;
      this.rules.delete(rule);
      counter.isGone = true;
      this.of(other).add(counter);
    }
  }

  add(gone: ClusterCounter): void {
    for (const counter of gone.rules.values()) {
      counter.isGone = true;
      this.of(other).add(counter);
    }
    for (const attempt of attempts) this.attempts[attempt] += gone.attempts[attempt];
  }

  counts(): RequestCounts {
    let counts = noCounts;
    for (const counter of this.rules.values()) counts = addCounts(counts, countsOf(counter.outcomes()));
    return counts;
  }

  snapshot(): ClusterCounters {
    const all = new Counter();
    for (const counter of this.rules.values()) all.add(counter);
    const rules = [...this.rules].map(([rule, counter]) => [rule, counter.snapshot()] as const);
    return { ...all.snapshot(), attempts: { ...this.attempts }, rules: Object.fromEntries(rules) };
  }
}
