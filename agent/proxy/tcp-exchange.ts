/**
 * One connection to a TCP service: an instance is chosen when the connection comes, another one where none can be
 * established, and from then on bytes go both ways as they are.
 */
import type { Socket } from 'node:net';
import type { RouteRequest } from '../../routing/request.ts';
import type { Accepted } from '../http1/connection-listener.ts';
import { Deadline } from '../http1/deadlines.ts';
import { type SocketUser, Transport } from '../http1/transport.ts';
import type { Destination, Target } from './destination.ts';
import type { Counter, Ending } from './statistics.ts';
import { Tunnel } from './tunnel.ts';
import type { CallContext } from './upstream-call.ts';

export interface TcpExchangeOptions {
  readonly destination: Destination;
  /** A rule chose the destination. */
  readonly isRouted: boolean;
  readonly context: CallContext;
  readonly onUnreachable: (() => void) | undefined;
  readonly onClosed: (connection: Accepted) => void;
}

/** What there is to match on a connection: nothing. */
export const anyConnection: RouteRequest = { method: '', path: '', query: '', header: () => undefined };

export class TcpExchange implements Accepted, SocketUser {
  readonly #options: TcpExchangeOptions;
  readonly #client: Transport;
  readonly #cluster: Counter | undefined;
  readonly #tried: Target[] = [];
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  readonly #hash: number | undefined;
  #target: Target | undefined;
  #upstream: Transport | undefined;
  #tunnel: Tunnel | undefined;
  /** What had gone through when it was last asked whether anything did. */
  #bytesBefore = 0;
  #clientHasEnded = false;
  #isOver = false;

  constructor(socket: Socket, options: TcpExchangeOptions) {
    const { destination, isRouted, context } = options;
    this.#options = options;
    context.statistics.total.begin();
    this.#cluster = isRouted ? context.statistics.cluster(destination.name) : undefined;
    this.#cluster?.begin();
    this.#client = Transport.accept(socket, this);
    this.#client.readPrivately(true);
    this.#hash = destination.hashOf(anyConnection, this.#client.remoteAddress);
    // Until there is somebody to send them to, the client keeps its bytes.
    this.#client.pause();
    this.#askNext();
  }

  /** A connection knows no requests after which it could end: it lives until it ends by itself. */
  drain(): void {}

  destroy(): void {
    this.#client.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromClient(bytes, from, to);
  }

  onEnd(): void {
    this.#clientHasEnded = true;
    this.#tunnel?.clientEnded();
  }

  onDrain(): void {
    this.#tunnel?.clientDrained();
  }

  onClosed(detail: string): void {
    // An end that was no end in order must not look like one on the other side.
    if (detail === '') this.#upstream?.destroy();
    else this.#upstream?.reset();
    this.#end(this.#tunnel === undefined ? 'client-gone' : 'passed');
    this.#options.onClosed(this);
  }

  #askNext(): void {
    const { destination, context } = this.#options;
    const { random, statistics, deadlines } = context;
    const target = destination.balancer.pick(this.#tried, random, this.#hash);
    if (target === undefined) return this.#giveUp();
    if (!destination.breaker.tryAcquireConnection()) return this.#refuse('overflow');
    target.load.active++;
    this.#target = target;
    let isConnected = false;
    const upstream: Transport = Transport.dial(
      target.address,
      target.port,
      this.#upstreamUser(() => isConnected),
      () => {
        isConnected = true;
        if (this.#isOver) return upstream.destroy();
        destination.outlier?.report(target.load, 'success', context.clock.now());
        this.#onConnected(upstream);
      },
    );
    this.#upstream = upstream;
    deadlines.set(this.#deadline, destination.connectTimeoutMs);
    if (this.#tried.length > 0) statistics.countAttempt('unreachable');
  }

  #upstreamUser(isConnected: () => boolean): SocketUser {
    return {
      onBytes: (bytes, from, to) => this.#tunnel?.fromUpstream(bytes, from, to),
      onEnd: () => this.#tunnel?.upstreamEnded(),
      onDrain: () => this.#tunnel?.upstreamDrained(),
      onClosed: (detail) => this.#onUpstreamClosed(isConnected(), detail),
    };
  }

  #onConnected(upstream: Transport): void {
    const { deadlines } = this.#options.context;
    this.#tunnel = new Tunnel(this.#client, upstream);
    upstream.readPrivately(true);
    deadlines.set(this.#deadline, this.#options.destination.idleTimeoutMs);
    this.#client.resume();
    if (this.#clientHasEnded) this.#tunnel.clientEnded();
  }

  #onUpstreamClosed(wasConnected: boolean, detail: string): void {
    const { destination, context } = this.#options;
    const target = this.#target;
    destination.breaker.releaseConnection();
    if (target !== undefined) target.load.active--;
    this.#target = undefined;
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
    this.#end(reason);
    this.#client.reset();
  }

  #onTimeUp(): void {
    const tunnel = this.#tunnel;
    if (tunnel === undefined) return this.#upstream?.destroy();
    const bytes = tunnel.bytesUp + tunnel.bytesDown;
    if (bytes === this.#bytesBefore) return this.#client.destroy();
    this.#bytesBefore = bytes;
    this.#options.context.deadlines.set(this.#deadline, this.#options.destination.idleTimeoutMs);
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.clear();
    this.#options.context.statistics.total.end(ending, 0);
    this.#cluster?.end(ending, 0);
  }
}
