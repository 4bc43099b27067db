import { expect } from 'chai';
import { Patience } from '../../../../server/xds/patience.ts';

describe('patience', () => {
  let nowMs: number;
  let patience: Patience;
  beforeEach(() => {
    nowMs = 7_000;
    patience = new Patience(() => nowMs);
  });
  const isOverAt = (ms: number) => {
    nowMs = ms;
    return patience.isOver();
  };

  it('is endless while nothing is waited for', () => {
    expect(isOverAt(1_000_000)).to.equal(false);
  });

  it('is over once, when what is waited for has not come in time', () => {
    patience.waitFor('1', 5_000);
    expect([11_999, 12_000, 99_000].map(isOverAt)).to.deep.equal([false, true, false]);
  });

  it('begins anew when what is waited for is another, not when it is the same', () => {
    patience.waitFor('1', 5_000);
    nowMs = 10_000;
    patience.waitFor('1', 5_000);
    expect(isOverAt(11_999)).to.equal(false);
    patience.waitFor('2', 5_000);
    expect([12_000, 16_998, 16_999].map(isOverAt)).to.deep.equal([false, false, true]);
  });

  it('ends when what was waited for has come', () => {
    patience.waitFor('1', 5_000);
    patience.waitFor(undefined, 5_000);
    expect(isOverAt(99_000)).to.equal(false);
  });
});
