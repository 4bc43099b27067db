/** What there is of what an application may have at the same time, for Prometheus; nothing when it has no limits of its own. */
import type { BreakerCounts } from '../resilience/circuit-breaker.ts';
import type { AgentReport } from './agent-report.ts';
import { counter, type Family, gauge, type Sample } from './prometheus-text.ts';

export function limitFamilies({ limits }: Pick<AgentReport, 'limits'>): Family[] {
  if (limits === undefined) return [];
  const by = (of: (counts: BreakerCounts) => Readonly<Record<string, number>>): Sample[] =>
    Object.entries(limits).flatMap(([direction, { counts }]) =>
      Object.entries(of(counts)).map(([limit, value]) => ({ labels: { direction, limit }, value })),
    );
  return [
    gauge(
      'sluice_agent_limit_active',
      'What there is of what is limited.',
      by(({ connections, requests, pending }) => ({ connections, requests, pending })),
    ),
    counter(
      'sluice_agent_limit_overflow_total',
      'Times a limit refused.',
      by(({ connectionOverflow, requestOverflow, pendingOverflow }) => ({
        connections: connectionOverflow,
        requests: requestOverflow,
        pending: pendingOverflow,
      })),
    ),
  ];
}
