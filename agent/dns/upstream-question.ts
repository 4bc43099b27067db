/**
 * One question until a resolver has answered it: the next one is asked when one fails, refuses or is slow, and the slow one may
 * still answer meanwhile. Ends once, with an answer or without.
 */
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import type { DnsCounters } from './counters.ts';
import { flag, responseCode } from './protocol.ts';
import { readUpstreamAnswer, type UpstreamAnswer } from './upstream-answer.ts';
import { askOverTcp, askOverUdp, type Exchange } from './upstream-exchange.ts';
import { type RandomBytes, type Wanted, writeUpstreamQuery } from './upstream-query.ts';

export interface Patience {
  /** After which the next resolver is asked too. */
  readonly attemptMs: number;
  /** After which the client is told SERVFAIL. */
  readonly wholeMs: number;
}

/** libc gives up a server after 5 s and asks the next: by then it has to have heard from this one. */
export const patience: Patience = { attemptMs: 1_200, wholeMs: 4_500 };

export interface QuestionOptions {
  readonly wanted: Wanted;
  /** In the order in which they are asked; then, while there is time, again. */
  readonly servers: readonly HostPort[];
  readonly patience: Patience;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly counters: DnsCounters;
  /** What a server did, for whoever decides whom to ask first. */
  readonly onServer: (server: HostPort, isAnswering: boolean) => void;
  /** Undefined: nobody has answered. */
  readonly onEnd: (answer: UpstreamAnswer | undefined) => void;
}

/** Each server is asked twice: what was lost on the way may arrive the second time. */
const rounds = 2;

export class UpstreamQuestion {
  readonly #options: QuestionOptions;
  readonly #waiting: HostPort[];
  /** Calls off what is under way: exchanges and timers. */
  readonly #underWay = new Set<() => void>();
  #exchanges = 0;
  #callOffAttempt: (() => void) | undefined;
  /** Of a server that could not say: passed on when no other says more. */
  #poorAnswer: UpstreamAnswer | undefined;
  #isOver = false;

  constructor(options: QuestionOptions) {
    this.#options = options;
    this.#waiting = Array.from({ length: rounds }, () => options.servers).flat();
  }

  start(): void {
    this.#underWay.add(this.#options.clock.after(this.#options.patience.wholeMs, () => this.#end(this.#poorAnswer)));
    this.#askNext();
  }

  /** Ends without an answer. */
  close(): void {
    this.#end(undefined);
  }

  #askNext(): void {
    this.#callOffAttempt?.();
    const server = this.#waiting.shift();
    if (server === undefined) {
      if (this.#exchanges === 0) this.#end(this.#poorAnswer);
      return;
    }
    this.#callOffAttempt = this.#options.clock.after(this.#options.patience.attemptMs, () => {
      this.#failed(server);
      this.#askNext();
    });
    this.#ask(server, askOverUdp, true);
  }

  #ask(server: HostPort, over: (exchange: Exchange) => () => void, hasEdns: boolean): void {
    const { wanted, randomBytes, counters } = this.#options;
    const isOverTcp = over === askOverTcp;
    if (isOverTcp) counters.upstreamOverTcp++;
    this.#exchanges++;
    const isDone = () => {
      this.#underWay.delete(callOff);
      this.#exchanges--;
    };
    const callOff = over({
      server,
      query: writeUpstreamQuery(wanted, randomBytes, hasEdns),
      questionBytes: wanted.question.length,
      onStranger: () => counters.strangers++,
      onFailure: () => {
        isDone();
        this.#failed(server);
        this.#askNext();
      },
      onAnswer: (bytes, kind) => {
        isDone();
        if (this.#isOver) return;
        const code = bytes.readUInt16BE(2) & 0xf;
        const isUnread = code === responseCode.FORMERR || code === responseCode.NOTIMP;
        if (isUnread && hasEdns) return this.#ask(server, over, false);
        // Over TCP nobody answers who was not asked.
        if (kind === 'other-case' && !isOverTcp) return this.#ask(server, askOverTcp, hasEdns);
        const isTruncated = (bytes.readUInt16BE(2) & flag.TC) !== 0;
        if (isTruncated && !isOverTcp) return this.#ask(server, askOverTcp, hasEdns);
        this.#take(server, kind === 'without-question' ? undefined : readUpstreamAnswer(bytes, wanted.type));
      },
    });
    this.#underWay.add(callOff);
  }

  #take(server: HostPort, answer: UpstreamAnswer | undefined): void {
    if (answer?.code === responseCode.NOERROR || answer?.code === responseCode.NXDOMAIN) {
      this.#options.onServer(server, true);
      return this.#end(answer);
    }
    // It may know other names; only who is silent is asked last from now on.
    this.#poorAnswer ??= answer;
    this.#options.counters.upstreamFailures++;
    // It has said what it can; it would say the same again.
    const others = this.#waiting.filter((other) => other !== server);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    this.#askNext();
  }

  #failed(server: HostPort): void {
    if (this.#isOver) return;
    this.#options.counters.upstreamFailures++;
    this.#options.onServer(server, false);
  }

  #end(answer: UpstreamAnswer | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callOffAttempt?.();
    this.#waiting.length = 0;
    for (const callOff of this.#underWay) callOff();
    this.#options.onEnd(answer);
  }
}
