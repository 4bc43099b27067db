import { expect } from 'chai';
import { dumpClusters, noPool } from '../../../../agent/admin/cluster-dump.ts';
import { createStatistics } from '../../../../agent/telemetry/statistics.ts';
import type { ClusterView, EndpointView } from '../../../../agent/view/cluster-view.ts';
import { createClusterView } from '../../../../agent/view/cluster-view.ts';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import { combine, type Done, nothingDone, retire } from '../../../../agent/workers/combine.ts';
import { assignment, cluster } from '../view/resources.ts';

const name = 'reviews.default|http|v1';

/** One cluster of two instances, as one process sees it. */
function clusterOf(): { view: ClusterView; a: EndpointView; b: EndpointView } {
  const config = cluster(name, {
    outlierDetection: { consecutive_5xx: { value: 1 }, maxEjectionPercent: { value: 100 } },
  });
  const endpoints = assignment(name, [
    { id: 'a', port: 1 },
    { id: 'b', port: 2 },
  ]);
  const view = createClusterView(config, endpoints, { zone: '', previous: undefined });
  const [a, b] = view.endpoints;
  return a === undefined || b === undefined ? expect.fail('two instances') : { view, a, b };
}

const dumpOf = (view: ClusterView, pool = noPool) =>
  dumpClusters({ ...createEmptyMeshView(), clusters: new Map([[name, view]]) }, () => pool);
const ended = { status: 200, durationMs: 1, isTunnel: false, bytesIn: 10, bytesOut: 100, ending: 'passed' } as const;

/** A worker that has sent so many requests to `a`, one of which is under way, and ejected it at that time. */
function worker(requests: number, ejectedAtMs?: number): Done {
  const { view, a } = clusterOf();
  const outbound = createStatistics(() => new Map());
  for (let index = 0; index < requests; index++) {
    outbound.total.begin();
    if (index > 0) outbound.total.end(ended);
  }
  view.breaker.tryAcquireRequest();
  a.load.active = 1;
  if (ejectedAtMs !== undefined) view.outlier?.report(a.load, '5xx', ejectedAtMs);
  return {
    traffic: { outbound: { ...outbound.snapshot(), openConnections: 1 } },
    clusters: dumpOf(view, { connections: 2, idle: 1, waiting: 0 }),
    accessLog: { written: requests, dropped: 1 },
  };
}

describe('the reports of workers together', () => {
  const own = () => dumpOf(clusterOf().view);

  it('are what one process would have reported', () => {
    const { traffic, clusters, accessLog } = combine(own(), [worker(3), worker(5)]);
    expect(accessLog).to.deep.equal({ written: 8, dropped: 2 });
    expect(traffic.outbound).to.deep.include({
      requests: 8,
      active: 2,
      passed: { '2xx': 6 },
      openConnections: 2,
    });
    expect(clusters).to.have.lengthOf(1);
    expect(clusters[0]?.active).to.deep.include({ requests: 2 });
    const pool = { connections: 4, idle: 2, waiting: 0 };
    expect(
      clusters[0]?.instances.map(({ activeRequests, weight, pool }) => ({ activeRequests, weight, pool })),
    ).to.deep.equal([
      { activeRequests: 2, weight: 1, pool },
      { activeRequests: 0, weight: 1, pool },
    ]);
  });

  it('are what the main process knows when there are none', () => {
    const base = own();
    expect(combine(base, [])).to.deep.equal({ ...nothingDone, clusters: base });
  });

  it('say until when the last of them does not ask an instance, and count all ejections', () => {
    const [early, late] = [Date.parse('2026-01-01T00:00:00Z'), Date.parse('2026-01-01T00:00:10Z')];
    const [dump] = combine(own(), [worker(1, late), worker(1), worker(1, early)]).clusters;
    expect(dump?.instances.map(({ ejectedUntil }) => ejectedUntil)).to.deep.equal(['2026-01-01T00:00:40.000Z', null]);
    expect(dump?.ejections).to.deep.include({ consecutive5xx: 2 });
  });

  it('leave out clusters that are no more', () => expect(combine([], [worker(1)]).clusters).to.deep.equal([]));
});

describe('what is left of a worker that has ended', () => {
  it('are its counts, without what was under way', () => {
    const base = dumpOf(clusterOf().view);
    const past = retire(combine(base, [worker(3, 0)]));
    const { traffic, clusters, accessLog } = combine(base, [past, worker(2)]);
    expect(accessLog).to.deep.equal({ written: 5, dropped: 2 });
    expect(traffic.outbound).to.deep.include({
      requests: 5,
      active: 1,
      passed: { '2xx': 3 },
      openConnections: 1,
    });
    expect(clusters[0]?.active.requests).to.equal(1);
    expect(clusters[0]?.ejections).to.deep.include({ consecutive5xx: 1 });
    expect(
      clusters[0]?.instances.map(({ activeRequests, ejectedUntil }) => [activeRequests, ejectedUntil]),
    ).to.deep.equal([
      [1, null],
      [0, null],
    ]);
  });
});
