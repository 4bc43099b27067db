import { expect } from 'chai';
import fc from 'fast-check';
import { type DiffLine, diffLines } from '../../../cli/line-diff.ts';

const runs = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);
const signs = { same: ' ', removed: '-', added: '+' } as const;
const shown = (lines: readonly DiffLine[]) => lines.map(({ is, text }) => signs[is] + text).join('');

describe('the lines that differ', () => {
  for (const { sentence, before, after, want } of [
    { sentence: 'keeps equal texts', before: 'abc', after: 'abc', want: ' a b c' },
    { sentence: 'shows a changed line as removed and added', before: 'abc', after: 'axc', want: ' a-b+x c' },
    { sentence: 'shows everything of a new text as added', before: '', after: 'ab', want: '+a+b' },
    { sentence: 'shows everything of a text that goes as removed', before: 'ab', after: '', want: '-a-b' },
    { sentence: 'keeps what moved around', before: 'abcd', after: 'bcda', want: '-a b c d+a' },
  ]) {
    it(sentence, () => {
      expect(shown(diffLines([...before], [...after]))).to.equal(want);
    });
  }

  it('shows huge texts as replaced', () => {
    const lines = (mark: string) => Array.from({ length: 5_000 }, (_, index) => `${mark}${index}`);
    expect(diffLines(lines('a'), lines('b'))).to.have.length(10_000);
  });

  it('property: leads from one text to the other, and back', () => {
    const texts = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 15 });
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const lines = diffLines(before, after);
        const side = (without: DiffLine['is']) => lines.filter(({ is }) => is !== without).map(({ text }) => text);
        expect([side('added'), side('removed')]).to.deep.equal([before, after]);
      }),
      { numRuns: runs },
    );
  });
});
