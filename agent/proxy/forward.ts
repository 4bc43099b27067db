/**
 * Passes one request on to an instance and its answer back. Knows no HTTP engine, no cluster and no rule: whom to ask, and
 * for how long, is its caller's decision.
 *
 * One instance is asked after another only where nothing can have been carried out: no connection came about, or an agent
 * said that it is someone else (421) or that its application takes no connections (503), or a kept connection turned out
 * closed and the request may be repeated. That is no retry; retries are for answers that are bad.
 */
import { pipeline, type Readable, type Writable } from 'node:stream';
import type { Clock } from '../../process/clock.ts';
import { formatHostPort } from '../../process/host-port.ts';
import type { Load } from '../balance/balancer.ts';
import type { HttpClient, UpstreamCall, UpstreamOutcome } from '../http1/http-client.ts';
import type { Exchange } from '../http1/http-server.ts';
import {
  endToEndFields,
  fieldValue,
  type HeaderFields,
  type RequestHead,
  type ResponseHead,
} from '../http1/message.ts';
import { type Ending, isReason, type Reason, reasonHeader, reasons, refuse } from './local-answer.ts';
import { RequestBody } from './request-body.ts';
import type { Attempt, Statistics } from './statistics.ts';

/** Who can be asked. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** Whom the request names as the one it is meant for; '' when it names nobody. */
  readonly identity: string;
  readonly load: Load;
}

export interface Plan<T extends Target> {
  /** The next to ask, none of `tried`; undefined when there is none. */
  readonly nextTarget: (tried: readonly T[]) => T | undefined;
  readonly headFor: (target: T) => RequestHead;
  /** From the headers of the upstream's answer, without those of its connection, to those that the client gets. */
  readonly answerFields: (fields: HeaderFields) => HeaderFields;
  readonly connectTimeoutMs: number;
  /** Until the last byte of the answer; 0 is no limit. */
  readonly timeoutMs: number;
  /** What is asked, as sentences call it: `reviews.default|http|v1`. */
  readonly upstream: string;
}

/** For a plan with one target. */
export function only<T extends Target>(target: T): Plan<T>['nextTarget'] {
  return (tried) => (tried.length === 0 ? target : undefined);
}

export interface ForwardContext {
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly statistics: Statistics;
}

/** Resolves when the request has ended, whichever way; it has been answered then, or its connection broken off. */
export function forward<T extends Target>(exchange: Exchange, plan: Plan<T>, context: ForwardContext): Promise<Ending> {
  return new Forwarding(exchange, plan, context).run();
}

class Forwarding<T extends Target> {
  readonly #exchange: Exchange;
  readonly #plan: Plan<T>;
  readonly #context: ForwardContext;
  readonly #body: RequestBody;
  readonly #tried: T[] = [];
  #call: UpstreamCall | undefined;
  /** Why the last target that was tried did not take the request. */
  #lastFault = '';
  /** Set when the request is to end, whatever the upstream does. */
  #stopped: 'timeout' | 'client-gone' | undefined;

  constructor(exchange: Exchange, plan: Plan<T>, context: ForwardContext) {
    this.#exchange = exchange;
    this.#plan = plan;
    this.#context = context;
    this.#body = new RequestBody(exchange.body);
  }

  async run(): Promise<Ending> {
    const { timeoutMs } = this.#plan;
    const callOff = timeoutMs > 0 ? this.#context.clock.after(timeoutMs, () => this.#stop('timeout')) : undefined;
    this.#exchange.onGone(() => this.#stop('client-gone'));
    try {
      return await this.#askInTurn();
    } catch (fault) {
      // An answer that cannot be passed on, or a fault of ours: nobody reads what the upstream sends.
      this.#call?.abort();
      throw fault;
    } finally {
      callOff?.();
      this.#body.discardRest();
    }
  }

  async #askInTurn(): Promise<Ending> {
    const { nextTarget, upstream } = this.#plan;
    for (;;) {
      const target = nextTarget(this.#tried);
      if (target === undefined) break;
      const ending = await this.#ask(target);
      if (ending !== 'ask another') return ending;
      this.#tried.push(target);
    }
    if (this.#tried.length === 0) {
      return this.#refuse('no-healthy-instance', `${upstream} has no instance that takes requests`);
    }
    return this.#refuse('upstream-connect-failure', `${upstream} cannot be reached: ${this.#lastFault}`);
  }

