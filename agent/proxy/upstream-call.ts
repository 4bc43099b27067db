/**
 * The upstream side of a request: one instance is asked, and another one where nothing can have been carried out (no
 * connection came about; an agent said that it is someone else, or that its application takes no connections; a kept
 * connection turned out closed and the request may be repeated). That is no retry; retries are for what a rule asks to be
 * tried again. Used for one request after another.
 */

import type { RetryPolicy } from '../../routing/retry-policy.ts';
import type { BodyReader } from '../http1/body-reader.ts';
import { Deadline } from '../http1/deadlines.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { Asked, ResponseHead } from '../http1/response-head.ts';
import type { Transport } from '../http1/transport.ts';
import type { Loss, ResponseHandler, UpstreamConnection } from '../http1/upstream-connection.ts';
import type { ConnectionWaiter, UpstreamPool } from '../http1/upstream-pool.ts';
import type { RequestOutcome } from '../resilience/outlier-detection.ts';
import type { TryOutcome } from '../resilience/retry.ts';
import type { Attempt } from '../telemetry/route-counters.ts';
import type { CallContext, Caller } from './caller.ts';
import { ChosenTarget } from './chosen-target.ts';
import type { Destination, Target } from './destination.ts';
import type { Reason } from './local-answer.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import type { TargetPool } from './pools.ts';
import { RetryTurns } from './retry-turns.ts';
import { noHealthyInstance, tooManyWaiting } from './route-refusals.ts';
import { turnedAwayBy, wasResetBehind } from './turned-away.ts';

/** How a try came to nothing. */
interface Failure {
  readonly reason: Reason;
  readonly sentence: string;
  /** The request, or some of it: nobody knows what was made of it. */
  readonly wasSent: boolean;
}

export class UpstreamCall implements ResponseHandler, ConnectionWaiter {
  readonly out = new OutgoingRequest();
  readonly #caller: Caller;
  readonly #context: CallContext;
  readonly #chosen: ChosenTarget;
  readonly #retries: RetryTurns;
  readonly #tryTimeout = new Deadline(() => this.#guarded(() => this.#onTryTimeUp()));
  #destination: Destination | undefined;
  #method = '';
  #asked: Asked = 'other';
  #isForHttp10 = false;
  #isBodyComplete = false;
  #targetPool: TargetPool | undefined;
  #upstream: UpstreamConnection | undefined;
  /** Why the last try came to nothing; what the caller is told when nobody is left. */
  #failure: Failure | undefined;
  #isAnswered = false;
  /** The answer is thrown away; what comes after it. */
  #insteadOfAnswer: (() => void) | undefined;
  /** For a connection; counts among what may wait. */
  #isWaiting = false;
  /** When it began to wait for a connection; -1: there was one. */
  #waitsSinceMs = -1;
  /** Roughly. */
  #sentAtMs = 0;
  #attempts = 0;
  #connectMs = -1;

  constructor(caller: Caller, context: CallContext) {
    this.#caller = caller;
    this.#context = context;
    this.#chosen = new ChosenTarget(context);
    this.#retries = new RetryTurns(context);
  }

  /** Where the answer comes from; undefined when none is coming. */
  get transport(): Transport | undefined {
    return this.#upstream?.transport;
  }

  /** Who was asked last. */
  get lastTarget(): Target | undefined {
    return this.#chosen.last;
  }

  /** How often somebody was asked. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long the last of them was waited for, until there was a connection to him: 0 for a kept one, -1 without one. */
  get connectMs(): number {
    return this.#connectMs;
  }

  /** A new request. Its head, but for its end, is written to `out` before `start`. */
  begin(head: RequestHead, destination: Destination, retry: RetryPolicy | undefined, sourceAddress: string): void {
    this.out.begin();
    this.#destination = destination;
    this.#chosen.begin(destination, destination.hashOf(head, sourceAddress));
    this.#retries.begin(retry, destination.breaker);
    this.#method = head.method;
    this.#asked = head.method === 'HEAD' || head.method === 'CONNECT' ? head.method : 'other';
    this.#isForHttp10 = head.minorVersion === 0;
    this.#isBodyComplete = false;
    this.#failure = undefined;
    this.#isAnswered = false;
    this.#attempts = 0;
    this.#connectMs = -1;
  }

