/**
 * The head of the request under way, for what is asked of it seldom, and then when it has long been sent on: it is parsed
 * again out of the bytes that are still there. On the ordinary path this is three assignments.
 */
import { RequestHead } from '../http1/request-head.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** One for all: a head is read and used within one call. */
const again = new RequestHead();

export class LateHead {
  #live: RequestHead | undefined;
  #kept: Buffer | undefined;
  #sent: OutgoingRequest | undefined;

  /** A request has come; its head is good until `letGo`. Undefined: it has none that could be read. */
  begin(head: RequestHead | undefined): void {
    this.#live = head;
    this.#kept = undefined;
    this.#sent = undefined;
  }

  /** A copy of the head as it came. */
  keep(bytes: Buffer): void {
    this.#kept = bytes;
  }

  /** The head stands in there as it goes out, until the next request begins. */
  sentBy(request: OutgoingRequest): void {
    this.#sent = request;
  }

  letGo(): void {
    this.#live = undefined;
  }

  get wasSent(): boolean {
    return this.#sent !== undefined;
  }

  /** As it came, else as it went out. Good until the call returns, or another head is read. */
  read(): RequestHead | undefined {
    if (this.#live !== undefined) return this.#live;
    return this.#kept === undefined ? this.readSent() : parse(this.#kept, this.#kept.length);
  }

  /** With what the agent has changed and added. */
  readSent(): RequestHead | undefined {
    if (this.#sent === undefined) return undefined;
    const { writer, bodyStart } = this.#sent.closeHead();
    return parse(writer.bytes, bodyStart);
  }
}

function parse(bytes: Buffer, length: number): RequestHead | undefined {
  return again.parse(bytes, 0, length) > 0 ? again : undefined;
}
