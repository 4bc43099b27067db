/** Sees the requests of one listener begin, be routed, be answered and end: counts them, and has them logged. */
import type { Clock } from '../../process/clock.ts';
import type { AccessLog, Describable } from './access-log.ts';
import type { Ending } from './counter.ts';
import type { RequestFacts, RoutedBy } from './request-facts.ts';
import type { Statistics } from './statistics.ts';

export interface RequestWatchOptions {
  /** Name of the listener, as the statistics have it. */
  readonly listener: string;
  readonly statistics: Statistics;
  /** Undefined: nobody wants one. */
  readonly accessLog: AccessLog | undefined;
  readonly clock: Clock;
  /** Told of a request that cannot be described: a fault of the agent. */
  readonly onFault: (error: unknown) => void;
}

export class RequestWatch {
  readonly #options: RequestWatchOptions;
  readonly #statistics: Statistics;
  readonly #clock: Clock;

  constructor(options: RequestWatchOptions) {
    this.#options = options;
    this.#statistics = options.statistics;
    this.#clock = options.clock;
  }

  /** Whether somebody looks at more than counters: what only a line in the log says need not be found out otherwise. */
  get isLogging(): boolean {
    return this.#options.accessLog !== undefined;
  }

  /** `client`: whose request it is. When it has gone its address is not known any more, and to ask is not for free. */
  onBegin(facts: RequestFacts, client: { readonly remoteAddress: string }): void {
    facts.begin(this.#clock.elapsed());
    if (this.#options.accessLog !== undefined) facts.remoteAddress = client.remoteAddress;
    this.#statistics.total.begin();
  }

  /** A rule has taken the request. */
  onRouted(facts: RequestFacts, decision: RoutedBy): void {
    facts.routedBy = decision;
    facts.counter = this.#statistics.route(decision);
    facts.counter.begin();
  }

  /** The head of the final answer has come. */
  onAnswer(facts: RequestFacts): void {
    if (this.#options.accessLog !== undefined) facts.firstByteMs = this.#clock.elapsed() - facts.beganAtMs;
  }

  /** Once for each request that began. What the facts say of status and bytes is final. */
  onEnd(facts: RequestFacts, ending: Ending, request: Describable): void {
    facts.ending = ending;
    facts.durationMs = this.#clock.elapsed() - facts.beganAtMs;
    this.#statistics.total.end(facts);
    facts.counter?.end(facts);
    if (this.#options.accessLog?.wants(facts)) this.#log(this.#options.accessLog, facts, request);
  }

  #log(accessLog: AccessLog, facts: RequestFacts, request: Describable): void {
    try {
      accessLog.write(this.#options.listener, facts, request);
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
