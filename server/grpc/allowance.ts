/** How much of messages that have begun to come may lie in memory for all calls of one connection. */

/** Sixteen of the longest messages; of requests as clients send them, thousands. */
export const mostUnfinishedBytes = 256 * 1024 * 1024;

export class Allowance {
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** A call has so many bytes more, or fewer. Whether they all have no more than they may. */
  change(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.#mostBytes;
  }
}
