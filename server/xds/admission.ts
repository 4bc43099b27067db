/**
 * Lets in new streams, and what they are sent at first, in the order in which they came: after a restart thousands come back at
 * once, and what the first of them are sent must neither keep the event loop from reading what they answer, nor lie in memory
 * for all of them at the same time.
 */

/** How long one slice may keep the event loop. */
const sliceMs = 8;
/** As long as more than this was written to streams and not taken yet, nobody else is let in. */
export const mostUnreadInAll = 64 * 1024 * 1024;
/** Who comes when so many wait already is told to try again. */
export const mostWaiting = 50_000;

export interface AdmissionOptions {
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** Bytes that were written to all streams and not taken yet. */
  readonly unreadBytes: () => number;
  /** Runs something in the next turn of the event loop. */
  readonly defer?: (run: () => void) => void;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Set<() => void>();
  #isScheduled = false;
  /** When the running slice began. */
  #sliceMs: number | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `open` when it is its turn: at once when nobody waits. Answers how to take it back, or undefined when too many wait.
   */
  add(open: () => void): (() => void) | undefined {
    if (this.#waiting.size >= mostWaiting) return undefined;
    const turn = () => open();
    this.#waiting.add(turn);
    if (!this.#isScheduled) this.#drain();
    return () => this.#waiting.delete(turn);
  }

  /** Streams have taken something of what was written to them. */
  onTaken(): void {
    if (this.#waiting.size > 0) this.#schedule();
  }

  #drain(): void {
    const { clock, unreadBytes } = this.#options;
    // All that is let in within one turn of the event loop shares a slice.
    this.#sliceMs ??= clock();
    for (const turn of this.#waiting) {
      if (clock() - this.#sliceMs >= sliceMs || unreadBytes() >= mostUnreadInAll) break;
      this.#waiting.delete(turn);
      turn();
    }
    this.#schedule();
  }

  /** The next slice; when streams have to take something first, `onTaken` comes. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    (this.#options.defer ?? setImmediate)(() => {
      this.#isScheduled = false;
      this.#sliceMs = undefined;
      if (this.#waiting.size > 0 && this.#options.unreadBytes() < mostUnreadInAll) this.#drain();
    });
  }
}
