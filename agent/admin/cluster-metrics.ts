/** What the agent knows of clusters at present, as metrics: only of those that it has sent requests to. */
import type { AgentReport } from './agent-report.ts';
import type { ClusterDump } from './cluster-dump.ts';
import { counter, type Family, gauge, type Sample } from './prometheus-text.ts';

export function clusterFamilies({ clusters, traffic }: Pick<AgentReport, 'clusters' | 'traffic'>): Family[] {
  const sentTo = new Set(Object.values(traffic).flatMap((listener) => Object.keys(listener.clusters)));
  const used = clusters.filter(({ name }) => sentTo.has(name));
  const each = (of: (cluster: ClusterDump) => number): Sample[] =>
    used.map((cluster) => ({ labels: { cluster: cluster.name }, value: of(cluster) }));
  const by = (label: string, of: (cluster: ClusterDump) => Readonly<Record<string, number>>): Sample[] =>
    used.flatMap((cluster) =>
      Object.entries(of(cluster)).map(([text, value]) => ({ labels: { cluster: cluster.name, [label]: text }, value })),
    );
  return [
    gauge(
      'sluice_agent_cluster_connections',
      'Connections to instances.',
      each(({ active }) => active.connections),
    ),
    gauge('sluice_agent_cluster_idle_connections', 'Those of them that no request uses.', each(idleOf)),
    gauge(
      'sluice_agent_cluster_requests_active',
      'Requests that have a connection.',
      each(({ active }) => active.requests),
    ),
    gauge(
      'sluice_agent_cluster_requests_waiting',
      'Requests that wait for a connection.',
      each(({ active }) => active.pending),
    ),
    counter('sluice_agent_cluster_overflow_total', 'Times a circuit breaker refused.', by('limit', overflowOf)),
    gauge('sluice_agent_cluster_instances', 'Instances, by what the registry says of them.', by('state', statesOf)),
    gauge('sluice_agent_cluster_ejected_instances', 'Instances that are ejected.', each(ejectedOf)),
    counter(
      'sluice_agent_cluster_ejections_total',
      'Ejections of instances, by cause.',
      by('cause', ({ ejections }) => ({ ...ejections })),
    ),
    gauge(
      'sluice_agent_cluster_panic',
      '1 while suspicion is ignored.',
      each(({ panic }) => Number(panic)),
    ),
  ];
}

function idleOf({ instances }: ClusterDump): number {
  return instances.reduce((sum, { pool }) => sum + pool.idle, 0);
}

function overflowOf({ overflow }: ClusterDump): Record<string, number> {
  return {
    connections: overflow.connectionOverflow,
    pending: overflow.pendingOverflow,
    requests: overflow.requestOverflow,
    retries: overflow.retryOverflow,
  };
}

function statesOf({ instances }: ClusterDump): Record<string, number> {
  const states = { healthy: 0, degraded: 0, unavailable: 0 };
  for (const { availability } of instances) states[availability]++;
  return states;
}

function ejectedOf({ instances }: ClusterDump): number {
  return instances.filter(({ ejectedUntil }) => ejectedUntil !== null).length;
}
