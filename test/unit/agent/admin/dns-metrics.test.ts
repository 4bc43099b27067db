import { expect } from 'chai';
import type { AgentReport } from '../../../../agent/admin/agent-report.ts';
import { dnsFamilies } from '../../../../agent/admin/dns-metrics.ts';
import { renderFamily } from '../../../../agent/admin/prometheus-text.ts';
import { createCounters } from '../../../../agent/dns/counters.ts';

describe('the metrics of the name server', () => {
  const rendered = (dns: AgentReport['dns']) =>
    dnsFamilies({ dns } as AgentReport) // Only what it reads.
      .map(renderFamily)
      .join('')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));

  it('are none without one', () => expect(rendered(undefined)).to.deep.equal([]));

  it('have every number once', () => {
    const counters = createCounters();
    for (const [index, name] of Object.keys(counters).entries()) Object.assign(counters, { [name]: index + 1 });
    const { ownNegatives, tcpRefused, upstreamOverTcp, truncated, ...shown } = counters;
    const values = rendered(counters).map((line) => Number(line.split(' ').at(-1)));
    expect([...values].sort((a, b) => a - b)).to.deep.equal(Object.values(shown).sort((a, b) => a - b));
    expect(rendered(counters)).to.include(`sluice_agent_dns_answers_total{from="cache"} ${counters.cacheHits}`);
  });
});
