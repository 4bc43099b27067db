/**
 * The bytes of one request as they go out, kept as long as they may have to be sent again: to another instance, or over
 * another connection. A long body streams past it; what is gone cannot be sent again.
 */
import { ByteWriter } from '../http1/byte-writer.ts';

/** Bodies up to this can be sent again. Most requests that change something are shorter; uploads are not. */
export const mostKeptBytes = 64 * 1024;
/** Most requests fit, so most connections never need another buffer. */
const usualBytes = 1_024;
/** Buffers that no request uses at the moment, the usual ones alone. */
const spare: ByteWriter[] = [];
const mostSpare = 256;
const unused = new ByteWriter(0);
const emptyLine = Buffer.from('\r\n');

export class OutgoingRequest {
  /** Head, its end, and the body so far. */
  writer = unused;
  /** Without its last lines, which depend on who is asked. */
  #headLength = 0;
  #bodyStart = 0;
  #isWhole = true;

  /** A new request; the one before has ended. */
  begin(): void {
    this.writer = spare.pop() ?? new ByteWriter(usualBytes);
    this.#headLength = 0;
    this.#bodyStart = 0;
    this.#isWhole = true;
  }

  /** It is over: either all of it was sent, or the connection that it was sent over is closed. */
  end(): void {
    const { writer } = this;
    this.writer = unused;
    if (writer === unused || writer.bytes.length > usualBytes || spare.length >= mostSpare) return;
    writer.length = 0;
    spare.push(writer);
  }

  /** Everything of the request that has come is here, so it can be sent again. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Of the head without its end. */
  get headLength(): number {
    return this.#headLength;
  }

  get bodyStart(): number {
    return this.#bodyStart;
  }

  /** Ends the head, or ends it in another way than before. What was sent over a connection that is gone may change. */
  endHead(end: Buffer): void {
    const { writer } = this;
    if (this.#bodyStart === 0) {
      this.#headLength = writer.length;
      writer.copy(end, 0, end.length);
      this.#bodyStart = writer.length;
      return;
    }
    const moved = this.#headLength + end.length - this.#bodyStart;
    if (moved > 0) writer.reserve(moved);
    if (moved !== 0) writer.bytes.copyWithin(this.#bodyStart + moved, this.#bodyStart, writer.length);
    end.copy(writer.bytes, this.#headLength);
    writer.length += moved;
    this.#bodyStart += moved;
  }

  /** Ends the head for one who only reads it, unless it is ended already. */
  closeHead(): this {
    if (this.#bodyStart === 0) this.endHead(emptyLine);
    return this;
  }

  /** Keeps more of the body, unless it has become too long. */
  keep(bytes: Buffer, from: number, to: number): void {
    if (this.#isWhole && this.writer.length - this.#bodyStart + to - from > mostKeptBytes) this.#isWhole = false;
    if (this.#isWhole) this.writer.copy(bytes, from, to);
  }

  /** As `keep`, of bytes that cannot be sent now and must not be lost, however many they are. */
  hold(bytes: Buffer, from: number, to: number): void {
    this.writer.copy(bytes, from, to);
  }
}
