/** Messages as they lie in the bytes of a stream: a flag, the length in four bytes, the message (PROTOCOL-HTTP2, "Length-Prefixed-Message"). */
import { StatusError, status } from './status.ts';

const prefixBytes = 5;
const nothing = Buffer.alloc(0);

/** One message, from its parts, ready to be written. */
export function frameMessage(parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, { length }) => sum + length, 0);
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, ...parts], prefixBytes + length);
}

export interface RawMessage {
  readonly bytes: Buffer;
  readonly isCompressed: boolean;
}

/**
 * Cuts what comes in into messages, however it was cut on its way. A message in one piece is never copied; of one in many pieces, of a
 * byte each if the client likes, no more is kept than twice its bytes.
 */
export class MessageReader {
  readonly #mostBytes: number;
  /** What came and was not read, with room for more behind it when it came in pieces. */
  #buffer: Buffer = nothing;
  #length = 0;

  /** `mostBytes`: of one message. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** What came and was not read: after `next` has answered undefined, of a message that is not whole. */
  get unfinishedBytes(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) {
      this.#buffer = piece;
    } else {
      if (length > this.#buffer.length) this.#moveTo(Math.max(length, 2 * this.#buffer.length));
      piece.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  /** Undefined until one is whole. Throws StatusError when it is, or will be, longer than may be. */
  next(): RawMessage | undefined {
    if (this.#length < prefixBytes) return undefined;
    const buffer = this.#buffer;
    const length = buffer.readUInt32BE(1);
    if (length > this.#mostBytes) {
      throw new StatusError(
        status.RESOURCE_EXHAUSTED,
        `a message has ${length} bytes: more than the ${this.#mostBytes} that it may have`,
      );
    }
    const end = prefixBytes + length;
    if (this.#length < end) return undefined;
    this.#length -= end;
    this.#buffer = this.#length === 0 ? nothing : buffer.subarray(end);
    // A few bytes of the next message are not to keep all of this one.
    if (this.#length > 0 && this.#length < end) this.#moveTo(this.#length);
    return { bytes: buffer.subarray(prefixBytes, end), isCompressed: buffer[0] === 1 };
  }

  /** Forgets what was not read. */
  clear(): void {
    this.#buffer = nothing;
    this.#length = 0;
  }

  /** A buffer of so many bytes. */
  #moveTo(bytes: number): void {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(buffer, 0, 0, this.#length);
    this.#buffer = buffer;
  }
}
