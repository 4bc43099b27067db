/** The seam between the proxy and an HTTP engine, downstream side: requests come in, answers go out. */
import type { Readable, Writable } from 'node:stream';
import type { HostPort } from '../../process/host-port.ts';
import type { RequestHead, ResponseHead } from './message.ts';

/** One request and its answer. */
export interface Exchange {
  readonly head: RequestHead;
  /** Flows when it is read, so a slow reader slows the sender. Ends at once when there is no body. */
  readonly body: Readable;
  /** Sends the head of the answer, once; the body is written to the result, which pushes back when the client is slow. */
  respond(head: ResponseHead): Writable;
  /** Breaks the connection off, so that the client can tell that its answer is not whole. */
  abort(): void;
  /** Calls back if the client goes before it has the whole answer; at once if it has gone. One listener. */
  onGone(listener: () => void): void;
}

/** What the engine cannot make an Exchange of, by its own name for it. */
export type Unreadable = 'malformed' | 'head-too-large' | 'head-too-slow' | 'connect';

/** An answer that is complete. */
export interface ShortAnswer {
  readonly head: ResponseHead;
  readonly body: string;
}

export interface HttpServerOptions {
  readonly listen: HostPort;
  /** Must answer or abort, now or later; must not throw. */
  readonly onRequest: (exchange: Exchange) => void;
  /** The answer to bytes that are no request; the connection is closed behind it. `detail`: what the engine says. */
  readonly onUnreadable: (what: Unreadable, detail: string) => ShortAnswer;
}

export interface HttpServer {
  /** Where it listens, with the port that port 0 became. */
  readonly address: HostPort;
  /**
   * Stops accepting and ends idle connections at once; each other one when its request under way is answered, or when
   * `graceMs` have passed.
   */
  close(graceMs: number): Promise<void>;
}
