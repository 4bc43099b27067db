/** Who waits for something to be so. Nobody is told that it has become so: whenever something happened, all are asked. */

export class Conditions {
  readonly #waiting = new Map<() => void, () => boolean>();

  /** Calls back once, when it is so: at once, or when `look` finds it. */
  once(isSo: () => boolean, then: () => void): void {
    if (isSo()) return then();
    this.#waiting.set(then, isSo);
  }

  look(): void {
    for (const [then, isSo] of [...this.#waiting]) {
      if (isSo() && this.#waiting.delete(then)) then();
    }
  }
}
