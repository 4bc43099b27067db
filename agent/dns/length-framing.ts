/** Messages over TCP: two bytes of length before each (RFC 1035, 4.2.2), cut into pieces wherever the network likes. */

/** Hands each message over whole, in order, for as long as `mayGoOn` says so; the rest waits for `goOn`. */
export class FrameReader {
  readonly #onMessage: (message: Buffer) => void;
  readonly #mayGoOn: () => boolean;
  #rest: Buffer = Buffer.alloc(0);
  /** What came since, not yet put together: a message in single bytes must not be copied once for each. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isReading = false;

  constructor(onMessage: (message: Buffer) => void, mayGoOn: () => boolean = () => true) {
    this.#onMessage = onMessage;
    this.#mayGoOn = mayGoOn;
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    this.goOn();
  }

  goOn(): void {
    // What is done with a message may ask for the next one.
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#bytes >= 2 && this.#mayGoOn()) {
      if (this.#rest.length < 2) this.#join();
      const whole = 2 + this.#rest.readUInt16BE(0);
      if (this.#bytes < whole) break;
      if (this.#rest.length < whole) this.#join();
      const message = this.#rest.subarray(2, whole);
      this.#rest = this.#rest.subarray(whole);
      this.#bytes -= whole;
      this.#onMessage(message);
    }
    this.#isReading = false;
  }

  #join(): void {
    this.#rest = Buffer.concat([this.#rest, ...this.#pieces]);
    this.#pieces = [];
  }
}

/** One buffer, so that it is one piece on the wire (RFC 7766, 8). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 2);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, 2);
  return framed;
}
