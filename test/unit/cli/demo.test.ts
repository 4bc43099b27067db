import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { liveLine } from '../../../cli/demo/live-view.ts';
import { canaryFolder, isClose, shares, steps } from '../../../cli/demo/steps.ts';
import { parseDocuments } from '../../../model/document.ts';

describe('the demo', () => {
  it('applies files that exist and parse', () => {
    for (const { file } of steps) {
      const text = readFileSync(join(canaryFolder(), file), 'utf8');
      const { resources, problems } = parseDocuments([{ name: file, text }]);
      expect([resources.length, problems], file).to.deep.equal([1, []]);
    }
  });

  for (const { sentence, counts, want } of [
    { sentence: 'accepts the exact split', counts: { v1: 180, v2: 20 }, want: true },
    { sentence: 'accepts one off', counts: { v1: 181, v2: 19 }, want: true },
    { sentence: 'refuses two off', counts: { v1: 182, v2: 18 }, want: false },
    { sentence: 'refuses a version that nobody asked for', counts: { v1: 180, v2: 18, v3: 2 }, want: false },
    { sentence: 'refuses failed requests', counts: { v1: 178, v2: 20, failed: 2 }, want: false },
    { sentence: 'refuses a version that is missing', counts: { v1: 180 }, want: false },
  ]) {
    it(sentence, () => expect(isClose(counts, { v1: 90, v2: 10 })).to.equal(want));
  }

  it('shows shares in the order of versions', () => {
    expect(shares({ v2: 10, v1: 90 }, 2)).to.equal('v1 180, v2 20');
    expect(shares({}, 1)).to.equal('nothing');
  });

  it('shows what the last second brought', () => {
    const line = liveLine({ v1: 100 }, { v1: 250, v2: 50 }, 4, 0);
    expect(line).to.equal('revision 4   200 requests/s   v1 75.0 %  v2 25.0 %   failed 0');
    expect(liveLine({ v1: 1 }, { v1: 1 }, 4, 2)).to.contain('0 requests/s   v1 0.0 %   failed 2');
  });
});
