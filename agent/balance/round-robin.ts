/** Round robin: every instance in turn; instances of different weight take turns in proportion to it, without runs. */
import type { Balancer, Candidate } from './balancer.ts';
import { anyUntried } from './untried.ts';
import { createWeightedTurns, type Turns } from './weighted-turns.ts';

/** All candidates count as available. Starts anywhere: agents that start together must not all begin with the first. */
export class RoundRobinBalancer<C extends Candidate> implements Balancer<C> {
  readonly #candidates: readonly C[];
  readonly #turns: Turns;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    const weights = candidates.map(({ weight }) => weight);
    const isEven = weights.every((weight) => weight === weights[0]);
    this.#turns = isEven ? new EvenTurns(weights.length) : createWeightedTurns(weights);
  }

  pick(tried: readonly C[], random: () => number): C | undefined {
    // Whoever was tried and did not answer has used up its turn; the others take theirs, so they share its load.
    for (let turn = 0; turn < this.#candidates.length; turn++) {
      const candidate = this.#candidates[this.#turns.next(random)];
      if (candidate !== undefined && !tried.includes(candidate)) return candidate;
    }
    // Those of great weight had all of these turns.
    return anyUntried(this.#candidates, tried, random);
  }

  peek(): readonly C[] {
    const next = this.#candidates[this.#turns.peek()];
    return next === undefined ? this.#candidates : [next];
  }

  guess(tried: readonly C[], random: () => number): C | undefined {
    // To begin is not to take a turn; without it, chance would be asked for each guess, and never be right.
    this.#turns.begin(random);
    const next = this.#candidates[this.#turns.peek()];
    return next === undefined || tried.includes(next) ? anyUntried(this.#candidates, tried, random) : next;
  }
}

class EvenTurns implements Turns {
  readonly #length: number;
  /** Whose turn was the last; -1: they have not begun. */
  #last = -1;

  constructor(length: number) {
    this.#length = length;
  }

  begin(random: () => number): void {
    if (this.#last !== -1) return;
    const first = Math.floor(random() * this.#length);
    this.#last = (first === 0 ? this.#length : first) - 1;
  }

  peek(): number {
    if (this.#last === -1) return this.#length === 1 ? 0 : -1;
    return this.#last + 1 === this.#length ? 0 : this.#last + 1;
  }

  next(random: () => number): number {
    this.begin(random);
    this.#last = this.peek();
    return this.#last;
  }
}
