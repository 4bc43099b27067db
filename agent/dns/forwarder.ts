/** Names that are not of the mesh: from the cache, or by the system's resolvers, each question once however many ask it. */
import type { Clock } from '../../process/clock.ts';
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { AnswerCache } from './answer-cache.ts';
import { bounds } from './bounds.ts';
import type { DnsCounters } from './counters.ts';
import type { UpstreamAnswer } from './upstream-answer.ts';
import type { RandomBytes, Wanted } from './upstream-query.ts';
import { type Patience, UpstreamQuestion } from './upstream-question.ts';

export interface ForwarderOptions {
  /** Asked for each question, so that a changed resolv.conf counts at once. */
  readonly upstreams: () => readonly HostPort[];
  readonly patience: Patience;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly counters: DnsCounters;
}

/** `ageSeconds`: by how much its TTLs are to be lowered. `overflow`: too much is under way; `failure`: nobody has answered. */
export type Forwarded = { readonly answer: UpstreamAnswer; readonly ageSeconds: number } | 'overflow' | 'failure';

/** A resolver that was silent is asked after the others for so long. */
const passedOverMs = 30_000;

interface UnderWay {
  readonly question: UpstreamQuestion;
  readonly waiting: ((forwarded: Forwarded) => void)[];
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #cache = new AnswerCache();
  readonly #underWay = new Map<string, UnderWay>();
  /** Until when resolvers are asked last, by address. */
  readonly #passedOver = new Map<string, number>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** `key`: equal for equal questions. Tells at once what is known, else when it is; it always tells. */
  ask(key: string, wanted: Wanted, tell: (forwarded: Forwarded) => void): void {
    const { clock, counters } = this.#options;
    const cached = this.#cache.get(key, clock.elapsed());
    if (cached !== undefined) {
      counters.cacheHits++;
      return tell(cached);
    }
    const same = this.#underWay.get(key);
    if (same !== undefined) {
      if (same.waiting.length >= bounds.waitingForOne) return tell('overflow');
      counters.joined++;
      same.waiting.push(tell);
      return;
    }
    const servers = this.#order();
    if (servers.length === 0) return tell('failure');
    if (this.#underWay.size >= bounds.underWay) return tell('overflow');
    this.#begin(key, wanted, { servers, tell });
  }

  close(): void {
    for (const { question } of [...this.#underWay.values()]) question.close();
  }

  #begin(
    key: string,
    wanted: Wanted,
    { servers, tell }: { servers: readonly HostPort[]; tell: (forwarded: Forwarded) => void },
  ): void {
    const { clock, counters } = this.#options;
    const waiting = [tell];
    counters.forwarded++;
    const question = new UpstreamQuestion({
      ...this.#options,
      wanted,
      servers,
      onServer: (server, isAnswering) => this.#note(server, isAnswering),
      onEnd: (answer) => {
        this.#underWay.delete(key);
        counters.underWay = this.#underWay.size;
        if (answer !== undefined) this.#cache.put(key, answer, clock.elapsed());
        const forwarded = answer === undefined ? 'failure' : { answer, ageSeconds: 0 };
        for (const each of waiting) each(forwarded);
      },
    });
    this.#underWay.set(key, { question, waiting });
    counters.underWay = this.#underWay.size;
    question.start();
  }

  /** As the system has them, those that were silent of late last. */
  #order(): readonly HostPort[] {
    const servers = this.#options.upstreams();
    if (this.#passedOver.size === 0) return servers;
    const nowMs = this.#options.clock.elapsed();
    const isPassedOver = (server: HostPort) => (this.#passedOver.get(formatHostPort(server)) ?? 0) > nowMs;
    return [...servers.filter((server) => !isPassedOver(server)), ...servers.filter(isPassedOver)];
  }

  #note(server: HostPort, isAnswering: boolean): void {
    const address = formatHostPort(server);
    // Of the servers that there were ever, few: but none is kept for good.
    if (this.#passedOver.size > 64) this.#passedOver.clear();
    if (isAnswering) this.#passedOver.delete(address);
    else this.#passedOver.set(address, this.#options.clock.elapsed() + passedOverMs);
  }
}
