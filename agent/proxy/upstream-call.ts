/**
 * The upstream side of a request: one instance is asked, and another one where nothing can have been carried out (no
 * connection came about; an agent said that it is someone else, or that its application takes no connections; a kept
 * connection turned out closed and the request may be repeated). That is no retry; retries are for what a rule asks to be
 * tried again. Used for one request after another.
 */

import type { Clock, Random } from '../../process/clock.ts';
import { formatHostPort } from '../../process/host-port.ts';
import type { RetryPolicy } from '../../routing/retry-policy.ts';
import type { BodyReader } from '../http1/body-reader.ts';
import { Deadline } from '../http1/deadlines.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { Asked, ResponseHead } from '../http1/response-head.ts';
import type { SocketContext, Transport } from '../http1/transport.ts';
import type { Loss, ResponseHandler, UpstreamConnection } from '../http1/upstream-connection.ts';
import type { ConnectionWaiter } from '../http1/upstream-pool.ts';
import type { RequestOutcome } from '../resilience/outlier-detection.ts';
import { backoffMs, shouldRetry, type TryOutcome } from '../resilience/retry.ts';
import type { Attempt } from '../telemetry/route-counters.ts';
import type { Statistics } from '../telemetry/statistics.ts';
import type { Destination, Target } from './destination.ts';
import type { Reason } from './local-answer.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import type { Pools, TargetPool } from './pools.ts';
import { noHealthyInstance } from './route-refusals.ts';
import { turnedAwayBy, wasResetBehind } from './turned-away.ts';

/** Whom a call is made for. */
export interface Caller {
  /** The rule that sends the request, as sentences call it. */
  readonly ruleTitle: string;
  /** The head of the answer, interim or final; good until the call returns, like the body behind it. */
  onAnswer(head: ResponseHead, body: BodyReader): void;
  onAnswerBody(bytes: Buffer, body: BodyReader): void;
  onAnswerEnd(): void;
  /** The answer broke off behind its head, or a tunnel is closed. */
  onAnswerLost(loss: Loss): void;
  /** There is no answer, and there will be none. */
  onNoAnswer(reason: Reason, sentence: string): void;
  /** The body can go on: there is a connection, or it has room again. */
  onReadyForBody(): void;
  /** Of CONNECT: there is a connection, and nothing was sent over it. */
  onConnected(): void;
  onTunnelBack(bytes: Buffer, from: number, to: number): void;
  onTunnelBackEnd(): void;
  /** A fault of the agent itself, for whoever caught it could not say whose request it is. */
  onFault(error: unknown): void;
}

export interface CallContext extends SocketContext {
  readonly statistics: Statistics;
  readonly pools: Pools;
  readonly clock: Clock;
  readonly random: Random;
}

const nobody: readonly Target[] = [];

export class UpstreamCall implements ResponseHandler, ConnectionWaiter {
  readonly out = new OutgoingRequest();
  readonly #caller: Caller;
  readonly #context: CallContext;
  readonly #tryTimeout = new Deadline(() => this.#guarded(() => this.#onTryTimeUp()));
  #destination: Destination | undefined;
  #retry: RetryPolicy | undefined;
  #hash: number | undefined;
  #method = '';
  #asked: Asked = 'other';
  #isForHttp10 = false;
  #isBodyComplete = false;
  #target: Target | undefined;
  #targetPool: TargetPool | undefined;
  #upstream: UpstreamConnection | undefined;
  /** Those that did not take the request; made when there is one. */
  #tried: Target[] | undefined;
  /** Why the last of them did not. */
  #lastFault = '';
  #retries = 0;
  /** The present try, or the pause before it, counts as a retry. */
  #isRetry = false;
  #isAnswered = false;
  #callOffPause: (() => void) | undefined;
  /** When it began to wait for a connection; -1: there was one. */
  #waitsSinceMs = -1;
  #lastTarget: Target | undefined;
  #attempts = 0;
  #connectMs = -1;

  constructor(caller: Caller, context: CallContext) {
    this.#caller = caller;
    this.#context = context;
  }

  /** Where the answer comes from; undefined when none is coming. */
  get transport(): Transport | undefined {
    return this.#upstream?.transport;
  }

  /** Who was asked last. */
  get lastTarget(): Target | undefined {
    return this.#lastTarget;
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
    this.#retry = retry;
    this.#hash = destination.hashOf(head, sourceAddress);
    this.#method = head.method;
    this.#asked = head.method === 'HEAD' || head.method === 'CONNECT' ? head.method : 'other';
    this.#isForHttp10 = head.minorVersion === 0;
    this.#isBodyComplete = false;
    this.#tried = undefined;
    this.#lastFault = '';
    this.#retries = 0;
    this.#isAnswered = false;
    this.#lastTarget = undefined;
    this.#attempts = 0;
    this.#connectMs = -1;
  }

