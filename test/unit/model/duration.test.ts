import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalDuration, duration, durationMs } from '../../../model/duration.ts';
import { parseValue } from '../../../model/parse.ts';
import { fuzz } from './fuzz-runs.ts';

describe('a duration', () => {
  for (const [written, canonical, ms] of [
    ['500ms', '500ms', 500],
    ['2000ms', '2s', 2_000],
    ['2s', '2s', 2_000],
    ['0.5s', '500ms', 500],
    ['90s', '90s', 90_000],
    ['120s', '2m', 120_000],
    ['1.1m', '66s', 66_000],
    ['60m', '1h', 3_600_000],
    ['24h', '24h', 86_400_000],
    ['007s', '7s', 7_000],
  ] as const) {
    it(`written ${written} is kept as ${canonical} and is ${ms} ms`, () => {
      expect(parseValue(duration, written)).to.deep.equal({ ok: true, value: canonical });
      expect(durationMs(canonical)).to.equal(ms);
    });
  }

  const form = 'must be a duration: a number with its unit ms, s, m or h, such as 500ms, 2s or 1.5m; found ';
  for (const [written, message] of [
    [2, `${form}2`],
    ['2', `${form}"2"`],
    ['2 s', `${form}"2 s"`],
    ['2sec', `${form}"2sec"`],
    ['-2s', `${form}"-2s"`],
    ['1h30m', `${form}"1h30m"`],
    ['2S', `${form}"2S"`],
    ['', `${form}""`],
    [null, `${form}null`],
    [undefined, 'is missing'],
    ['0s', 'must be a duration above 0'],
    ['0.5ms', 'must be a duration of whole milliseconds'],
    ['25h', 'must be a duration of at most 24h'],
  ] as const) {
    it(`written ${JSON.stringify(written)} is refused with a sentence`, () => {
      expect(parseValue(duration, written)).to.deep.equal({ ok: false, faults: [{ path: [], message }] });
    });
  }

  it('property: its canonical text means the same milliseconds and is canonical itself', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 86_400_000 }), (ms) => {
        const text = canonicalDuration(ms);
        expect(durationMs(text)).to.equal(ms);
        expect(parseValue(duration, text)).to.deep.equal({ ok: true, value: text });
      }),
      fuzz,
    );
  });

  it('throws in code that asks for the milliseconds of what is none', () => {
    expect(() => durationMs('soon')).to.throw(RangeError, 'not a duration: soon');
  });
});
