/** Bytes put together in one buffer that grows when it must and is used again: heads, and the first bytes of bodies. */

/** Longer runs are copied by the runtime, shorter ones faster octet by octet. */
const worthACall = 64;
/** Of heads up to this length the view is kept, at 100 bytes each: to make one takes 0.1 µs, and leaves garbage. */
const mostKept = 1024;

export class ByteWriter {
  bytes: Buffer;
  length = 0;
  /** By their length, and whose bytes they show. */
  #views: Buffer[] = [];
  #viewed: Buffer | undefined;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Makes room for so many more bytes; what was written stays. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** What stands in it, without a copy: good until something else is written. */
  get written(): Buffer {
    const { bytes, length } = this;
    if (length > mostKept) return bytes.subarray(0, length);
    if (this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#views = [];
    }
    this.#views[length] ??= bytes.subarray(0, length);
    return this.#views[length];
  }

  copy(source: Buffer, from: number, to: number): void {
    const count = to - from;
    this.reserve(count);
    if (count >= worthACall) source.copy(this.bytes, this.length, from, to);
    else {
      const { bytes, length } = this;
      for (let i = 0; i < count; i++) bytes[length + i] = source[from + i] ?? 0;
    }
    this.length += count;
  }

  /** Text of one octet a character, as headers are. */
  text(text: string): void {
    const count = text.length;
    this.reserve(count);
    if (count >= worthACall) this.bytes.write(text, this.length, 'latin1');
    else {
      const { bytes, length } = this;
      for (let i = 0; i < count; i++) bytes[length + i] = text.charCodeAt(i);
    }
    this.length += count;
  }

  header(name: string, value: string): void {
    this.text(name);
    this.text(': ');
    this.text(value);
    this.text('\r\n');
  }

  /** In hexadecimal, as the size of a chunk. */
  hexadecimal(value: number): void {
    this.text(value.toString(16));
  }
}
