/**
 * A wait of bounded length for one thing after the other: it begins anew whenever what is waited for is another. When the time is over the client
 * is asked for a sign of life, and only once that has come nobody waits any longer: a process that is stopped is waited for, and goes on
 * in order when it runs again. There is no timer, which thousands of streams would set and clear at each change: somebody has to ask whether it is over.
 */

/** From the sign of life on: what the client has to say it says by then. */
const graceMs = 900;

export class Patience {
  /** Milliseconds, rising. */
  readonly #clock: () => number;
  readonly #askForSign: (onSign: () => void) => void;
  #what: string | undefined;
  #untilMs = 0;
  #phase: 'waiting' | 'asking' | 'alive' = 'waiting';
  /** Counts what was waited for: a sign may come late. */
  #wait = 0;

  /** `askForSign` calls back when the client has given one. */
  constructor(clock: () => number, askForSign: (onSign: () => void) => void) {
    this.#clock = clock;
    this.#askForSign = askForSign;
  }

  /** For `mostMs`, and until the client gives a sign of life. Undefined: nothing is waited for. */
  waitFor(what: string | undefined, mostMs: number): void {
    if (what === this.#what) return;
    this.#what = what;
    if (what === undefined) return;
    this.#wait++;
    this.#phase = 'waiting';
    this.#untilMs = this.#clock() + mostMs;
  }

  /** Whether what is waited for has not come in time: true once, then nothing is waited for. */
  isOver(): boolean {
    if (this.#what === undefined || this.#clock() < this.#untilMs) return false;
    if (this.#phase === 'waiting') this.#ask();
    else if (this.#phase === 'alive') {
      this.#what = undefined;
      return true;
    }
    return false;
  }

  #ask(): void {
    const wait = this.#wait;
    this.#phase = 'asking';
    this.#askForSign(() => {
      if (wait !== this.#wait) return;
      this.#phase = 'alive';
      this.#untilMs = this.#clock() + graceMs;
    });
  }
}
