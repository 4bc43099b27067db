/**
 * The rush of reconnections after a start: until it is over nobody's grace runs, however long the crowd takes to come
 * back. Agents reconnect at most 5 s apart, so it is over when none has come for that long.
 */

const quietMs = 5_000;

/** A rush that does not end does not keep the dead for ever. */
const atMostMs = 300_000;

export class Rush {
  readonly #clock: () => number;
  readonly #startedMs: number;
  #lastMs: number;
  #isOver = false;

  /** `clock`: milliseconds, rising. */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#startedMs = clock();
    this.#lastMs = this.#startedMs;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** An agent has come back. */
  onReconnection(): void {
    this.#lastMs = this.#clock();
  }

  /** Whether the rush has ended since the last time this was asked: true once. */
  hasJustEnded(): boolean {
    const nowMs = this.#clock();
    const isQuiet = nowMs - this.#lastMs >= quietMs || nowMs - this.#startedMs >= atMostMs;
    if (this.#isOver || !isQuiet) return false;
    this.#isOver = true;
    return true;
  }
}
