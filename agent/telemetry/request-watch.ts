/** Sees the requests of one listener begin, be routed and end: counts them. */
import type { Clock } from '../../process/clock.ts';
import type { Ending } from './counter.ts';
import type { RequestFacts, RoutedBy } from './request-facts.ts';
import type { Statistics } from './statistics.ts';

export interface RequestWatchOptions {
  readonly statistics: Statistics;
  readonly clock: Clock;
}

export class RequestWatch {
  readonly #statistics: Statistics;
  readonly #clock: Clock;

  constructor({ statistics, clock }: RequestWatchOptions) {
    this.#statistics = statistics;
    this.#clock = clock;
  }

  onBegin(facts: RequestFacts): void {
    facts.begin(this.#clock.elapsed());
    this.#statistics.total.begin();
  }

  /** A rule has taken the request. */
  onRouted(facts: RequestFacts, decision: RoutedBy): void {
    facts.routedBy = decision;
    facts.counter = this.#statistics.route(decision.cluster, decision.rule);
    facts.counter.begin();
  }

  /** Once for each request that began. What the facts say of status and bytes is final. */
  onEnd(facts: RequestFacts, ending: Ending): void {
    facts.ending = ending;
    facts.durationMs = this.#clock.elapsed() - facts.beganAtMs;
    this.#statistics.total.end(facts);
    facts.counter?.end(facts);
  }
}
