/**
 * The codec from end to end without sockets: bytes of a client in, bytes for the upstream out, and the other way round, as
 * connections and exchanges put its parts together. What arrives comes in pieces, into one buffer that is used again.
 */
import { BodyReader } from '../../../../agent/http1/body-reader.ts';
import { ByteWriter } from '../../../../agent/http1/byte-writer.ts';
import { describeFault } from '../../../../agent/http1/fault.ts';
import { incomplete } from '../../../../agent/http1/fields.ts';
import { RequestHead } from '../../../../agent/http1/request-head.ts';
import { type Asked, ResponseHead } from '../../../../agent/http1/response-head.ts';
import {
  type AnswerFraming,
  answer,
  writeAnswerBody,
  writeAnswerEnd,
  writeAnswerHead,
  writeInterimHead,
} from '../../../../agent/proxy/answer.ts';
import type { ForwardedHeader } from '../../../../agent/proxy/forwarded.ts';
import { isUpgrade, RequestHeadWriter } from '../../../../agent/proxy/request-head-writer.ts';
import { plainPolicy } from '../../../../routing/route-policy.ts';

/** One message that was complete. */
export interface Passed {
  /** As it came: where it began, and ended, among all that came. */
  readonly from: number;
  readonly to: number;
  readonly sent: Buffer;
  /** Whether another message may follow. */
  readonly keepsAlive: boolean;
  /** The response asks for another protocol, or the request does. */
  readonly isUpgrade: boolean;
}

export interface Outcome {
  readonly passed: readonly Passed[];
  /** The name of the fault that ended it; '' when it waits for more, or is over. */
  readonly fault: string;
  /** What was sent on of a message that was not complete. */
  readonly begun: Buffer;
}

/** What has been received, in a buffer that holds other bytes behind and before it. */
class Inbox {
  readonly bytes: Buffer;
  readonly #shared: Buffer;
  to = 0;

  constructor(total: number, shared: Buffer) {
    this.#shared = shared;
    this.bytes = shared.subarray(0, total);
  }

  receive(piece: Buffer): void {
    piece.copy(this.#shared, this.to);
    this.to += piece.length;
  }
}

const shared = Buffer.alloc(1024 * 1024, '\r\nContent-Length: 7\r\n\r\n');

/** What a client sends over one connection. Ends like it: at a fault, or behind the last request that it may carry. */
export class RequestPipe {
  readonly #headWriter: RequestHeadWriter;
  readonly #head = new RequestHead();
  readonly #body = new BodyReader();
  readonly #out = new ByteWriter(64);

  constructor(forwarded: readonly ForwardedHeader[] = []) {
    this.#headWriter = new RequestHeadWriter(forwarded);
  }

  pass(pieces: readonly Buffer[]): Outcome {
    const inbox = new Inbox(total(pieces), shared);
    const passed: Passed[] = [];
    const head = this.#head;
    const out = this.#out;
    out.length = 0;
    /** Where the present message begins, and what has been read of it. */
    let start = 0;
    let at = 0;
    let hasHead = false;
    let facts = { keepsAlive: true, isUpgrade: false };
    for (const piece of pieces) {
      inbox.receive(piece);
      while (at < inbox.to) {
        if (!hasHead) {
          const end = head.parse(inbox.bytes, at, inbox.to);
          if (end === incomplete) break;
          if (end < 0) return this.#ended(passed, end);
          hasHead = true;
          facts = { keepsAlive: head.keepsAlive, isUpgrade: isUpgrade(head) };
          this.#headWriter.write(out, head, '::ffff:10.0.0.1', plainPolicy);
          out.text('\r\n');
          this.#body.reset(head.body, head.contentLength, 'framed');
          at = end;
        }
        const broken = this.#consume(inbox, at);
        if (broken < 0) return this.#ended(passed, broken);
        at = this.#body.next;
        if (!this.#body.isDone) continue;
        passed.push({ from: start, to: at, sent: this.#take(), ...facts });
        if (!facts.keepsAlive || facts.isUpgrade) return this.#ended(passed, 0);
        start = at;
        hasHead = false;
      }
    }
    return this.#ended(passed, 0);
  }

  #consume(inbox: Inbox, from: number): number {
    const broken = this.#body.consume(inbox.bytes, from, inbox.to);
    this.#out.copy(inbox.bytes, this.#body.from, this.#body.to);
    const { trailers } = this.#body;
    if (trailers !== undefined) this.#out.copy(trailers, 0, trailers.length);
    return broken;
  }

  #take(): Buffer {
    const sent = Buffer.from(this.#out.bytes.subarray(0, this.#out.length));
    this.#out.length = 0;
    return sent;
  }

  #ended(passed: readonly Passed[], number: number): Outcome {
    return { passed, fault: number === 0 ? '' : describeFault(number).name, begun: this.#take() };
  }
}

export interface ResponseOptions {
  readonly asked: Asked;
  readonly isForHttp10: boolean;
  /** The upstream ends its connection behind the bytes. */
  readonly ends: boolean;
}

/** What an upstream sends in answer to one request, interim responses included. */
export class ResponsePipe {
  readonly #head = new ResponseHead();
  readonly #body = new BodyReader();

  pass(pieces: readonly Buffer[], { asked, isForHttp10, ends }: ResponseOptions): Outcome {
    const inbox = new Inbox(total(pieces), shared);
    const head = this.#head;
    const body = this.#body;
    answer.length = 0;
    let at = 0;
    let framing: AnswerFraming | undefined;
    let keepsAlive = false;
    for (const piece of pieces) {
      inbox.receive(piece);
      while (at < inbox.to) {
        if (framing === undefined) {
          const end = head.parse(inbox.bytes, at, inbox.to, asked);
          if (end === incomplete) break;
          if (end < 0) return ended([], end);
          at = end;
          if (head.status === 101)
            return ended([{ from: 0, to: at, sent: take(), keepsAlive: false, isUpgrade: true }], 0);
          if (head.isInterim) {
            if (!isForHttp10) writeInterimHead(head);
            continue;
          }
          body.reset(head.body, head.contentLength, isForHttp10 ? 'bare' : 'framed');
          const broken = body.consume(inbox.bytes, at, inbox.to);
          // Nothing of it has gone out yet.
          if (broken < 0) return ended([], broken);
          keepsAlive = head.keepsAlive;
          framing = writeAnswerHead(
            head,
            { isForHttp10, keepAlive: !(isForHttp10 && (head.body === 'chunked' || head.body === 'until-close')) },
            { withoutReason: false, changes: undefined, setCookie: undefined },
          );
        } else {
          const broken = body.consume(inbox.bytes, at, inbox.to);
          if (broken < 0) return ended([], broken);
        }
        writeAnswerBody(inbox.bytes, body, framing);
        at = body.next;
        if (body.isDone) return ended([{ from: 0, to: at, sent: take(), keepsAlive, isUpgrade: false }], 0);
      }
    }
    if (!ends || framing === undefined || body.kind !== 'until-close') return ended([], 0);
    writeAnswerEnd(framing);
    return ended([{ from: 0, to: at, sent: take(), keepsAlive: false, isUpgrade: false }], 0);
  }
}

function take(): Buffer {
  const sent = Buffer.from(answer.bytes.subarray(0, answer.length));
  answer.length = 0;
  return sent;
}

function ended(passed: readonly Passed[], number: number): Outcome {
  return { passed, fault: number === 0 ? '' : describeFault(number).name, begun: take() };
}

function total(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
