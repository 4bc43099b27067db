/**
 * Discovery responses as they come in from a gRPC stream, of either protocol, of which only type and nonce are read: both protocols have
 * them in the same fields. Nothing is put together or copied: a thousand clients that are sent a megabyte each share one process.
 */

export interface Skimmed {
  readonly typeUrl: string;
  readonly nonce: string;
  /** Of the message, without what gRPC puts before it. */
  readonly size: number;
}

/** Not compressed, and the length of the message in the four bytes after. */
export const prefixBytes = 5;
const typeUrlField = 4;
const nonceField = 5;

/** Where in a message the next byte stands. All fields of these messages are length-delimited. */
type Place = 'prefix' | 'tag' | 'length' | 'content';

export class Skimmer {
  readonly #onMessage: (message: Skimmed) => void;
  #place: Place = 'prefix';
  /** Bytes of the prefix or of a field's content that are to come. */
  #left = prefixBytes;
  /** Of the message that are to come. */
  #messageLeft = 0;
  #size = 0;
  #number = 0;
  #shift = 0;
  #field = 0;
  #typeUrl = '';
  #nonce = '';

  constructor(onMessage: (message: Skimmed) => void) {
    this.#onMessage = onMessage;
  }

  read(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) at = this.#step(piece, at);
  }

  /** Answers where the next step begins. */
  #step(piece: Buffer, at: number): number {
    if (this.#place === 'content') return this.#content(piece, at);
    const octet = piece[at] ?? 0;
    if (this.#place === 'prefix') this.#prefix(octet);
    else this.#varint(octet);
    return at + 1;
  }

  #prefix(octet: number): void {
    this.#left--;
    this.#size = this.#left === prefixBytes - 1 ? 0 : this.#size * 256 + octet;
    if (this.#left > 0) return;
    this.#messageLeft = this.#size;
    this.#typeUrl = '';
    this.#nonce = '';
    this.#place = 'tag';
    this.#endIfWhole();
  }

  #varint(octet: number): void {
    this.#messageLeft--;
    this.#number |= (octet & 0x7f) << this.#shift;
    this.#shift += 7;
    if (octet >= 0x80) return;
    if (this.#place === 'tag') {
      this.#field = this.#number >>> 3;
      this.#place = 'length';
    } else {
      this.#left = this.#number;
      this.#place = this.#left > 0 ? 'content' : 'tag';
    }
    this.#number = 0;
    this.#shift = 0;
    this.#endIfWhole();
  }

  #content(piece: Buffer, at: number): number {
    const end = Math.min(piece.length, at + this.#left);
    if (this.#field === typeUrlField) this.#typeUrl += piece.toString('latin1', at, end);
    if (this.#field === nonceField) this.#nonce += piece.toString('latin1', at, end);
    this.#left -= end - at;
    this.#messageLeft -= end - at;
    if (this.#left === 0) this.#place = 'tag';
    this.#endIfWhole();
    return end;
  }

  #endIfWhole(): void {
    if (this.#messageLeft > 0) return;
    this.#place = 'prefix';
    this.#left = prefixBytes;
    this.#onMessage({ typeUrl: this.#typeUrl, nonce: this.#nonce, size: this.#size });
  }
}
