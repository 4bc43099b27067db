/**
 * A wait of bounded length for one thing after the other: it begins anew whenever what is waited for is another. It has no timer, which
 * thousands of streams would set and clear at each change: somebody has to ask whether it is over.
 */
export class Patience {
  /** Milliseconds, rising. */
  readonly #clock: () => number;
  #what: string | undefined;
  #untilMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** For `mostMs` at most. Undefined: nothing is waited for. */
  waitFor(what: string | undefined, mostMs: number): void {
    if (what === this.#what) return;
    this.#what = what;
    if (what !== undefined) this.#untilMs = this.#clock() + mostMs;
  }

  /** Whether what is waited for has not come in time: true once, then nothing is waited for. */
  isOver(): boolean {
    if (this.#what === undefined || this.#clock() < this.#untilMs) return false;
    this.#what = undefined;
    return true;
  }
}
