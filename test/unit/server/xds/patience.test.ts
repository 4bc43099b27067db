import { expect } from 'chai';
import { Patience } from '../../../../server/xds/patience.ts';

describe('patience', () => {
  let nowMs: number;
  let patience: Patience;
  let signs: (() => void)[];
  beforeEach(() => {
    nowMs = 7_000;
    signs = [];
    patience = new Patience(
      () => nowMs,
      (onSign) => signs.push(onSign),
    );
  });
  const isOverAt = (ms: number) => {
    nowMs = ms;
    return patience.isOver();
  };
  /** The client gives the sign of life that it was asked for last. */
  const sign = () => signs.pop()?.();

  it('is endless while nothing is waited for', () => {
    expect(isOverAt(1_000_000)).to.equal(false);
  });

  it('is over once, when what is waited for has not come in time', () => {
    patience.waitFor('1', 5_000);
    expect([11_999, 12_000].map(isOverAt)).to.deep.equal([false, false]);
    sign();
    expect([12_899, 12_900, 99_000].map(isOverAt)).to.deep.equal([false, true, false]);
  });

  it('is endless with a client that gives no sign of life, and asks for one once', () => {
    patience.waitFor('1', 5_000);
    expect([12_000, 13_000, 1_000_000].map(isOverAt)).to.deep.equal([false, false, false]);
    expect(signs).to.have.length(1);
    sign();
    expect([1_000_899, 1_000_900].map(isOverAt)).to.deep.equal([false, true]);
  });

  it('is not cut short by a sign that was asked for when something else was waited for', () => {
    patience.waitFor('1', 5_000);
    isOverAt(12_000);
    patience.waitFor('2', 5_000);
    isOverAt(16_000);
    sign();
    expect(isOverAt(17_000)).to.equal(false);
    expect(isOverAt(99_000)).to.equal(false);
  });

  it('begins anew when what is waited for is another, not when it is the same', () => {
    patience.waitFor('1', 5_000);
    nowMs = 10_000;
    patience.waitFor('1', 5_000);
    expect(isOverAt(11_999)).to.equal(false);
    patience.waitFor('2', 5_000);
    expect([12_000, 16_998].map(isOverAt)).to.deep.equal([false, false]);
    expect(signs).to.deep.equal([]);
    expect(isOverAt(16_999)).to.equal(false);
    expect(signs).to.have.length(1);
  });

  it('ends when what was waited for has come', () => {
    patience.waitFor('1', 5_000);
    patience.waitFor(undefined, 5_000);
    expect(isOverAt(99_000)).to.equal(false);
  });
});