  async #ask(target: T): Promise<Ending | 'ask another'> {
    target.load.active++;
    try {
      let outcome = await this.#send(target, 'any');
      if (outcome.is === 'lost' && outcome.stale && this.#mayRepeat()) {
        this.#context.statistics.countAttempt('stale-connection');
        outcome = await this.#send(target, 'fresh');
      }
      return await this.#conclude(outcome, target);
    } finally {
      target.load.active--;
    }
  }

  async #send(target: T, connection: 'any' | 'fresh'): Promise<UpstreamOutcome> {
    if (this.#stopped !== undefined) return { is: 'aborted' };
    this.#call = this.#context.client.send({
      address: target.address,
      port: target.port,
      head: this.#plan.headFor(target),
      sendBody: (into) => this.#body.sendTo(into),
      connectTimeoutMs: this.#plan.connectTimeoutMs,
      connection,
    });
    const outcome = await this.#call.outcome;
    if (outcome.is !== 'answered') this.#body.detach();
    return outcome;
  }

  async #conclude(outcome: UpstreamOutcome, target: T): Promise<Ending | 'ask another'> {
    if (this.#stopped !== undefined) return this.#endStopped();
    switch (outcome.is) {
      case 'answered': {
        const turnedAway = turnedAwayBy(target, outcome.head);
        if (turnedAway === undefined || !this.#body.canBeSentAgain) return this.#relay(outcome.head, outcome.body);
        this.#body.detach();
        this.#call?.abort();
        return this.#askAnother(turnedAway.attempt, `${addressOf(target)}${turnedAway.fault}`);
      }
      case 'unreachable':
        return this.#askAnother('unreachable', `${addressOf(target)}: ${outcome.detail}`);
      case 'lost':
      case 'aborted': {
        const detail = outcome.is === 'lost' ? outcome.detail : 'aborted';
        return this.#refuse(
          'upstream-reset',
          `${addressOf(target)} ended the connection before it answered: ${detail}`,
        );
      }
    }
  }

  #askAnother(attempt: Attempt, fault: string): 'ask another' {
    this.#context.statistics.countAttempt(attempt);
    this.#lastFault = fault;
    return 'ask another';
  }

  async #relay(head: ResponseHead, body: Readable): Promise<Ending> {
    const sink = this.#exchange.respond({ ...head, fields: this.#plan.answerFields(endToEndFields(head.fields)) });
    const isWhole = await pipe(body, sink);
    // An upstream that answered before it had read everything is not going to.
    if (!this.#body.isComplete) this.#call?.abort();
    if (isWhole) return { is: 'passed', status: head.status };
    return { is: this.#stopped === 'client-gone' ? 'client-gone' : 'broken-off' };
  }

  #stop(cause: 'timeout' | 'client-gone'): void {
    this.#stopped ??= cause;
    this.#call?.abort();
  }

  #endStopped(): Ending {
    if (this.#stopped === 'client-gone') return { is: 'client-gone' };
    const { upstream, timeoutMs } = this.#plan;
    return this.#refuse('timeout', `${upstream} did not answer within ${timeoutMs} ms`);
  }

  #refuse(reason: Reason, sentence: string): Ending {
    return refuse(this.#exchange, { reason, sentence });
  }

  /** RFC 9110, 9.2.2: whether doing it twice is as good as once. Nobody can tell whether it was done at all. */
  #mayRepeat(): boolean {
    return this.#body.canBeSentAgain && idempotent.includes(this.#exchange.head.method);
  }
}

const idempotent: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];

interface TurnedAway {
  readonly attempt: Attempt;
  /** Continues a sentence that begins with the address. */
  readonly fault: string;
}

/** The reasons by which an inbound says that its application saw nothing of the request. */
const turnedAway: { readonly [Of in Reason]?: TurnedAway } = {
  'wrong-instance': { attempt: 'wrong-instance', fault: ' is another instance now' },
  'upstream-connect-failure': { attempt: 'app-unreachable', fault: ': its application takes no connections' },
};

/**
 * The word of an agent, not of an application: inbounds take the reason header off what applications answer, and an
 * instance without identity has no inbound.
 */
function turnedAwayBy({ identity }: Target, { status, fields }: ResponseHead): TurnedAway | undefined {
  const reason = fieldValue(fields, reasonHeader);
  if (identity === '' || reason === undefined || !isReason(reason)) return undefined;
  return status === reasons[reason].status ? turnedAway[reason] : undefined;
}

/** Whether all of it arrived; on any error both ends are broken off. */
function pipe(from: Readable, to: Writable): Promise<boolean> {
  return new Promise((resolve) => pipeline(from, to, (error) => resolve(!error)));
}

function addressOf({ address, port }: Target): string {
  return formatHostPort({ host: address, port });
}
