/**
 * Reads the answers on one connection as far as a load has to: their status, and where each ends. Answers have a
 * Content-Length; anything else is an error, and so is a status other than 200.
 */

export class AnswerReader {
  readonly #onAnswer: () => void;
  /** The beginning of a head whose end has not come. */
  #head: Buffer | undefined;
  #bodyLeft = 0;

  constructor(onAnswer: () => void) {
    this.#onAnswer = onAnswer;
  }

  /** The bytes may change after it returns. Throws when they are no good answer. */
  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#bodyLeft === 0) at = this.#readHead(bytes, at);
      else at = this.#readBody(bytes, at);
    }
  }

  #readHead(bytes: Buffer, from: number): number {
    const before = this.#head?.length ?? 0;
    const head = this.#head ? Buffer.concat([this.#head, bytes.subarray(from)]) : bytes.subarray(from);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = Buffer.from(head);
      return bytes.length;
    }
    this.#head = undefined;
    const text = head.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (!text.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(`answered with ${text}`);
    this.#bodyLeft = Number(length);
    if (this.#bodyLeft === 0) this.#onAnswer();
    return from + end + 4 - before;
  }

  #readBody(bytes: Buffer, from: number): number {
    const taken = Math.min(this.#bodyLeft, bytes.length - from);
    this.#bodyLeft -= taken;
    if (this.#bodyLeft === 0) this.#onAnswer();
    return from + taken;
  }
}
