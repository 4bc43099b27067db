/**
 * How far a client is while there is always something under way: under a storm of changes no moment comes at which it has
 * answered all that it was sent. It has passed a state when it has answered what was sent until all of that state had been.
 * Two states are remembered at most, the one that is waited for and the newest, however many there were in between.
 */

export interface State {
  readonly revision: number;
  readonly sequence: number;
}

interface Checkpoint {
  readonly state: State;
  /** Number of the last response that belongs to it. */
  nonce: number;
}

export class Checkpoints {
  #next: Checkpoint | undefined;
  #newest: Checkpoint | undefined;

  /** All of the state was sent, with the responses up to this number. */
  onSent(state: State, nonce: number): void {
    const checkpoint = { state, nonce };
    if (this.#next === undefined) this.#next = checkpoint;
    else this.#newest = checkpoint;
  }

  /** The newest state that the client has passed; undefined when it is none that was not told before. `oldest`: number of the oldest response without an answer. */
  passed(oldest: number): State | undefined {
    let passed: State | undefined;
    while (this.#next !== undefined && this.#next.nonce < oldest) {
      passed = this.#next.state;
      this.#next = this.#newest;
      this.#newest = undefined;
    }
    return passed;
  }

  /** The client has asked for more, which belongs to these states, too: up to this number all of it was sent; undefined: not yet. */
  onMoreSent(nonce: number | undefined): void {
    if (nonce === undefined) return this.clear();
    if (this.#next !== undefined) this.#next.nonce = nonce;
    if (this.#newest !== undefined) this.#newest.nonce = nonce;
  }

  clear(): void {
    this.#next = undefined;
    this.#newest = undefined;
  }
}
