import { expect } from 'chai';
import fc from 'fast-check';
import { durationBounds, Histogram, histogramSlots } from '../../../../agent/telemetry/histogram.ts';
import { fuzzRuns } from '../../routing/resources.ts';

function bucketOf(durationMs: number): number {
  const histogram = new Histogram();
  histogram.record(durationMs);
  return histogram.snapshot().buckets.indexOf(1);
}

describe('a histogram of durations', () => {
  it('has bounds at powers of two of a second, from a quarter of a millisecond to a minute', () => {
    expect(durationBounds).to.have.length(19);
    expect([durationBounds[0], durationBounds[12], durationBounds.at(-1)]).to.deep.equal([2 ** -12, 1, 64]);
  });

  for (const [index, bound] of durationBounds.entries()) {
    it(`counts ${bound} s in its own bucket, and the least bit more in the next`, () => {
      expect(bucketOf(bound * 1_000)).to.equal(index);
      expect(bucketOf(bound * 1_000 * (1 + 2 ** -50))).to.equal(index + 1);
    });
  }

  it('counts what is longer than any bound, and what a clock that is set back makes of a duration', () => {
    expect(bucketOf(1e12)).to.equal(durationBounds.length);
    expect([bucketOf(0), bucketOf(-5)]).to.deep.equal([0, 0]);
  });

  it('has the property that each duration lies at or below its bound and above the one before', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 200_000, noNaN: true }), (durationMs) => {
        const bucket = bucketOf(durationMs);
        expect(durationMs).to.be.at.most((durationBounds[bucket] ?? Number.POSITIVE_INFINITY) * 1_000);
        expect(durationMs).to.be.above((durationBounds[bucket - 1] ?? -1) * 1_000);
      }),
      { numRuns: fuzzRuns },
    );
  });

  it('adds up in seconds, and stays within its slots', () => {
    const slots = new Float64Array(histogramSlots + 4);
    const histogram = new Histogram(slots, 2);
    for (const ms of [-1, 1, 10, 100, 100_000]) histogram.record(ms);
    const { count, sum, buckets } = histogram.snapshot();
    expect({ count, sum, longest: buckets.at(-1) }).to.deep.equal({ count: 5, sum: 100.11, longest: 1 });
    expect([...slots.subarray(0, 2), ...slots.subarray(-2)]).to.deep.equal([0, 0, 0, 0]);
  });
});
