/**
 * One connection to a TCP service: an instance is chosen when the connection comes, another one where none can be
 * established, and from then on bytes go both ways as they are.
 *
 * On a port that nobody has declared, the client may turn out to speak HTTP: then it is handed over, and the instance was
 * chosen for nothing. It has to be chosen at once all the same, for the service may be the one that speaks first.
 */
import type { RouteRequest } from '../../routing/request.ts';
import type { Accepted } from '../http1/connection-listener.ts';
import { Deadline } from '../http1/deadlines.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type SocketUser, Transport } from '../http1/transport.ts';
import type { Describable } from '../telemetry/access-log.ts';
import type { Ending } from '../telemetry/counter.ts';
import type { JsonLine } from '../telemetry/json-line.ts';
import { RequestFacts, type RoutedBy } from '../telemetry/request-facts.ts';
import type { RequestWatch } from '../telemetry/request-watch.ts';
import type { CallContext } from './caller.ts';
import type { Destination, Target } from './destination.ts';
import { guessProtocol } from './protocol-guess.ts';
import { describeConnection } from './request-description.ts';
import { Tunnel } from './tunnel.ts';

/** What sent a connection to its destination. */
export interface ConnectionRoute {
  /** `reviews.default`. */
  readonly service: string;
  readonly revision: number;
  readonly decision: RoutedBy;
}

export interface TcpExchangeOptions {
  readonly destination: Destination;
  /** Undefined: no rule chose the destination. */
  readonly by: ConnectionRoute | undefined;
  /** Nothing went through for so long: the connection is over. */
  readonly idleTimeoutMs: number;
  readonly context: CallContext & { readonly watch: RequestWatch };
  readonly onUnreachable: (() => void) | undefined;
  /** The port is not declared: takes over a client that speaks HTTP, with what it has said so far. */
  readonly onHttp?: (client: Transport, bytes: Buffer) => Accepted;
  readonly onClosed: (connection: Accepted) => void;
}

/** What there is to match on a connection: nothing. */
export const anyConnection: RouteRequest = { method: '', path: '', query: '', header: () => undefined };

const nothing = Buffer.alloc(0);
/** How long a client on a port that nobody has declared may say nothing when there is nobody to connect it to. */
const silenceMs = 1_000;

export class TcpExchange implements Accepted, SocketUser, Describable {
  readonly #options: TcpExchangeOptions;
  readonly #client: Transport;
  readonly #facts = new RequestFacts();
  readonly #tried: Target[] = [];
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  readonly #hash: number | undefined;
  #target: Target | undefined;
  #lastTarget: Target | undefined;
  #attempts = 0;
  #askedAtMs = 0;
  #connectMs = -1;
  /** How the connection to the last of them ended; '' when it did in order, or has not. */
  #lastFault = '';
  #upstream: Transport | undefined;
  #tunnel: Tunnel | undefined;
  /** What had gone through when it was last asked whether anything did. */
  #bytesBefore = 0;
  #clientHasEnded = false;
  #isOver = false;
  /** What is spoken is not known yet, and this is what the client has said so far; undefined: it is known. */
  #undecided: Buffer | undefined;
  /** What the client said before there was somebody to tell it. */
  #held: Buffer = nothing;
  /** Why there is nobody; told to the client when it is known to speak no HTTP. */
  #refusal: Ending | undefined;
  /** Who serves the client if it speaks HTTP. */
  #successor: Accepted | undefined;

  constructor(handle: SocketHandle, options: TcpExchangeOptions) {
    const { destination, onHttp, context } = options;
    this.#options = options;
    this.#client = Transport.accept(handle, this, context);
    this.#client.readPrivately(true);
    this.#hash = destination.hashOf(anyConnection, this.#client.remoteAddress);
    if (onHttp !== undefined) this.#undecided = nothing;
    else {
      this.#count();
      // Until there is somebody to send them to, the client keeps its bytes.
      this.#client.pause();
    }
    this.#askNext();
  }

  /** A connection knows no requests after which it could end: it lives until it ends by itself. */
  drain(): void {
    this.#successor?.drain();
  }

  destroy(): void {
    this.#client.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#undecided !== undefined) return this.#decide(Buffer.concat([this.#undecided, bytes.subarray(from, to)]));
    this.#tunnel?.fromClient(bytes, from, to);
  }

