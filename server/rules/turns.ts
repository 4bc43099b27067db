/** Tasks one after the other, in the order in which they were handed in: no one of them can be overtaken for ever. */

export class Turns {
  readonly #defer: (run: () => void) => void;
  /** Ends with the last task that was handed in; never rejects. */
  #last: Promise<void> = Promise.resolve();

  /** `defer` runs something in the next turn of the event loop. */
  constructor(defer: (run: () => void) => void = setImmediate) {
    this.#defer = defer;
  }

  /**
   * Resolves or rejects as the task does; a task that fails stops none of those behind it. Each begins in a turn of the event
   * loop of its own. A task that holds the thread, as one does that writes to the disk, would otherwise be over before the
   * requests behind it are even read: whoever asks again at once would come before those who are still to be accepted.
   */
  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(() => new Promise<void>((resolve) => this.#defer(resolve))).then(task);
    this.#last = result.then(
      () => {},
      () => {},
    );
    return result;
  }
}
