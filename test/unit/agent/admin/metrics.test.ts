import { expect } from 'chai';
import type { AgentReport } from '../../../../agent/admin/agent-report.ts';
import { dumpClusters } from '../../../../agent/admin/cluster-dump.ts';
import { clusterFamilies } from '../../../../agent/admin/cluster-metrics.ts';
import { renderFamily } from '../../../../agent/admin/prometheus-text.ts';
import { trafficFamilies } from '../../../../agent/admin/traffic-metrics.ts';
import { createStatistics } from '../../../../agent/telemetry/statistics.ts';
import { createClusterView } from '../../../../agent/view/cluster-view.ts';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import { HealthStatus } from '../../../../proto/types.ts';
import { readPrometheus } from '../../../support/prometheus.ts';
import { assignment, cluster, serviceResources, viewOf } from '../view/resources.ts';

const v1 = 'reviews.default|http|v1';
const ended = { isTunnel: false, bytesIn: 100, bytesOut: 1_000 };

function traffic(): AgentReport['traffic'] {
  const statistics = createStatistics(() => new Map());
  const { total } = statistics;
  const odd = statistics.route({ cluster: v1, rule: 'odd "rule"\\\n' });
  const usual = statistics.route({ cluster: v1, rule: 'default/canary/all' });
  const redirect = statistics.route({ cluster: '', rule: 'default/canary/old' });
  for (const [counter, ending, status, durationMs] of [
    [usual, 'passed', 200, 1.5],
    [usual, 'passed', 503, 100_000],
    [usual, 'timeout', 504, 2_000],
    [odd, 'client-gone', 0, 0.1],
    [odd, 'broken-off', 200, 30],
    [redirect, 'redirect', 308, 0.1],
  ] as const) {
    for (const each of [total, counter]) {
      each.begin();
      each.end({ ...ended, ending, status, durationMs });
    }
  }
  statistics.countAttempt('retry', v1);
  statistics.countMirror('left-out');
  statistics.countConnection('accepted');
  return { outbound: { ...statistics.snapshot(), openConnections: 1 } };
}

function report(): Pick<AgentReport, 'clusters' | 'traffic' | 'view'> {
  const endpoints = assignment(v1, [
    { id: 'a', port: 1 },
    { id: 'b', port: 2, health: HealthStatus.DEGRADED },
  ]);
  const more = { outlierDetection: { consecutive_5xx: { value: 1 }, alwaysEjectOneHost: { value: true } } };
  const view = createClusterView(cluster(v1, more), endpoints, { zone: '', previous: undefined });
  const unused = createClusterView(cluster('b.default|http|'), assignment('b.default|http|', []), {
    zone: '',
    previous: undefined,
  });
  for (const { load } of view.endpoints.slice(0, 1)) view.outlier?.report(load, '5xx', 0);
  view.breaker.tryAcquireConnection();
  const clusters = new Map([view, unused].map((each) => [each.name, each]));
  const poolOf = () => ({ connections: 2, idle: 1, waiting: 0 });
  const moved = { name: 'default/canary/old', match: { prefix: '/old' }, redirect: { hostRedirect: 'new.example' } };
  const { routeTables } = viewOf(serviceResources({ routes: [moved], clusters: {} }));
  const known = { ...createEmptyMeshView(), clusters, routeTables };
  return { clusters: dumpClusters(known, poolOf), traffic: traffic(), view: known };
}

/** `name{label="value"}` of every sample, as Prometheus would print it, without the labels that all have. */
function valuesOf(name: string): Record<string, number> {
  const text = [...trafficFamilies(report()), ...clusterFamilies(report())].map(renderFamily).join('');
  const { samples } = readPrometheus(text).get(name) ?? { samples: [] };
  return Object.fromEntries(
    samples.map(({ labels: { listener: _, ...labels }, value }) => [Object.values(labels).join(' '), value]),
  );
}

describe('the metrics of an agent', () => {
  for (const { name, want } of [
    { name: 'sluice_agent_requests_total', want: { '': 6 } },
    { name: 'sluice_agent_responses_total', want: { '2xx': 1, '5xx': 1 } },
    { name: 'sluice_agent_local_answers_total', want: { timeout: 1, redirect: 1 } },
    { name: 'sluice_agent_request_bytes_total', want: { '': 600 } },
    { name: 'sluice_agent_mirrored_requests_total', want: { sent: 0, failed: 0, 'left-out': 1 } },
    { name: 'sluice_agent_connections_total', want: { accepted: 1, refused: 0 } },
    {
      name: 'sluice_agent_rule_requests_total',
      want: {
        [`${v1} reviews.default v1 default/canary/all 2xx`]: 1,
        [`${v1} reviews.default v1 default/canary/all 5xx`]: 2,
        [`${v1} reviews.default v1 odd "rule"\\\n broken-off`]: 1,
        [`${v1} reviews.default v1 odd "rule"\\\n client-gone`]: 1,
        ' reviews.default  default/canary/old 3xx': 1,
      },
    },
    { name: 'sluice_agent_cluster_requests_total', want: { [v1]: 5 } },
    { name: 'sluice_agent_cluster_response_bytes_total', want: { [v1]: 5_000 } },
    { name: 'sluice_agent_cluster_connections', want: { [v1]: 1 } },
    { name: 'sluice_agent_cluster_idle_connections', want: { [v1]: 2 } },
    {
      name: 'sluice_agent_cluster_instances',
      want: { [`${v1} healthy`]: 1, [`${v1} degraded`]: 1, [`${v1} unavailable`]: 0 },
    },
    { name: 'sluice_agent_cluster_ejected_instances', want: { [v1]: 1 } },
  ]) {
    it(`have ${name}`, () => expect(valuesOf(name)).to.deep.equal(want));
  }

  it('add durations up from bound to bound', () => {
    const values = valuesOf('sluice_agent_cluster_request_duration_seconds');
    expect(values).to.include({
      [`${v1} 0.000244140625`]: 1,
      [`${v1} 0.001953125`]: 2,
      [`${v1} 0.03125`]: 3,
      [`${v1} 2`]: 4,
      [`${v1} 64`]: 4,
      [`${v1} +Inf`]: 5,
    });
  });
});
