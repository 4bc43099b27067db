/**
 * One connection to an upstream: one request at a time goes out, and its response comes back. Strict, and suspicious of
 * everything that nobody asked for: an idle connection on which something arrives is closed, or it would be taken for the
 * answer to the next request.
 */
import { BodyReader } from './body-reader.ts';
import { Deadline } from './deadlines.ts';
import { describeFault, fault } from './fault.ts';
import { incomplete } from './fields.ts';
import { mostHeadBytes } from './head-limits.ts';
import { type Asked, ResponseHead } from './response-head.ts';
import { type SocketContext, type SocketUser, Transport, type UpstreamAddress } from './transport.ts';
import { Unread } from './unread.ts';

/** Takes the response to one request. */
export interface ResponseHandler {
  /** A head, interim or final, and the body as far as `body` says. Both are good until the call returns. */
  onResponse(head: ResponseHead, body: BodyReader): void;
  /** More of the body; the bytes are good until the call returns, but see `Transport.relay`. */
  onResponseBody(bytes: Buffer, body: BodyReader): void;
  /** The response is complete, and the connection no longer this handler's: somebody else has it when this returns. */
  onReleased(): void;
  /** After `onReleased`. */
  onResponseEnd(): void;
  /** Instead of `onReleased` and `onResponseEnd`: the connection ended too early, or what came over it was no response. */
  onLost(loss: Loss): void;
  /** All that was written to the upstream has gone. */
  onUpstreamDrain(): void;
  /** Bytes of a tunnel; good until the call returns. */
  onTunnelBack(bytes: Buffer, from: number, to: number): void;
  /** The upstream sends nothing more into the tunnel. */
  onTunnelBackEnd(): void;
}

export interface Loss {
  /** `stale`: a connection that was kept, on which not a byte came back. `malformed`: what came is no response. */
  readonly is: 'stale' | 'reset' | 'malformed';
  /** Of a tunnel both sides have ended: that is no loss. */
  readonly isInOrder: boolean;
  readonly detail: string;
}

/** Whom a connection tells what becomes of it. */
export interface ConnectionOwner {
  onConnected(connection: UpstreamConnection): void;
  /** Can be used again. */
  onFree(connection: UpstreamConnection): void;
  /** Once; `wasConnected` says whether it ever was. */
  onClosed(connection: UpstreamConnection, wasConnected: boolean, detail: string): void;
}

type State = 'connecting' | 'idle' | 'busy' | 'tunnel' | 'closed';

/** Heads before the final one; an upstream that sends more of them keeps the client waiting for nothing. */
const mostInterimHeads = 32;

/** One for all connections: a head is parsed and used within one call. */
const head = new ResponseHead();

export class UpstreamConnection implements SocketUser {
  readonly transport: Transport;
  readonly #owner: ConnectionOwner;
  readonly #context: SocketContext;
  readonly #body = new BodyReader();
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  #state: State = 'connecting';
  #handler: ResponseHandler | undefined;
  #asked: Asked = 'other';
  #isForHttp10 = false;
  #isRequestComplete = false;
  #keepsAlive = false;
  /** The final head of the response has come. */
  #hasHead = false;
  #interimHeads = 0;
  /** Requests before the present one were answered over it. */
  #isReused = false;
  /** Something of the present response has come. */
  #hasBytes = false;
  /** The beginning of a head. */
  readonly #unread = new Unread();
  #wasConnected = false;
  #ownFault = '';

