/**
 * One connection of a client: requests are read from it one after another, each when the answer to the one before is
 * complete; what comes earlier waits. What a request means and how it is answered is its handler's business.
 */

import { BodyReader } from './body-reader.ts';
import type { Accepted } from './connection-listener.ts';
import { Deadline } from './deadlines.ts';
import { bodyCutShort, fault, headTooSlow } from './fault.ts';
import { incomplete } from './fields.ts';
import { mostHeadBytes } from './head-limits.ts';
import { RequestHead } from './request-head.ts';
import type { SocketHandle } from './socket-handle.ts';
import { type SocketContext, type SocketUser, Transport } from './transport.ts';
import { Unread } from './unread.ts';

/** Serves the requests of one connection, one at a time. */
export interface RequestHandler {
  /**
   * A request has come, and its body as far as `body` says. Head and bytes are good until the call returns. Must lead to
   * `finish` or `abort`, now or later.
   */
  onRequest(head: RequestHead, body: BodyReader): void;
  /** More of its body; the bytes are good until the call returns, but see `Transport.relay`. */
  onBody(bytes: Buffer, body: BodyReader): void;
  /** The body is malformed, or, as `bodyCutShort` says, the client has gone before it was complete: nothing more comes. `bytes`: read with the fault. */
  onBodyBroken(fault: number, bytes: number): void;
  /** The client has gone; nobody reads the answer. `detail` is '' when it went in order. */
  onClientGone(detail: string): void;
  /** The connection is being ended from this side, whatever is under way. Comes in place of `onClientGone`. */
  onCutOff(): void;
  /** All that was written to the client has gone. */
  onClientDrain(): void;
  /**
   * No request: a fault of its head, or `headTooSlow`. `bytes`: so many were read of it, and with it. `head`: its request line could be read, and of the header lines those
   * before the fault; good until the call returns. Must lead to `finish`.
   */
  onUnreadable(fault: number, bytes: number, head: RequestHead | undefined): void;
  /** Bytes of a tunnel; good until the call returns. */
  onTunnelBytes(bytes: Buffer, from: number, to: number): void;
  /** The client sends nothing more into the tunnel. */
  onTunnelEnd(): void;
}

export interface ServerConnectionOptions extends SocketContext {
  /** For a head to arrive, from its first byte. */
  readonly headTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
  readonly createHandler: (connection: ServerConnection) => RequestHandler;
  readonly onClosed: (connection: ServerConnection) => void;
}

/** Requests that were sent before the answer to the one under way wait up to this. */
const mostWaitingBytes = 64 * 1024;
/** What is left of the body of a request that is answered already is read up to this, so that the connection lives on. */
const mostDiscardedBytes = 1024 * 1024;
/** A body of which nothing comes for so long, because its sender or its receiver stands still, comes to an end: Envoy's. */
const stalledBodyMs = 300_000;
/**
 * A client that has closed its side may wait for its answer, or be gone: nothing tells the two apart until bytes are sent.
 * It is taken for gone when it has closed its side and nothing was sent to it for so long.
 */
const halfClosedMs = 5_000;
/**
 * How long a client may take to close its side when the last answer is on its way: ending the connection earlier could lose
 * what of it has not been read.
 */
const lingerMs = 2_000;

type State =
  | 'between requests'
  /** Some of a head is there. */
  | 'head'
  /** A request is served. */
  | 'serving'
  /** It has been answered, but not been read to its end. */
  | 'discarding'
  | 'tunnel'
  /** The last answer is written; what comes is thrown away. */
  | 'closing'
  | 'closed';

/** One for all connections: a head is parsed and used within one call. */
const head = new RequestHead();

export class ServerConnection implements Accepted, SocketUser {
  readonly transport: Transport;
  readonly #options: ServerConnectionOptions;
  readonly #handler: RequestHandler;
  readonly #body = new BodyReader();
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  #state: State = 'between requests';
  /** The beginning of a head, or requests that came too early. */
  readonly #unread = new Unread();
  #discarded = 0;
  /** The deadline is for the body of the present request, of which there were so many bytes when it was last looked at. */
  #isBodyWatched = false;
  #receivedBefore = 0;
  /** Bytes sent when a client that has closed its side was last looked at. */
  #sentBefore = 0;
  #hasEnded = false;
  #isDraining = false;
  #keepsAlive = false;
  /** Bytes of the present read are being gone through, so `finish` need not. */
  #isReading = false;
  /** Some of them are beyond the present request. */
  #hasMore = false;

