/**
 * One call on its HTTP/2 stream. It is what grpc-js has a tower of objects for: ten thousand streams, each of which is sent
 * a few hundred bytes at each change, cost what lies between the message and the socket.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Allowance } from './allowance.ts';
import { statusTrailers, timeoutMs } from './call-headers.ts';
import { acceptedEncodings, decompress } from './compression.ts';
import type { Heartbeat } from './heartbeat.ts';
import { frameMessage, MessageReader } from './message-framing.ts';
import { StatusError, status } from './status.ts';

/** How long a client has to take what it was sent, and to end the call on its side too, before its stream is reset. */
const lingerMs = 5_000;

/**
 * A call as handlers see it. What is to be heard of it is set before the handler returns. A StatusError thrown by a handler ends it with
 * that status, anything else with INTERNAL.
 */
export interface ServerCall<Request, Response> {
  /** Called with each message, in the order in which they came; not while paused, and not after the end. */
  onMessage: (message: Request) => void;
  /** The client will say nothing more: without a handler of it the call ends with OK. */
  onHalfClose: () => void;
  /** Called once: it has ended, by whomever. */
  onOver: () => void;
  /** `onTaken`: called once when HTTP/2 has taken it, or never will. Without effect after the end. */
  write(response: Response, onTaken?: () => void): void;
  /** As `write`, of a message, or the next piece of one, that is encoded and framed already: the same bytes for many. */
  writeFramed(bytes: Buffer, onTaken?: () => void): void;
  /** Ends it, with OK or another status and a sentence for the client; the first end counts. */
  end(code?: number, details?: string): void;
  /** Called back once when the client's end of the connection shows that it is running; never if it does not. */
  askForSign(onSign: () => void): void;
  pause(): void;
  resume(): void;
  /** Does later what a message asks for: what it throws ends the call, as when `onMessage` throws. */
  perform(act: () => void): void;
}

export interface Codec<Request, Response> {
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (message: Response) => Buffer;
}

export interface CallOptions<Request, Response> {
  readonly codec: Codec<Request, Response>;
  /** Of one message of the client. */
  readonly mostBytes: number;
  /** The call was ended by this side. */
  readonly onEnded: (code: number, details: string) => void;
  /** A handler has thrown; the call ends with INTERNAL. */
  readonly onFault: (error: unknown) => void;
}

/** What a client began. */
export interface Begun {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Of its connection. */
  readonly allowance: Allowance;
  readonly heartbeat: Heartbeat;
}

const responseHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': acceptedEncodings,
};

const nothing = () => {};

export class Http2Call<Request, Response> implements ServerCall<Request, Response> {
  onMessage: (message: Request) => void = nothing;
  onHalfClose: () => void = () => this.end();
  onOver: () => void = nothing;
  readonly #stream: ServerHttp2Stream;
  readonly #options: CallOptions<Request, Response>;
  readonly #reader: MessageReader;
  readonly #allowance: Allowance;
  readonly #heartbeat: Heartbeat;
  /** Counted in the allowance. */
  #unfinishedBytes = 0;
  readonly #encoding: string | undefined;
  /** Of its deadline, then of what the client has to take after the end. */
  #timer: NodeJS.Timeout | undefined;
  #isPaused = false;
  /** The client has said its last, which the handler does not know yet. */
  #isHalfClosed = false;
  #isOver = false;

