import { readFileSync } from 'node:fs';
import { expect } from 'chai';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const metricsIn = (text: string) => [...new Set(text.match(/\bsluice_[a-z_]+\b/g))].sort();

describe('docs/operations.md', () => {
  it('names every metric of server and agent, and no other', () => {
    const sources = read('server/telemetry/metrics.ts') + read('agent/admin/metrics.ts');
    expect(metricsIn(read('docs/operations.md'))).to.deep.equal(metricsIn(sources));
  });
});
