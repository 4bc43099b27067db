import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { sluiceVersion } from '../../../process/version.ts';

describe('the version', () => {
  it('is that of package.json', () => {
    const file = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8');
    expect(JSON.parse(file).version).to.equal(sluiceVersion);
  });
});