  onEnd(): void {
    this.#clientHasEnded = true;
    if (this.#undecided !== undefined) this.#isTcp(this.#undecided);
    this.#tunnel?.clientEnded();
  }

  onDrain(): void {
    this.#tunnel?.clientDrained();
  }

  onClosed(detail: string): void {
    // An end that was no end in order must not look like one on the other side.
    if (detail !== '') this.#upstream?.reset();
    // What was sent before both sides ended still goes.
    else if (this.#tunnel?.isOver !== true) this.#upstream?.destroy();
    if (this.#undecided !== undefined) this.#count();
    this.#end(this.#tunnel === undefined ? 'client-gone' : 'passed');
    this.#options.onClosed(this);
  }

  describe(line: JsonLine): void {
    describeConnection(line, {
      lastTarget: this.#lastTarget,
      attempts: this.#attempts,
      connectMs: this.#connectMs,
    });
  }

  #count(): void {
    const { by, context } = this.#options;
    context.watch.onBegin(this.#facts, this.#client);
    this.#facts.isTunnel = true;
    if (by === undefined) return;
    this.#facts.service = by.service;
    this.#facts.revision = by.revision;
    context.watch.onRouted(this.#facts, by.decision);
  }

  /** What the client has said first. */
  #decide(bytes: Buffer): void {
    switch (guessProtocol(bytes)) {
      case 'unclear':
        this.#undecided = bytes;
        return;
      case 'other':
        return this.#isTcp(bytes);
      case 'http': {
        // The instance was chosen for nothing.
        this.#isOver = true;
        this.#deadline.clear();
        this.#upstream?.destroy();
        this.#client.readPrivately(false);
        this.#successor = this.#options.onHttp?.(this.#client, bytes);
      }
    }
  }

  #isTcp(bytes: Buffer): void {
    this.#undecided = undefined;
    this.#count();
    if (this.#refusal !== undefined) return this.#refuse(this.#refusal);
    if (this.#tunnel !== undefined) return this.#tunnel.fromClient(bytes, 0, bytes.length);
    this.#held = bytes;
    this.#client.pause();
  }

  #askNext(): void {
    const { destination, context } = this.#options;
    const { random, statistics, deadlines } = context;
    const target = destination.balancer.pick(this.#tried, random, this.#hash);
    if (target === undefined) return this.#giveUp();
    if (!destination.breaker.tryAcquireConnection()) return this.#refuse('overflow');
    target.load.active++;
    this.#target = target;
    this.#lastTarget = target;
    this.#attempts++;
    this.#askedAtMs = context.clock.elapsed();
    let isConnected = false;
    const address = { host: target.address, port: target.port };
    const user = this.#upstreamUser(() => isConnected);
    const upstream: Transport = Transport.dial(address, user, context, () => {
      isConnected = true;
      if (this.#isOver) return upstream.destroy();
      destination.outlier?.report(target.load, 'success', context.clock.now());
      this.#onConnected(upstream);
    });
    this.#upstream = upstream;
    deadlines.set(this.#deadline, destination.connectTimeoutMs);
    if (this.#tried.length > 0) statistics.countAttempt('unreachable', destination.name);
  }

  #upstreamUser(isConnected: () => boolean): SocketUser {
    return {
      onBytes: (bytes, from, to) => {
        // Who speaks first does not speak HTTP.
        if (this.#undecided !== undefined) this.#isTcp(this.#undecided);
        this.#tunnel?.fromUpstream(bytes, from, to);
      },
      onEnd: () => this.#tunnel?.upstreamEnded(),
      onDrain: () => this.#tunnel?.upstreamDrained(),
      onClosed: (detail) => this.#onUpstreamClosed(isConnected(), detail),
    };
  }

  #onConnected(upstream: Transport): void {
    const { clock, deadlines } = this.#options.context;
    this.#connectMs = clock.elapsed() - this.#askedAtMs;
    this.#tunnel = new Tunnel(this.#client, upstream);
    upstream.readPrivately(true);
    deadlines.set(this.#deadline, this.#options.idleTimeoutMs);
    this.#client.resume();
    this.#tunnel.fromClient(this.#held, 0, this.#held.length);
    this.#held = nothing;
    if (this.#clientHasEnded) this.#tunnel.clientEnded();
  }

  #onUpstreamClosed(wasConnected: boolean, detail: string): void {
    const { destination, context } = this.#options;
    const target = this.#target;
    destination.breaker.releaseConnection();
    if (target !== undefined) target.load.active--;
    this.#target = undefined;
    this.#lastFault = detail;
    if (this.#isOver) return;
    if (wasConnected) return detail === '' ? this.#client.end() : this.#client.reset();
    if (target !== undefined) {
      this.#tried.push(target);
      destination.outlier?.report(target.load, 'local', context.clock.now());
    }
    this.#askNext();
  }

  #giveUp(): void {
    if (this.#tried.length === 0) return this.#refuse('no-healthy-instance');
    this.#options.onUnreachable?.();
    this.#refuse('upstream-connect-failure');
  }

  /** There is no way to say why: the client's connection is reset. */
  #refuse(reason: Ending): void {
    if (this.#undecided !== undefined) {
      // A client that speaks HTTP can be told; one that waits for the service to speak is not kept waiting.
      this.#refusal = reason;
      this.#options.context.deadlines.set(this.#deadline, silenceMs);
      return;
    }
    this.#end(reason);
    this.#client.reset();
  }

  #onTimeUp(): void {
    const tunnel = this.#tunnel;
    if (this.#refusal !== undefined && this.#undecided !== undefined) return this.#isTcp(this.#undecided);
    if (tunnel === undefined) return this.#upstream?.destroy();
    const bytes = tunnel.bytesUp + tunnel.bytesDown;
    if (bytes === this.#bytesBefore) return this.#client.destroy();
    this.#bytesBefore = bytes;
    this.#options.context.deadlines.set(this.#deadline, this.#options.idleTimeoutMs);
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.clear();
    this.#facts.detail = this.#lastFault;
    this.#facts.bytesIn = this.#tunnel?.bytesUp ?? 0;
    this.#facts.bytesOut = this.#tunnel?.bytesDown ?? 0;
    this.#options.context.watch.onEnd(this.#facts, ending, this);
  }
}
