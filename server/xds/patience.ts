/** A wait of bounded length for one thing after the other: it begins anew whenever what is waited for is another. */
export class Patience {
  readonly #mostMs: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;
  #what: string | undefined;

  constructor(mostMs: number, onOver: () => void) {
    this.#mostMs = mostMs;
    this.#onOver = onOver;
  }

  /** Undefined: nothing is waited for. */
  waitFor(what: string | undefined): void {
    if (what === this.#what) return;
    this.#what = what;
    clearTimeout(this.#timer);
    this.#timer = what === undefined ? undefined : setTimeout(() => this.#end(), this.#mostMs).unref();
  }

  #end(): void {
    this.#what = undefined;
    this.#onOver();
  }
}
