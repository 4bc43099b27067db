import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { describeFault, fault } from '../../../agent/http1/fault.ts';

const text = readFileSync(new URL('../../../docs/http1.md', import.meta.url), 'utf8');

describe('docs/http1.md', () => {
  it('lists what is refused as the code says it', () => {
    const rows = [...text.matchAll(/^\| `([^`]+)` \| (.*) \| (RFC .*) \|$/gm)].map((row) => row.slice(1));
    const faults = Object.values(fault).map((number) => {
      const { name, sentence, section } = describeFault(number);
      return [name, sentence, section];
    });
    expect(rows).to.deep.equal(faults);
  });
});
