import { expect } from 'chai';
import { dumpClusters } from '../../../../agent/admin/cluster-dump.ts';
import { type ClusterView, createClusterView } from '../../../../agent/view/cluster-view.ts';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { type Cluster, HealthStatus } from '../../../../proto/types.ts';
import { assignment, cluster } from '../view/resources.ts';

const name = 'reviews.default|http|v1';

function clusterOf(more: Input<Cluster>): ClusterView {
  const endpoints = assignment(name, [
    { id: 'a', port: 1, weight: 3 },
    { id: 'b', port: 2, health: HealthStatus.DEGRADED },
  ]);
  return createClusterView(cluster(name, more), endpoints, { zone: '', previous: undefined });
}

const poolWith = (connections: number) => ({ connections, idle: 0, waiting: 0 });

function dumpOf(...clusters: ClusterView[]) {
  const view = { ...createEmptyMeshView(), clusters: new Map(clusters.map((each) => [each.name, each])) };
  return dumpClusters(view, ({ active }) => poolWith(active));
}

describe('/clusters', () => {
  it('shows what a plain cluster does, and its instances', () => {
    const view = clusterOf({});
    view.breaker.tryAcquireRequest();
    for (const { load } of view.endpoints.slice(1)) load.active = 2;
    const instance = { address: '127.0.0.1', zone: 'z1', ejectedUntil: null, check: null };
    expect(dumpOf(view)).to.deep.equal([
      {
        name,
        protocol: 'http',
        policy: 'round-robin',
        preferredZone: null,
        notInEffect: [],
        panic: false,
        active: { connections: 0, pending: 0, requests: 1, retries: 0 },
        overflow: { connectionOverflow: 0, pendingOverflow: 0, requestOverflow: 0, retryOverflow: 0 },
        ejections: null,
        instances: [
          {
            ...instance,
            instance: 'a',
            port: 1,
            weight: 3,
            availability: 'healthy',
            activeRequests: 0,
            pool: poolWith(0),
          },
          {
            ...instance,
            instance: 'b',
            port: 2,
            weight: 1,
            availability: 'degraded',
            activeRequests: 2,
            pool: poolWith(2),
          },
        ],
      },
    ]);
  });

  for (const { zone, want } of [
    { zone: 'z1', want: { preferredZone: 'z1', notInEffect: [] } },
    {
      zone: '',
      want: {
        preferredZone: null,
        notInEffect: ['localityPreference has no effect: this agent does not know its zone (--zone)'],
      },
    },
  ]) {
    it(`says what becomes of localityPreference ${zone === '' ? 'without a zone' : 'in a zone'}`, () => {
      const filterMetadata = { sluice: toStruct({ localityPreference: 'same-zone-first' }) };
      const wire = cluster(name, { metadata: { filterMetadata } });
      const view = createClusterView(wire, assignment(name, [{ port: 1 }]), { zone, previous: undefined });
      expect(dumpOf(view)[0]).to.deep.include(want);
    });
  }

  it('shows what the agent suspects', () => {
    const view = clusterOf({
      outlierDetection: { consecutive_5xx: { value: 1 }, alwaysEjectOneHost: { value: true } },
      healthChecks: [{ tcpHealthCheck: {} }],
    });
    const [a, b] = view.endpoints;
    if (a !== undefined) view.outlier?.report(a.load, '5xx', Date.parse('2026-01-01T00:00:00Z'));
    if (b !== undefined) b.load.check = { is: 'passing', contrary: 0 };
    const [shown] = dumpOf(view);
    expect(shown).to.deep.include({ panic: true });
    expect(shown?.ejections).to.deep.include({ consecutive5xx: 1, overflow: 0 });
    expect(shown?.instances.map(({ ejectedUntil, check }) => ({ ejectedUntil, check }))).to.deep.equal([
      { ejectedUntil: '2026-01-01T00:00:30.000Z', check: 'unchecked' },
      { ejectedUntil: null, check: 'passing' },
    ]);
  });
});
