/** Messages as they lie in the bytes of a stream: a flag, the length in four bytes, the message (PROTOCOL-HTTP2, "Length-Prefixed-Message"). */
import { StatusError, status } from './status.ts';

const prefixBytes = 5;

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

/** Cuts what comes in into messages, however it was cut on its way. */
export class MessageReader {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #length = 0;

  /** `mostBytes`: of one message. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** Undefined until one is whole. Throws StatusError when it is, or will be, longer than may be. */
  next(): RawMessage | undefined {
    if (this.#length < prefixBytes) return undefined;
    const first = this.#join(prefixBytes);
    const length = first.readUInt32BE(1);
    if (length > this.#mostBytes) {
      throw new StatusError(
        status.RESOURCE_EXHAUSTED,
        `a message has ${length} bytes: more than the ${this.#mostBytes} that it may have`,
      );
    }
    const end = prefixBytes + length;
    if (this.#length < end) return undefined;
    const whole = this.#join(end);
    this.#length -= end;
    if (whole.length > end) this.#pieces[0] = whole.subarray(end);
    else this.#pieces.shift();
    return { bytes: whole.subarray(prefixBytes, end), isCompressed: first[0] === 1 };
  }

  /** The first piece, with at least so many bytes. All pieces are joined: what is incomplete is the last message alone. */
  #join(bytes: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#pieces, this.#length);
    this.#pieces = [joined];
    return joined;
  }
}