  /** The head is written; asks the first instance. `body`: what there is of the body. */
  start(body: Buffer, from: number, to: number, isComplete: boolean): void {
    this.#isBodyComplete = isComplete;
    if (!this.#choose()) return;
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
    const upstream = this.#upstream;
    this.#release();
    upstream?.abort();
  }

  /** The client's side of the tunnel is closed. `finish`: both sides have ended; `reset`: it went without an end. */
  endTunnel(how: 'finish' | 'abort' | 'reset'): void {
    const upstream = this.#upstream;
    this.#release();
    upstream?.[how]();
  }

  /** As `abort`, because the time of the request is up. As in Envoy, that counts against an instance that owes an answer. */
  timeUp(): void {
    if (this.#upstream !== undefined && this.#isBodyComplete && !this.#isAnswered) this.#report('local');
    this.abort();
  }

  /** Everything goes both ways as it comes from now on. */
  startTunnel(): void {
    this.#tryTimeout.clear();
    this.#upstream?.startTunnel();
  }

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
    this.#guarded(() => this.#askInsteadOfUnreachable(detail));
  }

  #take(connection: UpstreamConnection): boolean {
    if (this.#destination?.breaker.tryAcquireRequest() === false) {
      this.#overflow('too many requests are under way');
      return false;
    }
    this.#connectMs = this.#waitsSinceMs < 0 ? 0 : this.#context.clock.elapsed() - this.#waitsSinceMs;
    this.#upstream = connection;
    connection.begin(this, this.#asked, this.#isForHttp10);
    if (this.#asked === 'CONNECT') {
      this.#isAnswered = true;
      this.#caller.onConnected();
      return true;
    }
    const { writer } = this.out;
    connection.transport.write(writer.bytes, 0, writer.length);
    if (this.#isBodyComplete) this.#requestIsOut(connection);
    else if (!connection.transport.isClogged) this.#caller.onReadyForBody();
    return true;
  }

  #askInsteadOfUnreachable(detail: string): void {
    const address = this.#address;
    this.#report('local');
    this.#release();
    if (this.#mayRetry('connect-failure')) return this.#retryLater();
    this.#askAnother('unreachable', `${address}: ${detail}`);
  }

  onResponse(head: ResponseHead, body: BodyReader): void {
    if (head.isInterim) return this.#caller.onAnswer(head, body);
    this.#tryTimeout.clear();
    const turnedAway = this.#target === undefined ? undefined : turnedAwayBy(this.#target, head);
    if (turnedAway !== undefined && this.out.isWhole) {
      const address = this.#address;
      if (turnedAway.attempt === 'app-unreachable') this.#report('local');
      this.#drop();
      return this.#askAnother(turnedAway.attempt, `${address}${turnedAway.fault}`);
    }
    const wasReset = this.#target !== undefined && wasResetBehind(this.#target, head);
    this.#report(wasReset ? 'local' : outcomeOf(head.status));
    if ((wasReset && this.#mayRetry('reset')) || this.#mayRetry(head.status)) {
      this.#drop();
      return this.#retryLater();
    }
    this.#isAnswered = true;
    this.#caller.onAnswer(head, body);
  }

  onResponseBody(bytes: Buffer, body: BodyReader): void {
    this.#caller.onAnswerBody(bytes, body);
  }

  onReleased(): void {
    this.#release();
  }

  onResponseEnd(): void {
    this.#caller.onAnswerEnd();
  }

  onLost(loss: Loss): void {
    const { is, detail } = loss;
    const address = this.#address;
    const pool = this.#targetPool;
    if (this.#isAnswered) {
      this.#release();
      return this.#caller.onAnswerLost(loss);
    }
    if (is === 'stale' && this.out.isWhole && idempotent.has(this.#method)) {
      this.#count('stale-connection');
      this.#upstream = undefined;
      this.#destination?.breaker.releaseRequest();
      this.#tryTimeout.clear();
      // The others that were kept are probably closed too.
      pool?.pool.dropIdle();
      return this.#connect();
    }
    this.#report('local');
    this.#release();
    if (this.#mayRetry('reset')) return this.#retryLater();
    if (is === 'malformed') {
      return this.#caller.onNoAnswer('upstream-malformed', `${address} sent what is no HTTP/1.1 response: ${detail}`);
    }
    this.#caller.onNoAnswer('upstream-reset', `${address} ended the connection before it answered: ${detail}`);
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

  get #address(): string {
    if (this.#target === undefined) return '';
    return formatHostPort({ host: this.#target.address, port: this.#target.port });
  }

  /** As in Envoy, the time of a try begins here: a slow client is not the instance's fault. */
  #requestIsOut(connection: UpstreamConnection): void {
    connection.requestIsComplete();
    const perTryTimeoutMs = this.#retry?.perTryTimeoutMs ?? 0;
    if (perTryTimeoutMs > 0 && !this.#isAnswered) this.#context.deadlines.set(this.#tryTimeout, perTryTimeoutMs);
  }

  /** Whether the rule wants one more try, everything of the request is there for it, and there are not too many already. */
  #mayRetry(outcome: TryOutcome): boolean {
    if (this.#retry === undefined || !this.out.isWhole || !shouldRetry(this.#retry, outcome, this.#retries))
      return false;
    // The try that has just failed makes room for the next.
    this.#releaseRetry();
    return this.#destination?.breaker.tryAcquireRetry() ?? false;
  }

  #releaseRetry(): void {
    if (!this.#isRetry) return;
    this.#isRetry = false;
    this.#destination?.breaker.releaseRetry();
  }

  #report(outcome: RequestOutcome): void {
    const outlier = this.#destination?.outlier;
    if (outlier !== undefined && this.#target !== undefined) {
      outlier.report(this.#target.load, outcome, this.#context.clock.now());
    }
  }

  #count(attempt: Attempt): void {
    this.#context.statistics.countAttempt(attempt, this.#destination?.name ?? '');
  }

  #overflow(why: string): void {
    this.#release();
    this.#caller.onNoAnswer('overflow', `${this.#destination?.title}: ${why}`);
  }

  /** Takes the next target, one that was tried only if `orAgain` and there is no other; without one it answers, and says false. */
  #choose(orAgain = false): boolean {
    const destination = this.#destination;
    if (destination === undefined) return false;
    const { pools, random } = this.#context;
    const target =
      destination.balancer.pick(this.#tried ?? nobody, random, this.#hash) ??
      (orAgain ? destination.balancer.pick(nobody, random, this.#hash) : undefined);
    if (target === undefined) {
      if (this.#tried === undefined) {
        const { reason, sentence } = noHealthyInstance(destination);
        this.#caller.onNoAnswer(reason, sentence);
      } else
        this.#caller.onNoAnswer(
          'upstream-connect-failure',
          `${destination.title} cannot be reached: ${this.#lastFault}`,
        );
      return false;
    }
    this.#target = target;
    this.#lastTarget = target;
    this.#targetPool = this.#asked === 'CONNECT' ? pools.separate(target, destination) : pools.of(target, destination);
    target.load.active++;
    return true;
  }

  #connect(): void {
    const destination = this.#destination;
    if (destination === undefined) return;
    this.#attempts++;
    this.#connectMs = -1;
    this.#waitsSinceMs = -1;
    const pool = this.#targetPool?.pool;
    const result = pool?.acquire(this, destination);
    if (result === 'waiting') this.#waitsSinceMs = this.#context.clock.elapsed();
    if (result === 'waiting' || result === undefined) return;
    if (result === 'overflow') return this.#overflow('too many requests wait for a connection');
    if (!this.onConnection(result)) pool?.onFree(result);
  }

  #askAnother(attempt: Attempt, fault: string): void {
    this.#count(attempt);
    this.#lastFault = fault;
    this.#askNext();
  }

  #askNext(orAgain = false): void {
    if (!this.#choose(orAgain)) return;
    this.out.endHead(this.#targetPool?.headEnd ?? nothing);
    this.#connect();
  }

  /** After a pause, another instance; the same again when there is no other. */
  #retryLater(): void {
    const retry = this.#retry;
    if (retry === undefined) return;
    this.#isRetry = true;
    const pauseMs = backoffMs(retry, this.#retries++, this.#context.random);
    this.#count('retry');
    this.#callOffPause = this.#context.clock.after(pauseMs, () => {
      this.#callOffPause = undefined;
      this.#guarded(() => this.#askNext(true));
    });
  }

  #onTryTimeUp(): void {
    const address = this.#address;
    this.#report('local');
    this.#drop();
    if (this.#mayRetry('reset')) return this.#retryLater();
    const limit = `${this.#retry?.perTryTimeoutMs} ms, the perTryTimeout of ${this.#caller.ruleTitle}`;
    this.#caller.onNoAnswer('timeout', `${address} did not answer within ${limit}`);
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

  /** Done with the present target, in good or bad; remembers it as tried. */
  #release(): void {
    this.#tryTimeout.clear();
    this.#callOffPause?.();
    this.#callOffPause = undefined;
    this.#releaseRetry();
    if (this.#upstream !== undefined) this.#destination?.breaker.releaseRequest();
    if (this.#target !== undefined) {
      this.#target.load.active--;
      if (!this.#isAnswered) {
        this.#tried ??= [];
        this.#tried.push(this.#target);
      }
    }
    this.#target = undefined;
    this.#targetPool = undefined;
    this.#upstream = undefined;
  }
}

/** RFC 9110, 9.2.2: doing it twice is as good as once. Nobody can tell whether it was done at all. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** What outlier detection makes of an answer. */
function outcomeOf(status: number): RequestOutcome {
  if (status < 500) return 'success';
  return status >= 502 && status <= 504 ? 'gateway' : '5xx';
}

const nothing = Buffer.alloc(0);
