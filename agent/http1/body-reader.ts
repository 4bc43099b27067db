/** Which of the bytes on a connection are the body of the message under way, and what of them is sent on. */
import { ChunkedBody, type ChunkedOutput } from './chunked-body.ts';
import type { BodyKind } from './framing.ts';

export class BodyReader {
  kind: BodyKind = 'none';
  isDone = true;
  /** What the last `consume` found to be sent on: a stretch of the bytes, and `trailers` behind it. */
  from = 0;
  to = 0;
  /** Where the last `consume` stopped: what follows is not of this body. */
  next = 0;
  #remaining = 0;
  readonly #chunked = new ChunkedBody();

  /** `length`: of a sized body. */
  reset(kind: BodyKind, length: number, output: ChunkedOutput): void {
    this.kind = kind;
    this.#remaining = length;
    this.isDone = kind === 'none';
    if (kind === 'chunked') this.#chunked.reset(output);
  }

  get trailers(): Buffer | undefined {
    return this.kind === 'chunked' ? this.#chunked.trailers : undefined;
  }

  /** 0, or a fault: then `from` and `to` are what came before it. May change the bytes up to `to`. */
  consume(bytes: Buffer, from: number, to: number): number {
    this.from = from;
    switch (this.kind) {
      case 'chunked': {
        const result = this.#chunked.consume(bytes, from, to);
        this.to = this.#chunked.to;
        this.next = this.#chunked.next;
        this.isDone = this.#chunked.isDone;
        return result;
      }
      case 'until-close':
        this.to = to;
        this.next = to;
        return 0;
      case 'sized':
        this.to = Math.min(to, from + this.#remaining);
        this.#remaining -= this.to - from;
        this.isDone = this.#remaining === 0;
        break;
      case 'none':
        this.to = from;
    }
    this.next = this.to;
    return 0;
  }
}
