/**
 * The head of the request under way, for what is asked of it seldom, and then when it has long been sent on: it is parsed
 * again out of the bytes that are still there. On the ordinary path this is three assignments.
 */
import { RequestHead } from '../http1/request-head.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** For all: a head is read and used within one call. */
const asKept = new RequestHead();
const asSent = new RequestHead();

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

  /** Nobody asks any more. */
  forget(): void {
    this.#kept = undefined;
    this.#sent = undefined;
  }

  /** As it came, where that is still known. Good until the call returns, or another one reads a head. */
  read(): RequestHead | undefined {
    if (this.#live !== undefined || this.#kept === undefined) return this.#live;
    return asKept.parse(this.#kept, 0, this.#kept.length) > 0 ? asKept : undefined;
  }

  /** As it went out, with what the agent has changed and added. Good as long. */
  readSent(): RequestHead | undefined {
    if (this.#sent === undefined) return undefined;
    const { writer, bodyStart } = this.#sent.closeHead();
    return asSent.parse(writer.bytes, 0, bodyStart) > 0 ? asSent : undefined;
  }
}