  /** The head is written; asks the first instance. `body`: what there is of the body. */
  start(body: Buffer, from: number, to: number, isComplete: boolean): void {
    this.#isBodyComplete = isComplete;
    if (!this.#choose(false)) return this.#giveUp();
    this.out.endHead(this.#targetPool?.headEnd ?? nothing);
    this.out.hold(body, from, to);
    this.#connect();
  }

  /** The request is over, and nobody will look at what was sent any more. */
  end(): void {
    this.out.end();
  }

  /** More of the body. `source`: where the bytes were read. */
  sendBody(source: Transport, bytes: Buffer, body: BodyReader): void {
    const { from, to, trailers, isDone } = body;
    const upstream = this.#upstream;
    if (upstream === undefined) {
      this.out.hold(bytes, from, to);
      if (trailers !== undefined) this.out.hold(trailers, 0, trailers.length);
    } else {
      upstream.transport.relay(source, bytes, from, to);
      this.out.keep(bytes, from, to);
      if (trailers !== undefined) {
        upstream.transport.write(trailers, 0, trailers.length);
        this.out.keep(trailers, 0, trailers.length);
      }
    }
    if (!isDone) return;
    this.#isBodyComplete = true;
    if (upstream !== undefined) this.#requestIsOut(upstream);
  }

  /** Whether no more of the body should come now; `onReadyForBody` says when it may again. */
  get isClogged(): boolean {
    return this.#upstream === undefined || this.#upstream.transport.isClogged;
  }

  /** Ends it, whatever state it is in; the caller hears nothing more. */
  abort(): void {
    this.#targetPool?.pool.cancel(this);
    this.#drop();
  }

  /** The client's side of the tunnel is closed. `finish`: both sides have ended; `reset`: it went without an end. */
  endTunnel(how: 'finish' | 'abort' | 'reset'): void {
    const upstream = this.#upstream;
    this.#release();
    upstream?.[how]();
  }

  /** As `abort`, because the time of the request is up. As in Envoy, that counts against an instance that owes an answer. */
  timeUp(): void {
    if (this.#upstream !== undefined && this.#isBodyComplete && !this.#isAnswered) this.#chosen.report('local');
    this.abort();
  }

  /** Everything goes both ways as it comes from now on. */
  startTunnel(): void {
    this.#tryTimeout.clear();
    this.#upstream?.startTunnel();
  }

  // What pool and connection say.

  onConnection(connection: UpstreamConnection): boolean {
    try {
      return this.#take(connection);
    } catch (error) {
      connection.abort();
      this.#caller.onFault(error);
      return true;
    }
  }

  onUnreachable(detail: string): void {
    this.#guarded(() => {
      this.#noteUnreachable(`${this.#chosen.address}: ${detail}`);
      this.#chosen.report('local');
      this.#release();
      if (this.#mayRetry('connect-failure')) return this.#retryLater();
      this.#askAnother('unreachable');
    });
  }

  onResponse(head: ResponseHead, body: BodyReader): void {
    try {
      this.#judge(head, body);
    } catch (error) {
      this.#caller.onFault(error);
    }
  }

  onResponseBody(bytes: Buffer, body: BodyReader): void {
    this.#caller.onAnswerBody(bytes, body);
  }

  onReleased(): void {
    this.#release();
  }

  onResponseEnd(): void {
    const instead = this.#insteadOfAnswer;
    if (instead === undefined) return this.#caller.onAnswerEnd();
    this.#insteadOfAnswer = undefined;
    this.#guarded(instead);
  }

  onLost(loss: Loss): void {
    this.#guarded(() => this.#endLost(loss));
  }

  onUpstreamDrain(): void {
    this.#caller.onReadyForBody();
  }

  onTunnelBack(bytes: Buffer, from: number, to: number): void {
    this.#caller.onTunnelBack(bytes, from, to);
  }

  onTunnelBackEnd(): void {
    this.#caller.onTunnelBackEnd();
  }

  // What becomes of a try.

  #judge(head: ResponseHead, body: BodyReader): void {
    if (head.isInterim) return this.#caller.onAnswer(head, body);
    this.#tryTimeout.clear();
    const { target } = this.#chosen;
    const turnedAway = target === undefined ? undefined : turnedAwayBy(target, head);
    if (turnedAway !== undefined && this.out.isWhole) {
      this.#noteUnreachable(`${this.#chosen.address}${turnedAway.fault}`);
      if (turnedAway.attempt === 'app-unreachable') this.#chosen.report('local');
      return this.#discard(body, () => this.#askAnother(turnedAway.attempt));
    }
    const wasReset = target !== undefined && wasResetBehind(target, head);
    this.#chosen.report(wasReset ? 'local' : outcomeOf(head.status));
    if (this.#mayRetry(wasReset ? 'reset' : head.status, head.status)) {
      const sentence = `${this.#chosen.address} answered ${head.status}, and nobody is left to be asked again`;
      this.#note({ reason: 'no-healthy-instance', sentence, wasSent: true });
      return this.#discard(body, () => this.#retryLater());
    }
    this.#isAnswered = true;
    this.#caller.onAnswer(head, body);
  }

  #endLost(loss: Loss): void {
    const { is, detail } = loss;
    const { address } = this.#chosen;
    if (this.#isAnswered) {
      this.#release();
      return this.#caller.onAnswerLost(loss);
    }
    this.#note(
      is === 'malformed'
        ? {
            reason: 'upstream-malformed',
            sentence: `${address} sent what is no HTTP/1.1 response: ${detail}`,
            wasSent: true,
          }
        : {
            reason: 'upstream-reset',
            sentence: `${address} ended the connection before it answered: ${detail}`,
            wasSent: true,
          },
    );
    if (is === 'stale' && this.#maySendAgain) return this.#sendAgain();
    this.#chosen.report('local');
    this.#release();
    if (this.#mayRetry('reset')) return this.#retryLater();
    this.#giveUp();
  }

  #onTryTimeUp(): void {
    const limit = `${this.#retries.perTryTimeoutMs} ms, the perTryTimeout of ${this.#caller.ruleTitle}`;
    const sentence = `${this.#chosen.address} did not answer within ${limit}`;
    this.#note({ reason: 'timeout', sentence, wasSent: true });
    this.#chosen.report('local');
    this.#drop();
    if (this.#mayRetry('reset')) return this.#retryLater();
    this.#giveUp();
  }

  #noteUnreachable(fault: string): void {
    const sentence = `${this.#destination?.title} cannot be reached: ${fault}`;
    this.#note({ reason: 'upstream-connect-failure', sentence, wasSent: false });
  }