  constructor({ stream, headers, allowance, heartbeat }: Begun, options: CallOptions<Request, Response>) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new MessageReader(options.mostBytes);
    this.#allowance = allowance;
    this.#heartbeat = heartbeat;
    this.#encoding = headers['grpc-encoding']?.toString();
    stream.on('data', (piece: Buffer) => this.#onPiece(piece));
    stream.on('end', () => this.#onEnd());
    stream.on('close', () => this.#onClose());
    // Reset without an error (so does Envoy), Node would keep it until it is read to its end and what was written is taken.
    stream.on('aborted', () => stream.destroy());
    // Whatever it is, it closes the stream.
    stream.on('error', nothing);
  }

  /** Lets the handler have the call, which has `headers`. */
  begin(headers: IncomingHttpHeaders, handle: (call: this) => void): void {
    this.perform(() => {
      const ms = timeoutMs(headers);
      if (ms !== undefined) {
        this.#timer = setTimeout(() => this.end(status.DEADLINE_EXCEEDED, 'the deadline has passed'), ms);
      }
      handle(this);
    });
  }

  write(response: Response, onTaken?: () => void): void {
    this.writeFramed(frameMessage([this.#options.codec.responseSerialize(response)]), onTaken);
  }

  writeFramed(bytes: Buffer, onTaken?: () => void): void {
    if (this.#isOver || this.#stream.destroyed) {
      onTaken?.();
      return;
    }
    if (!this.#stream.headersSent) this.#stream.respond(responseHeaders, { waitForTrailers: true });
    this.#stream.write(bytes, onTaken);
  }

  end(code: number = status.OK, details = ''): void {
    if (this.#isOver) return;
    this.#options.onEnded(code, details);
    const stream = this.#stream;
    if (!stream.destroyed) {
      const trailers = statusTrailers(code, details);
      if (stream.headersSent) {
        stream.once('wantTrailers', () => stream.sendTrailers(trailers));
        stream.end();
      } else {
        stream.respond({ ...responseHeaders, ...trailers }, { endStream: true });
      }
      // What else the client says goes nowhere.
      stream.resume();
      clearTimeout(this.#timer);
      // At once it would overtake the end.
      this.#timer = setTimeout(() => cut(stream), lingerMs).unref();
    }
    this.#finish();
  }

  askForSign(onSign: () => void): void {
    this.#heartbeat.ask(onSign);
  }

  pause(): void {
    // What comes after the end goes nowhere, and has to go.
    if (this.#isOver) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readOn();
    if (!this.#isPaused) this.#stream.resume();
  }

  #onPiece(piece: Buffer): void {
    if (this.#isOver) return;
    this.#reader.add(piece);
    this.#readOn();
  }

  #readOn(): void {
    this.perform(() => {
      while (!this.#isPaused && !this.#isOver) {
        const message = this.#reader.next();
        if (message === undefined) break;
        const { bytes, isCompressed } = message;
        this.onMessage(this.#decode(isCompressed ? decompress(bytes, this.#encoding, this.#options.mostBytes) : bytes));
      }
      if (this.#isPaused || this.#isOver) return;
      this.#count();
      if (!this.#isHalfClosed) return;
      this.#isHalfClosed = false;
      if (this.#reader.unfinishedBytes > 0) throw new StatusError(status.INTERNAL, 'the client ended within a message');
      this.onHalfClose();
    });
  }

  /** Tells the allowance how much of the next message there is. Throws StatusError when it is too much. */
  #count(): void {
    const { unfinishedBytes } = this.#reader;
    const more = unfinishedBytes - this.#unfinishedBytes;
    if (more === 0) return;
    this.#unfinishedBytes = unfinishedBytes;
    if (this.#allowance.change(more) || more < 0) return;
    throw new StatusError(status.RESOURCE_EXHAUSTED, 'too many long messages come at once on this connection');
  }

  #decode(bytes: Buffer): Request {
    try {
      return this.#options.codec.requestDeserialize(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StatusError(status.INVALID_ARGUMENT, `a message cannot be decoded: ${reason}`);
    }
  }

  #onEnd(): void {
    // So ends a stream that was reset, too.
    if (this.#stream.closed) return;
    this.#isHalfClosed = true;
    this.#readOn();
  }

  #onClose(): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    this.#reader.clear();
    this.#count();
    this.perform(() => this.onOver());
  }

  perform(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof StatusError) return this.end(error.code, error.message);
      this.#options.onFault(error);
      this.end(status.INTERNAL, 'the message could not be handled; the log of the server says why');
    }
  }
}

/** One that the client has reset meanwhile is closed, and still there when what was written to it was not taken. */
function cut(stream: ServerHttp2Stream): void {
  if (stream.closed) stream.destroy();
  else stream.close(constants.NGHTTP2_CANCEL);
}
