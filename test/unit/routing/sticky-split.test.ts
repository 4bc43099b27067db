import { expect } from 'chai';
import fc from 'fast-check';
import { createStickySplit } from '../../../routing/sticky-split.ts';
import { fuzzRuns } from './resources.ts';

const keys = Array.from({ length: 2_000 }, (_, index) => `user-${index}`);

function splitOf(weights: readonly number[]) {
  return createStickySplit(weights.map((weight, index) => ({ name: `reviews.default|http|v${index}`, weight })));
}

function countsOf(weights: readonly number[], users: readonly string[]): number[] {
  const split = splitOf(weights);
  const counts = weights.map(() => 0);
  for (const user of users) {
    const picked = split.pick(user);
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

describe('the sticky split', () => {
  it('sends a key to the same backend always', () => {
    const [once, again] = [splitOf([50, 30, 20]), splitOf([50, 30, 20])];
    expect(keys.map((key) => once.pick(key))).to.deep.equal(keys.map((key) => again.pick(key)));
  });

  it('never moves a user back when 10 % becomes 25 %', () => {
    const [before, after] = [splitOf([90, 10]), splitOf([75, 25])];
    const movedBack = keys.filter((key) => before.pick(key) === 1 && after.pick(key) === 0);
    expect(movedBack).to.deep.equal([]);
  });

  it('moves nobody when all weights are doubled', () => {
    const [before, after] = [splitOf([45, 5, 11]), splitOf([90, 10, 22])];
    expect(keys.filter((key) => before.pick(key) !== after.pick(key))).to.deep.equal([]);
  });

  it('moves only the users of a backend that goes away', () => {
    const [before, after] = [splitOf([40, 30, 20, 10]), splitOf([40, 0, 20, 10])];
    const moved = keys.filter((key) => before.pick(key) !== after.pick(key));
    expect(new Set(moved.map((key) => before.pick(key)))).to.deep.equal(new Set([1]));
  });

  it('never picks a backend of weight 0', () => {
    expect(countsOf([0, 1, 0], keys)).to.deep.equal([0, keys.length, 0]);
  });

  for (const weights of [
    [90, 10],
    [1, 99],
    [33, 33, 34],
    [1, 2, 3, 4, 5, 6, 7],
  ]) {
    it(`gives ${weights.join(':')} their shares of the users`, () => {
      const users = Array.from({ length: 100_000 }, (_, index) => `session/${index}`);
      const sum = weights.reduce((a, b) => a + b, 0);
      countsOf(weights, users).forEach((count, index) => {
        const share = (weights[index] ?? 0) / sum;
        const deviation = Math.sqrt(users.length * share * (1 - share));
        expect(Math.abs(count - users.length * share)).to.be.below(4 * deviation);
      });
    });
  }

  it('property: a key moves from a to b only if the weight of b grew relative to that of a', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(weights, weights, (before, after) => {
        fc.pre(before.some((weight) => weight > 0) && after.some((weight) => weight > 0));
        const [old, next] = [splitOf(before), splitOf(after)];
        for (const key of keys.slice(0, 200)) {
          const [a, b] = [old.pick(key), next.pick(key)];
          // after[b] / before[b] > after[a] / before[a], without a division.
          const grew = (after[b] ?? 0) * (before[a] ?? 0) > (after[a] ?? 0) * (before[b] ?? 0);
          expect(a === b || grew, `${key}: ${a} -> ${b}`).to.equal(true);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });
});
