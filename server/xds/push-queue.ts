/**
 * Flushes streams that have something to send: at once after quiet, in slices of the event loop when there are many.
 * A stream stands in it once, however often it changes meanwhile: it is sent the newest state, never a backlog.
 */

/** How long one slice may keep the event loop from reading ACKs. */
const sliceMs = 2;

export interface Flushable {
  flush(): void;
}

export class PushQueue {
  readonly #waiting = new Set<Flushable>();
  /** Milliseconds, rising. */
  readonly #clock: () => number;
  #isScheduled = false;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get length(): number {
    return this.#waiting.size;
  }

  add(streams: Iterable<Flushable>): void {
    for (const stream of streams) this.#waiting.add(stream);
    if (!this.#isScheduled) this.#drain();
  }

  remove(stream: Flushable): void {
    this.#waiting.delete(stream);
  }

  #drain(): void {
    this.#isScheduled = false;
    const untilMs = this.#clock() + sliceMs;
    for (const stream of this.#waiting) {
      this.#waiting.delete(stream);
      stream.flush();
      if (this.#clock() >= untilMs) break;
    }
    if (this.#waiting.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => this.#drain());
  }
}
