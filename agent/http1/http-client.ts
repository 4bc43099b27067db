/** The seam between the proxy and an HTTP engine, upstream side: one request goes out, one outcome comes back. */
import type { Readable, Writable } from 'node:stream';
import type { RequestHead, ResponseHead } from './message.ts';

export interface UpstreamRequest {
  /** IP address or DNS name. */
  readonly address: string;
  readonly port: number;
  readonly head: RequestHead;
  /** Called once, as soon as there is a connection: before that not one byte of the body is taken. */
  readonly sendBody: (into: Writable) => void;
  readonly connectTimeoutMs: number;
  /** `fresh`: on a new connection, as a kept one has just turned out to be closed. */
  readonly connection: 'any' | 'fresh';
}

export type UpstreamOutcome =
  /** The head of the answer is here; the body flows when it is read. */
  | { readonly is: 'answered'; readonly head: ResponseHead; readonly body: Readable }
  /** No connection: nothing was sent. */
  | { readonly is: 'unreachable'; readonly detail: string }
  /** The connection ended before the head of an answer. `stale`: it was a kept one, and not a byte came back. */
  | { readonly is: 'lost'; readonly stale: boolean; readonly detail: string }
  | { readonly is: 'aborted' };

export interface UpstreamCall {
  /** Never rejects. */
  readonly outcome: Promise<UpstreamOutcome>;
  /** Ends the connection, whatever state the request is in. */
  abort(): void;
}

export interface HttpClient {
  send(request: UpstreamRequest): UpstreamCall;
  /** Ends all connections. */
  close(): void;
}
