/** Round robin: every instance in turn; instances of different weight take turns as smoothly as the exact split does it. */
import { createWeightedSplit } from '../../routing/weighted-split.ts';
import type { Balancer, Candidate } from './balancer.ts';

/** All candidates count as available. Starts anywhere: agents that start together must not all begin with the first. */
export function createRoundRobin<C extends Candidate>(candidates: readonly C[]): Balancer<C> {
  const nextTurn = createTurns(candidates);
  let start: number | undefined;
  return {
    pick(tried, random) {
      start ??= Math.floor(random() * candidates.length);
      // Whoever was tried and did not answer has used up its turn; the others take theirs, so they share its load.
      for (let turn = 0; turn < candidates.length; turn++) {
        const candidate = candidates[nextTurn(start)];
        if (candidate !== undefined && !tried.includes(candidate)) return candidate;
      }
      return candidates.find((candidate) => !tried.includes(candidate));
    },
  };
}

/** Index of the candidate whose turn it is. */
type Turns = (start: number) => number;

function createTurns(candidates: readonly Candidate[]): Turns {
  const weights = candidates.map(({ weight }) => weight);
  if (weights.every((weight) => weight === weights[0])) {
    let turns = 0;
    return (start) => (start + turns++) % weights.length;
  }
  // The split orders equal deadlines by place: to start anywhere is to turn the list.
  let split: ReturnType<typeof createWeightedSplit> | undefined;
  return (start) => {
    split ??= createWeightedSplit([...weights.slice(start), ...weights.slice(0, start)], start);
    return (split.pick() + start) % weights.length;
  };
}
