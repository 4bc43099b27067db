/**
 * A wait of bounded length for one thing after the other: it begins anew whenever what is waited for is another. It has no timer, which
 * thousands of streams would set and clear at each change: somebody has to ask whether it is over.
 */
export class Patience {
  readonly #mostMs: number;
  /** Milliseconds, rising. */
  readonly #clock: () => number;
  #what: string | undefined;
  #sinceMs = 0;

  constructor(mostMs: number, clock: () => number) {
    this.#mostMs = mostMs;
    this.#clock = clock;
  }

  /** Undefined: nothing is waited for. */
  waitFor(what: string | undefined): void {
    if (what === this.#what) return;
    this.#what = what;
    if (what !== undefined) this.#sinceMs = this.#clock();
  }

  /** Whether what is waited for has not come in time: true once, then nothing is waited for. */
  isOver(): boolean {
    if (this.#what === undefined || this.#clock() - this.#sinceMs < this.#mostMs) return false;
    this.#what = undefined;
    return true;
  }
}
