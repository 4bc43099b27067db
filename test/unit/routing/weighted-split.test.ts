import { expect } from 'chai';
import fc from 'fast-check';
import { createWeightedSplit } from '../../../routing/weighted-split.ts';
import { fuzzRuns } from './resources.ts';

/** The greatest distance, in requests, of any backend from its share after any of so many picks. Exact: all in integers. */
function greatestError(weights: readonly number[], picks: number, phase = 0): number {
  const split = createWeightedSplit(weights, phase);
  const sum = weights.reduce((a, b) => a + b, 0);
  const counts = weights.map(() => 0n);
  let greatest = 0n;
  for (let n = 1; n <= picks; n++) {
    const picked = split.pick();
    counts[picked] = (counts[picked] ?? 0n) + 1n;
    weights.forEach((weight, index) => {
      const error = BigInt(weight) * BigInt(n) - (counts[index] ?? 0n) * BigInt(sum);
      const size = error < 0n ? -error : error;
      if (size > greatest) greatest = size;
    });
  }
  return Number(greatest) / sum;
}

function bound(weights: readonly number[]): number {
  const used = weights.filter((weight) => weight > 0).length;
  return used === 1 ? 0 : 1 - 1 / (2 * used - 2);
}

function countsAfter(weights: readonly number[], picks: number, phase = 0): number[] {
  const split = createWeightedSplit(weights, phase);
  const counts = weights.map(() => 0);
  for (let n = 0; n < picks; n++) {
    const picked = split.pick();
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

describe('the exact split', () => {
  for (const { name, weights } of [
    { name: '90:10', weights: [90, 10] },
    { name: '1:999', weights: [1, 999] },
    { name: '33:33:34', weights: [33, 33, 34] },
    { name: 'nine equal backends', weights: Array.from({ length: 9 }, () => 1) },
    { name: 'a heavy one among light ones', weights: [1, 1, 1, 1, 1, 95] },
    { name: 'a backend of weight 0', weights: [3, 0, 5] },
    { name: 'one backend alone', weights: [7] },
    { name: 'one backend beside weights of 0', weights: [0, 7, 0] },
    { name: 'the greatest weights', weights: [2 ** 31, 2 ** 31 - 1] },
    { name: 'weights without a common divisor', weights: [1_000_003, 999_983, 700_001, 13] },
  ]) {
    it(`keeps ${name} within the bound in every prefix`, () => {
      expect(greatestError(weights, 3_000)).to.be.at.most(bound(weights));
    });
  }

  it('gives each backend exactly its weight over a period', () => {
    expect(countsAfter([33, 33, 34], 100)).to.deep.equal([33, 33, 34]);
    expect(countsAfter([1, 999], 1_000)).to.deep.equal([1, 999]);
    expect(countsAfter([2, 3, 5, 7], 17 * 10)).to.deep.equal([20, 30, 50, 70]);
  });

  it('gives exactly the weights over a period from any phase', () => {
    const phases = Array.from({ length: 40 }, (_, phase) => countsAfter([9, 1], 10, phase));
    expect(new Set(phases.map(String))).to.deep.equal(new Set(['9,1']));
  });

  it('sends the first v2 request of a 90:10 split at any of ten places, by phase', () => {
    const firsts = Array.from({ length: 10 }, (_, phase) => {
      const split = createWeightedSplit([90, 10], phase);
      return Array.from({ length: 10 }, () => split.pick()).indexOf(1);
    });
    expect(firsts.sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('never picks a backend of weight 0', () => {
    expect(countsAfter([5, 0, 3, 0], 8_000)).to.deep.equal([5_000, 0, 3_000, 0]);
  });

  it('reads 90:10 and 9:1 as the same shares', () => {
    expect(createWeightedSplit([90, 10], 0).weights).to.deep.equal(createWeightedSplit([9, 1], 0).weights);
  });

  for (const { name, weights, message } of [
    { name: 'weights that are all 0', weights: [0, 0], message: 'weights add up to 0; expected 1 to 4294967295' },
    { name: 'no backend', weights: [], message: 'weights add up to 0; expected 1 to 4294967295' },
    { name: 'a negative weight', weights: [1, -1], message: 'weight -1 is no integer of 0 or more' },
    { name: 'a fraction', weights: [0.5, 0.5], message: 'weight 0.5 is no integer of 0 or more' },
    {
      name: 'a sum of more than 32 bits',
      weights: [2 ** 32 - 1, 1],
      message: 'weights add up to 4294967296; expected 1 to 4294967295',
    },
  ]) {
    it(`refuses ${name}`, () => expect(() => createWeightedSplit(weights, 0)).to.throw(RangeError, message));
  }

  it('property: every prefix is within 1 - 1/(2k-2) for any weights', () => {
    const weights = fc.array(fc.oneof(fc.nat(10), fc.nat(1_000), fc.nat(2 ** 28)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(weights, (list) => {
        fc.pre(list.some((weight) => weight > 0));
        expect(greatestError(list, 400)).to.be.at.most(bound(list));
      }),
      { numRuns: fuzzRuns },
    );
  });

  it('property: a look at the next pick is what the pick is, and changes nothing', () => {
    const weights = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(weights, fc.nat(), (list, phase) => {
        fc.pre(list.some((weight) => weight > 0));
        const [looked, alone] = [createWeightedSplit(list, phase), createWeightedSplit(list, phase)];
        for (let i = 0; i < 100; i++) {
          const next = looked.peek();
          expect([looked.peek(), looked.pick()]).to.deep.equal([next, alone.pick()]).and.include(next);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });

  it('property: two backends stay within less than one request from any phase', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31), fc.nat(2 ** 52), (a, b, phase) => {
        fc.pre(a + b > 0);
        expect(greatestError([a, b], 400, phase)).to.be.below(1);
      }),
      { numRuns: fuzzRuns },
    );
  });

  it('property: small weights are met exactly over a period', () => {
    const weights = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(weights, fc.nat(), (list, phase) => {
        const sum = list.reduce((a, b) => a + b, 0);
        fc.pre(sum > 0);
        expect(countsAfter(list, sum, phase)).to.deep.equal(list);
      }),
      { numRuns: fuzzRuns },
    );
  });
});
