/** Bytes that cannot be used yet: the beginning of a head, or what came too early. */
import { includesLineEnd } from './octets.ts';

export class Unread {
  #bytes: Buffer | undefined;
  /** To look at a head that is not whole is worth the while when there are so many bytes, or when a line has ended. */
  #lookAgainAt = 0;

  get isEmpty(): boolean {
    return this.#bytes === undefined;
  }

  get length(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Copies what is new behind what is there. */
  add(bytes: Buffer, from: number, to: number): void {
    const added = bytes.subarray(from, to);
    this.#bytes = this.#bytes === undefined ? Buffer.from(added) : Buffer.concat([this.#bytes, added]);
  }

  /** As `add`, of a head that is not whole: it is worth another look when twice as much is there. */
  addHead(bytes: Buffer, from: number, to: number): void {
    this.add(bytes, from, to);
    this.#lookAgainAt = 2 * (to - from);
  }

  /** Whether a head may be whole now that these bytes have been added: not with each one that comes slowly. */
  isWorthALook(bytes: Buffer, from: number, to: number): boolean {
    return this.length >= this.#lookAgainAt || includesLineEnd(bytes, from, to);
  }

  /** All of it, and it is nobody's then; undefined when there is nothing. */
  take(): Buffer | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }
}