  /** `client`: a connection that has just come, or one that somebody else has read so far. */
  constructor(client: SocketHandle | Transport, options: ServerConnectionOptions) {
    this.#options = options;
    this.#handler = options.createHandler(this);
    if (client instanceof Transport) client.passTo(this);
    this.transport = client instanceof Transport ? client : Transport.accept(client, this, options);
    options.deadlines.setRoughly(this.#deadline, options.idleTimeoutMs);
  }

  /** The other side's IP address; '' once it has gone. */
  get remoteAddress(): string {
    return this.transport.remoteAddress;
  }

  /** Whether the connection could be used again after the present request. */
  get mayKeepAlive(): boolean {
    return this.#keepsAlive && !this.#isDraining && (!this.#hasEnded || !this.#unread.isEmpty || this.#hasMore);
  }

  get isBodyComplete(): boolean {
    return this.#body.isDone;
  }

  /** The answer is complete. `keepAlive`: as the client was told. */
  finish(keepAlive: boolean): void {
    if (this.#state === 'closed') return;
    this.transport.readPrivately(false);
    if (!keepAlive || !this.mayKeepAlive) return this.#close();
    if (this.#body.isDone) this.#awaitRequest();
    else {
      this.#state = 'discarding';
      this.#discarded = 0;
      this.#options.deadlines.setRoughly(this.#deadline, this.#options.idleTimeoutMs);
    }
    // A client that does not read its answers gets no more of them to leave unread.
    if (this.transport.isClogged) return this.transport.pause();
    this.transport.resume();
    if (!this.#isReading) this.#readWaiting();
  }

  /**
   * Breaks off. The client can tell that its answer is not whole by its framing; one that takes the end of the connection
   * for the end of the answer has to be told by a `reset`, which may cost it what it has not read yet.
   */
  abort(how: 'close' | 'reset'): void {
    if (this.#state !== 'closed') this.#state = 'closing';
    if (how === 'reset') this.transport.reset();
    else this.transport.destroy();
  }

  /** Bytes go both ways as they come from now on: those that wait already come at once. */
  startTunnel(): void {
    this.#state = 'tunnel';
    this.#deadline.clear();
    this.transport.readPrivately(true);
    if (!this.#isReading) this.#readWaiting();
  }

  retire(): void {
    this.#isDraining = true;
  }

  /** Takes no further request: ends when the present one is answered, at once when there is none. */
  drain(): void {
    this.#isDraining = true;
    if (this.#state === 'between requests' || this.#state === 'discarding') this.#endInOrder();
  }

  destroy(): void {
    const wasServing = this.#isServing;
    if (this.#state !== 'closed') this.#state = 'closing';
    if (wasServing) this.#handler.onCutOff();
    this.transport.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#unread.isEmpty) return this.#read(bytes, from, to);
    this.#wait(bytes, from, to);
    if (this.#state === 'head' && this.#unread.isWorthALook(bytes, from, to)) this.#readWaiting();
  }

  onEnd(): void {
    this.#hasEnded = true;
    switch (this.#state) {
      case 'between requests':
      case 'head':
      case 'discarding':
        return this.#endInOrder();
      case 'serving':
        if (!this.#body.isDone) return this.#handler.onBodyBroken(bodyCutShort, 0);
        return this.#watchHalfClosed();
      case 'tunnel':
        return this.#handler.onTunnelEnd();
      case 'closing':
      // Its last answer may still be on its way: the connection ends with it.
      case 'closed':
    }
  }

  onDrain(): void {
    if (this.#isServing) return this.#handler.onClientDrain();
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.transport.resume();
    this.#readWaiting();
  }

  onClosed(detail: string): void {
    const wasServing = this.#isServing;
    this.#state = 'closed';
    this.#deadline.clear();
    this.#unread.take();
    if (wasServing) this.#handler.onClientGone(detail);
    this.#options.onClosed(this);
  }

  get #isServing(): boolean {
    return this.#state === 'serving' || this.#state === 'tunnel';
  }

  #read(bytes: Buffer, from: number, to: number): void {
    this.#isReading = true;
    let at = from;
    while (at < to) at = this.#readSome(bytes, at, to);
    this.#isReading = false;
    this.#hasMore = false;
  }

  /** The position behind what could be used. */
  #readSome(bytes: Buffer, at: number, to: number): number {
    switch (this.#state) {
      case 'between requests':
      case 'head':
        return this.#readHead(bytes, at, to);
      case 'serving':
        if (!this.#body.isDone) return this.#readBody(bytes, at, to);
        this.#wait(bytes, at, to);
        return to;
      case 'discarding':
        return this.#discard(bytes, at, to);
      case 'tunnel':
        this.#handler.onTunnelBytes(bytes, at, to);
        return to;
      case 'closing':
      case 'closed':
        return to;
    }
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    const end = head.parse(bytes, from, to);
    if (end === incomplete && head.start === to) {
      // Empty lines alone: old clients send one behind a body. No request has begun.
      if (this.#state === 'head') this.#awaitRequest();
      return to;
    }
    if (end === incomplete && to - from <= mostHeadBytes) {
      if (this.#state !== 'head') this.#options.deadlines.set(this.#deadline, this.#options.headTimeoutMs);
      this.#state = 'head';
      this.#unread.addHead(bytes, from, to);
      return to;
    }
    this.#deadline.clear();
    this.#state = 'serving';
    this.#isBodyWatched = false;
    const readBytes = to - from;
    if (end <= 0 || end - from > mostHeadBytes) {
      this.#refuse(end < 0 ? end : fault.headTooLarge, readBytes, head);
      return to;
    }
    this.#keepsAlive = head.keepsAlive;
    this.#body.reset(head.body, head.contentLength, 'framed');
    const broken = this.#body.consume(bytes, end, to);
    if (broken !== 0) {
      this.#refuse(broken, readBytes, head);
      return to;
    }
    const { next } = this.#body;
    this.#hasMore = next < to;
    if (this.#hasEnded) this.#watchHalfClosed();
    else if (!this.#body.isDone) this.#watchBody();
    this.#handler.onRequest(head, this.#body);
    return next;
  }

  #refuse(number: number, readBytes: number, partly?: RequestHead): void {
    this.#keepsAlive = false;
    this.#handler.onUnreadable(number, readBytes, partly?.hasLine ? partly : undefined);
  }

  #readBody(bytes: Buffer, from: number, to: number): number {
    const broken = this.#body.consume(bytes, from, to);
    if (broken !== 0) {
      this.#keepsAlive = false;
      this.#handler.onBodyBroken(broken, to - from);
      return to;
    }
    const { next, isDone } = this.#body;
    this.#hasMore = next < to;
    this.transport.readPrivately(!isDone);
    this.#handler.onBody(bytes, this.#body);
    return next;
  }

  #discard(bytes: Buffer, from: number, to: number): number {
    const broken = this.#body.consume(bytes, from, to);
    this.#discarded += to - from;
    if (broken !== 0 || this.#discarded > mostDiscardedBytes) {
      this.#close();
      return to;
    }
    const { next } = this.#body;
    if (this.#body.isDone) this.#awaitRequest();
    return next;
  }

  #awaitRequest(): void {
    this.#state = 'between requests';
    this.#options.deadlines.setRoughly(this.#deadline, this.#options.idleTimeoutMs);
  }

  /** Keeps bytes for later. A client that sends too many of them has to wait itself. */
  #wait(bytes: Buffer, from: number, to: number): void {
    this.#unread.add(bytes, from, to);
    if (this.#unread.length > mostWaitingBytes && this.#state === 'serving') this.transport.pause();
  }

  #readWaiting(): void {
    // An answer that is complete at once leads to the next request at once: a loop, not a recursion.
    while (this.#isHungry) {
      const waiting = this.#unread.take();
      if (waiting === undefined) break;
      this.transport.resume();
      this.#read(waiting, 0, waiting.length);
      if (this.#state === 'head') break;
    }
    if (this.#hasEnded) this.#missRest();
  }

  /** Nothing more comes that could make a whole request of what there is. */
  #missRest(): void {
    const isIdle = this.#state === 'between requests' && this.#unread.isEmpty;
    if (isIdle || this.#state === 'head') this.#endInOrder();
    else if (this.#state === 'serving' && !this.#body.isDone) this.#handler.onBodyBroken(bodyCutShort, 0);
    else if (this.#state === 'tunnel') this.#handler.onTunnelEnd();
  }

  /** Whether bytes that wait can be used now. */
  get #isHungry(): boolean {
    if (this.#state === 'tunnel') return true;
    return !this.transport.isClogged && (this.#state !== 'serving' || !this.#body.isDone);
  }

  /** What is written still goes out; until then the client's bytes are read, or its machine would drop the answer. */
  #close(): void {
    this.#state = 'closing';
    this.#unread.take();
    this.transport.end();
    this.transport.resume();
    this.#options.deadlines.set(this.#deadline, lingerMs);
  }

  /** No answer is owed; one that was given may still be on its way. */
  #endInOrder(): void {
    if (this.transport.waitingBytes > 0) this.#close();
    else this.transport.destroy();
  }

  #watchHalfClosed(): void {
    this.#sentBefore = this.transport.sentBytes;
    this.#options.deadlines.set(this.#deadline, halfClosedMs);
  }

  #watchBody(): void {
    this.#isBodyWatched = true;
    this.#receivedBefore = this.transport.receivedBytes;
    this.#options.deadlines.set(this.#deadline, stalledBodyMs);
  }

  /** The body of a request has been under way for long. */
  #onBodyTime(): void {
    if (this.#body.isDone) return;
    if (this.transport.receivedBytes === this.#receivedBefore) this.transport.destroy();
    else this.#watchBody();
  }

  #onTimeUp(): void {
    if (this.#state === 'serving' && this.#isBodyWatched && !this.#hasEnded) return this.#onBodyTime();
    const { sentBytes, waitingBytes } = this.transport;
    // A client that reads slowly gets its answer; one that reads nothing at all is the transport's business.
    const isTaking = waitingBytes > 0;
    switch (this.#state) {
      case 'head':
        this.#state = 'serving';
        this.#refuse(headTooSlow, this.#unread.length);
        return;
      case 'serving':
        return isTaking || sentBytes > this.#sentBefore ? this.#watchHalfClosed() : this.transport.destroy();
      case 'closing':
        return isTaking ? this.#options.deadlines.set(this.#deadline, lingerMs) : this.transport.destroy();
      default:
        this.transport.destroy();
    }
  }
}