  /** It fails if it is not there within `connectTimeoutMs`. */
  constructor(address: UpstreamAddress, owner: ConnectionOwner, context: SocketContext, connectTimeoutMs: number) {
    this.#owner = owner;
    this.#context = context;
    this.transport = Transport.dial(address, this, context, () => this.#onConnected());
    context.deadlines.set(this.#deadline, connectTimeoutMs);
  }

  /** A request begins; its bytes are written to the transport. `isForHttp10`: chunks mean nothing to its client. */
  begin(handler: ResponseHandler, asked: Asked, isForHttp10: boolean): void {
    this.#deadline.clear();
    this.#state = 'busy';
    this.#handler = handler;
    this.#asked = asked;
    this.#isForHttp10 = isForHttp10;
    this.#isRequestComplete = false;
    this.#hasHead = false;
    this.#hasBytes = false;
    this.#interimHeads = 0;
    this.#body.reset('none', 0, 'framed');
  }

  /** The last byte of the request has been written. */
  requestIsComplete(): void {
    this.#isRequestComplete = true;
  }

  /** Closes it unless it is used within this time. */
  expire(afterMs: number): void {
    this.#context.deadlines.setRoughly(this.#deadline, afterMs);
  }

  /** Ends it at once; its handler hears nothing more. */
  abort(): void {
    this.#handler = undefined;
    this.transport.destroy();
  }

  /** As `abort`, and the upstream is told that something went wrong. */
  reset(): void {
    this.#handler = undefined;
    this.transport.reset();
  }

  /** As `abort`, of a tunnel whose sides have both ended: what was written still goes. */
  finish(): void {
    this.#handler = undefined;
    this.transport.end();
  }

  /** Bytes go both ways as they come from now on. */
  startTunnel(): void {
    this.#state = 'tunnel';
    this.transport.readPrivately(true);
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    switch (this.#state) {
      case 'busy':
        return this.#read(bytes, from, to);
      case 'tunnel':
        return this.#handler?.onTunnelBack(bytes, from, to);
      default:
        // Nobody has asked for anything.
        this.transport.destroy();
    }
  }

  onEnd(): void {
    if (this.#state === 'busy' && this.#hasHead && this.#body.kind === 'until-close') {
      this.#keepsAlive = false;
      this.#endResponse();
    } else if (this.#state === 'tunnel') this.#handler?.onTunnelBackEnd();
    else this.transport.destroy();
  }

  onDrain(): void {
    this.#handler?.onUpstreamDrain();
  }

  onClosed(detail: string): void {
    const wasBusy = this.#state === 'busy' || this.#state === 'tunnel';
    this.#state = 'closed';
    this.#deadline.clear();
    const reason = this.#ownFault || detail || 'the connection was closed';
    this.#owner.onClosed(this, this.#wasConnected, reason);
    if (!wasBusy) return;
    this.#tell({ is: this.#isReused && !this.#hasBytes ? 'stale' : 'reset', isInOrder: detail === '', detail: reason });
  }

  #onConnected(): void {
    this.#wasConnected = true;
    this.#state = 'idle';
    this.#deadline.clear();
    this.#owner.onConnected(this);
  }

  #read(bytes: Buffer, from: number, to: number): void {
    this.#hasBytes = true;
    if (this.#unread.isEmpty) return this.#readMessage(bytes, from, to);
    this.#unread.add(bytes, from, to);
    if (!this.#unread.isWorthALook(bytes, from, to)) return;
    const joined = this.#unread.take();
    if (joined !== undefined) this.#readMessage(joined, 0, joined.length);
  }

  #readMessage(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (!this.#hasHead) {
      at = this.#readHead(bytes, at, to);
      // Also when the handler has aborted it, or made a tunnel of it.
      if (at === incomplete || this.#state !== 'busy' || this.#handler === undefined) return;
      if (this.#hasHead) break;
      if (at === to) return;
    }
    if (at === to && !this.#body.isDone) return;
    if (!this.#body.isDone) {
      at = this.#readBody(bytes, at, to);
      if (at === incomplete || this.#handler === undefined) return;
    }
    if (!this.#body.isDone) return;
    // Bytes behind the response belong to no request: whoever sent them does not get another.
    if (at < to) this.#keepsAlive = false;
    this.#endResponse();
  }

  /** The position behind it and what could be used of the body, or `incomplete` when there is nothing more to do now. */
  #readHead(bytes: Buffer, from: number, to: number): number {
    const end = head.parse(bytes, from, to, this.#asked);
    if (end === incomplete && to - from <= mostHeadBytes) {
      this.#unread.addHead(bytes, from, to);
      return incomplete;
    }
    if (end <= 0 || end - from > mostHeadBytes) return this.#refuse(end < 0 ? end : fault.headTooLarge);
    if (head.isInterim && ++this.#interimHeads > mostInterimHeads) return this.#refuse(fault.statusLine);
    this.#body.reset(head.body, head.contentLength, this.#isForHttp10 ? 'bare' : 'framed');
    const broken = head.isInterim ? 0 : this.#body.consume(bytes, end, to);
    if (broken !== 0) return this.#refuse(broken);
    this.#hasHead = !head.isInterim;
    // After 101 it speaks another protocol, also when nobody goes on with it.
    this.#keepsAlive = head.keepsAlive && head.status !== 101;
    const next = this.#hasHead ? this.#body.next : end;
    this.#handler?.onResponse(head, this.#body);
    if (this.#state === 'tunnel' && end < to) this.#handler?.onTunnelBack(bytes, end, to);
    return next;
  }

  #readBody(bytes: Buffer, from: number, to: number): number {
    const broken = this.#body.consume(bytes, from, to);
    if (broken !== 0) return this.#refuse(broken);
    const { next, isDone } = this.#body;
    this.transport.readPrivately(!isDone);
    this.#handler?.onResponseBody(bytes, this.#body);
    return next;
  }

  #refuse(number: number): number {
    const { sentence, section } = describeFault(number);
    // First, for the bytes of the request may be used for another one as soon as its handler knows.
    this.transport.destroy();
    this.#tell({ is: 'malformed', isInOrder: false, detail: `${sentence} (${section})` });
    return incomplete;
  }

  #endResponse(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.transport.readPrivately(false);
    // First: what is counted as under way must not keep those waiting who are served next.
    handler?.onReleased();
    if (this.#keepsAlive && this.#isRequestComplete && this.transport.waitingBytes === 0) {
      this.#isReused = true;
      this.#state = 'idle';
      this.#owner.onFree(this);
    } else this.transport.destroy();
    handler?.onResponseEnd();
  }

  #tell(loss: Loss): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onLost(loss);
  }

  #onTimeUp(): void {
    if (this.#state === 'connecting') this.#ownFault = 'it did not accept the connection in time';
    this.transport.destroy();
  }
}
