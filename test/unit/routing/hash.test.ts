import { expect } from 'chai';
import { combine, hash53, toFraction } from '../../../routing/hash.ts';

const keys = Array.from({ length: 100_000 }, (_, index) => `user-${index}`);

/** Pearson's chi-squared of the hashes over 64 buckets: 63 on average, above 120 once in 50,000 times. */
function chiSquared(bucketOf: (key: string) => number): number {
  const counts = new Array<number>(64).fill(0);
  for (const key of keys) counts[bucketOf(key)] = (counts[bucketOf(key)] ?? 0) + 1;
  const expected = keys.length / 64;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('the hash', () => {
  it('never changes: sticky users hang on it', () => {
    expect(['', 'a', 'user-1', 'Grüße, 世界'].map(hash53)).to.deep.equal([
      2_742_950_707_794_179, 2_147_041_886_523_515, 3_164_731_239_351_302, 8_139_692_713_345_193,
    ]);
    expect(combine(hash53('a'), hash53('b'))).to.equal(4_161_592_475_726_807);
  });

  it('differs for 100,000 keys that differ in a digit', () => {
    expect(new Set(keys.map(hash53)).size).to.equal(keys.length);
  });

  it('fills its upper bits evenly', () => {
    expect(chiSquared((key) => Math.floor(hash53(key) / 2 ** 47))).to.be.below(120);
  });

  it('fills its lower bits evenly', () => {
    expect(chiSquared((key) => hash53(key) % 64)).to.be.below(120);
  });

  it('combines two hashes evenly, and minds their order', () => {
    const other = hash53('reviews.default|http|v1');
    expect(chiSquared((key) => Math.floor(combine(hash53(key), other) / 2 ** 47))).to.be.below(120);
    expect(combine(1, 2)).to.not.equal(combine(2, 1));
  });

  it('changes every bit of the result in half of the cases when one character changes', () => {
    const flips = new Array<number>(53).fill(0);
    for (const key of keys) {
      const [a, b] = [BigInt(hash53(`${key}a`)), BigInt(hash53(`${key}b`))];
      flips.forEach((count, bit) => {
        flips[bit] = count + Number(((a ^ b) >> BigInt(bit)) & 1n);
      });
    }
    const shares = flips.map((count) => count / keys.length);
    expect(Math.min(...shares)).to.be.above(0.49);
    expect(Math.max(...shares)).to.be.below(0.51);
  });

  it('reads as a fraction that is never 0 or 1', () => {
    expect(toFraction(0)).to.be.above(0);
    expect(toFraction(2 ** 53 - 1)).to.be.below(1);
  });
});
