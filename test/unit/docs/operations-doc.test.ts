import { readFileSync } from 'node:fs';
import { expect } from 'chai';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const metricsIn = (text: string) => [...new Set(text.match(/\bsluice_[a-z_]+\b/g))].sort();

const agentMetrics = ['metrics', 'traffic-metrics', 'cluster-metrics', 'dns-metrics', 'limit-metrics'].map(
  (name) => `agent/admin/${name}.ts`,
);

describe('docs/operations.md and docs/observability.md', () => {
  it('name every metric of server and agent, and no other', () => {
    const sources = ['server/telemetry/metrics.ts', 'server/telemetry/load-metrics.ts', ...agentMetrics]
      .map(read)
      .join('');
    const pages = read('docs/operations.md') + read('docs/observability.md');
    expect(metricsIn(pages)).to.deep.equal(metricsIn(sources));
  });
});
