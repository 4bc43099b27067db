/**
 * The body of a request on its way to an upstream, which may turn out to be the wrong one: as long as the body is short,
 * what was sent is kept and can be sent again from its beginning. A long one streams, with what memory a stream needs.
 */
import type { Readable, Writable } from 'node:stream';

/** Bodies up to this can be sent again. Most requests that change something are shorter; uploads are not. */
export const mostKeptBytes = 64 * 1024;

export class RequestBody {
  readonly #source: Readable;
  /** What has been read so far; undefined once it was more than is kept. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #isReading = false;
  #hasEnded = false;
  #sink: Writable | undefined;

  constructor(source: Readable) {
    this.#source = source;
  }

  get canBeSentAgain(): boolean {
    return this.#kept !== undefined;
  }

  /** Whether all of it has been read, and so written to the present sink. */
  get isComplete(): boolean {
    return this.#hasEnded;
  }

  /** Writes the body from its beginning, as fast as the sink takes it. Only while it can be sent again, or for the first time. */
  sendTo(sink: Writable): void {
    this.#sink = sink;
    for (const chunk of this.#kept ?? []) sink.write(chunk);
    if (this.#hasEnded) {
      sink.end();
      return;
    }
    this.#read();
  }

  /** The sink is no longer of use. The rest of the body waits for the next one. */
  detach(): void {
    this.#sink = undefined;
    if (this.#isReading) this.#source.pause();
  }

  /** Nobody wants the rest, but the next request on the connection stands behind it. */
  discardRest(): void {
    this.#sink = undefined;
    this.#kept = undefined;
    this.#source.resume();
  }

  #read(): void {
    if (this.#isReading) {
      this.#source.resume();
      return;
    }
    this.#isReading = true;
    this.#source.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#source.once('end', () => {
      this.#hasEnded = true;
      this.#sink?.end();
    });
  }

  #onData(chunk: Buffer): void {
    this.#keep(chunk);
    const sink = this.#sink;
    if (sink === undefined || sink.write(chunk)) return;
    this.#source.pause();
    sink.once('drain', () => {
      if (this.#sink === sink) this.#source.resume();
    });
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > mostKeptBytes) this.#kept = undefined;
    this.#kept?.push(chunk);
  }
}