  /** Once an instance may have carried out the request, that nobody else could be reached is no reason to say that none has. */
  #note(failure: Failure): void {
    if (failure.wasSent || this.#failure?.wasSent !== true) this.#failure = failure;
  }

  // From one instance to the next.

  /** Whether there is somebody to ask. */
  #choose(orAgain: boolean): boolean {
    const destination = this.#destination;
    const target = this.#chosen.choose(orAgain);
    if (destination === undefined || target === undefined) return false;
    const { pools } = this.#context;
    const isTunnel = this.#asked === 'CONNECT';
    this.#targetPool = isTunnel ? pools.separate(target, destination) : pools.of(target, destination);
    return true;
  }

  /** There is no answer: nobody is left who could be asked, or may be. */
  #giveUp(): void {
    const destination = this.#destination;
    this.#release();
    if (destination === undefined) return;
    const { reason, sentence } = this.#failure ?? noHealthyInstance(destination);
    this.#caller.onNoAnswer(reason, sentence);
  }

  #connect(): void {
    const destination = this.#destination;
    if (destination === undefined) return;
    this.#attempts++;
    this.#connectMs = -1;
    this.#waitsSinceMs = -1;
    const pool = this.#targetPool?.pool;
    const result = pool?.acquire(this, destination);
    if (pool === undefined || result === undefined) return;
    if (result === 'waiting') return this.#wait(pool);
    if (result === 'overflow') return this.#overflow('too many requests wait for a connection');
    if (!this.onConnection(result)) pool.onFree(result);
  }

  #wait(pool: UpstreamPool): void {
    this.#isWaiting = this.#context.clientLimits.tryAcquirePending();
    if (this.#isWaiting) this.#waitsSinceMs = this.#context.clock.elapsed();
    else {
      pool.cancel(this);
      this.#overflow(tooManyWaiting);
    }
  }

  #waitNoLonger(): void {
    if (this.#isWaiting) this.#context.clientLimits.releasePending();
    this.#isWaiting = false;
  }

  #take(connection: UpstreamConnection): boolean {
    this.#waitNoLonger();
    if (this.#destination?.breaker.tryAcquireRequest() === false) {
      this.#overflow('too many requests are under way');
      return false;
    }
    // First: it goes with the count.
    this.#upstream = connection;
    this.#connectMs = this.#waitsSinceMs < 0 ? 0 : this.#context.clock.elapsed() - this.#waitsSinceMs;
    this.#sentAtMs = this.#context.deadlines.roughlyNowMs;
    connection.begin(this, this.#asked, this.#isForHttp10);
    if (this.#asked === 'CONNECT') {
      this.#isAnswered = true;
      this.#caller.onConnected();
      return true;
    }
    const { writer } = this.out;
    connection.transport.writeWhole(writer.written);
    if (this.#isBodyComplete) this.#requestIsOut(connection);
    else if (!connection.transport.isClogged) this.#caller.onReadyForBody();
    return true;
  }

  /** As in Envoy, the time of a try begins here: a slow client is not the instance's fault. */
  #requestIsOut(connection: UpstreamConnection): void {
    connection.requestIsComplete();
    const { perTryTimeoutMs } = this.#retries;
    if (perTryTimeoutMs > 0 && !this.#isAnswered) this.#context.deadlines.set(this.#tryTimeout, perTryTimeoutMs);
  }

  /** Whether the rule wants one more try after either, everything of the request is there for it, and it is not one too many. */
  #mayRetry(outcome: TryOutcome, other = outcome): boolean {
    const retries = this.#retries;
    return this.out.isWhole && (retries.wants(outcome) || retries.wants(other)) && retries.tryAcquire();
  }

  /** After a pause, another instance; the same again when there is no other. */
  #retryLater(): void {
    this.#retries.follow(() => this.#guarded(() => this.#askNext('retry', true)));
  }

  #askAnother(attempt: Attempt): void {
    this.#askNext(attempt, false);
  }

  #askNext(attempt: Attempt, orAgain: boolean): void {
    if (!this.#choose(orAgain)) return this.#giveUp();
    // Only now: when nobody else is there, nothing is tried again.
    this.#count(attempt);
    this.out.endHead(this.#targetPool?.headEnd ?? nothing);
    this.#connect();
  }

  /** Its connection was closed as the request was on its way: nobody has read it, or nobody can tell and it does not matter. */
  get #maySendAgain(): boolean {
    const sinceMs = this.#context.deadlines.roughlyNowMs - this.#sentAtMs;
    return this.out.isWhole && idempotent.has(this.#method) && sinceMs <= crossingMs;
  }

  /** To the same instance over a new connection, which cannot be a stale one: so this happens once. */
  #sendAgain(): void {
    this.#count('stale-connection');
    this.#upstream = undefined;
    this.#destination?.breaker.releaseRequest();
    this.#tryTimeout.clear();
    const { target } = this.#chosen;
    if (target === undefined || this.#destination === undefined || this.#targetPool === undefined) return;
    // The others that were kept are probably closed too.
    this.#targetPool.pool.dropIdle();
    const { pool } = this.#context.pools.separate(target, this.#destination);
    this.#targetPool = { ...this.#targetPool, pool };
    this.#connect();
  }

  /** The answer is not for the caller: its connection is kept only if there is nothing more to read. */
  #discard(body: BodyReader, goOn: () => void): void {
    if (body.isDone) {
      this.#insteadOfAnswer = goOn;
      return;
    }
    this.#drop();
    goOn();
  }

  #overflow(why: string): void {
    this.#release();
    this.#caller.onNoAnswer('overflow', `${this.#destination?.title}: ${why}`);
  }

  #count(attempt: Attempt): void {
    this.#caller.onFurtherAttempt(attempt, this.#destination?.name ?? '');
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#caller.onFault(error);
    }
  }

  /** Ends the connection: the answer that comes over it is of no use. */
  #drop(): void {
    const upstream = this.#upstream;
    this.#release();
    upstream?.abort();
  }

  /** Done with the present target, in good or bad. */
  #release(): void {
    this.#tryTimeout.clear();
    this.#retries.stop();
    this.#waitNoLonger();
    if (this.#upstream !== undefined) this.#destination?.breaker.releaseRequest();
    this.#chosen.letGo(!this.#isAnswered);
    this.#targetPool = undefined;
    this.#upstream = undefined;
  }
}

/** RFC 9110, 9.2.2: doing it twice is as good as once. Nobody can tell whether it was done at all. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** The end of a kept connection and a request that meets it cross within a round trip; a later end is an answer of sorts. */
const crossingMs = 1_000;

/** What outlier detection makes of an answer. */
function outcomeOf(status: number): RequestOutcome {
  if (status < 500) return 'success';
  return status >= 502 && status <= 504 ? 'gateway' : '5xx';
}

const nothing = Buffer.alloc(0);
