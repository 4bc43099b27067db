import { expect } from 'chai';
import type { Ending } from '../../../../agent/telemetry/counter.ts';
import { createStatistics, type Statistics } from '../../../../agent/telemetry/statistics.ts';

const rule = 'default/canary/all';
const ended = { status: 200, durationMs: 1, isTunnel: false, bytesIn: 10, bytesOut: 100 };

const sizeOf = (statistics: Statistics) =>
  Object.values(statistics.snapshot().clusters).reduce((sum, { rules }) => sum + Object.keys(rules).length, 0);

function begin(statistics: Statistics, cluster: string, by = rule) {
  const counters = [statistics.total, statistics.route({ cluster, rule: by })];
  for (const counter of counters) counter.begin();
  return (ending: Ending) => {
    for (const counter of counters) counter.end({ ...ended, ending });
  };
}

function send(
  statistics: Statistics,
  cluster: string,
  { ending = 'passed', by = rule }: { ending?: Ending; by?: string },
) {
  begin(statistics, cluster, by)(ending);
}

describe('the statistics of a listener', () => {
  it('count by cluster, of which some come and go, in bounded space', () => {
    const statistics = createStatistics(() => new Map([[rule, new Set(['a|http|kept'])]]));
    send(statistics, 'a|http|kept', {});
    const end = begin(statistics, 'a|http|slow');
    for (let version = 0; version < 10_000; version++) {
      const cluster = `a|http|v${version}`;
      send(statistics, cluster, { ending: version % 2 === 0 ? 'passed' : 'timeout' });
      statistics.countAttempt('retry', cluster);
      if (version % 100 === 0) expect(sizeOf(statistics)).to.be.at.most(1_001);
    }
    end('client-gone');
    const { clusters, requests, bytesOut, attempts } = statistics.snapshot();
    expect(clusters['a|http|kept']).to.include({ requests: 1, active: 0 });
    expect(clusters['a|http|slow']).to.include({ requests: 1, active: 0, clientGone: 1 });
    expect({ requests, bytesOut, retries: attempts.retry }).to.deep.equal({
      requests: 10_002,
      bytesOut: 1_000_200,
      retries: 10_000,
    });
    const all = Object.values(clusters);
    const sum = (of: (counters: (typeof all)[number]) => number | undefined) =>
      all.reduce((total, counters) => total + (of(counters) ?? 0), 0);
    expect({
      requests: sum((of) => of.requests),
      passed: sum((of) => of.passed['2xx']),
      timeouts: sum((of) => of.refused.timeout),
      bytesOut: sum((of) => of.bytesOut),
      durations: sum((of) => of.durations.count),
      retries: sum((of) => of.attempts.retry),
    }).to.deep.equal({
      requests,
      passed: 5_001,
      timeouts: 5_000,
      bytesOut,
      durations: requests,
      retries: 10_000,
    });
  });

  it('count by the decision that they know, also when it was thought to be gone, each for itself', () => {
    const cluster = 'a|http|v1';
    const [one, other] = [createStatistics(() => new Map()), createStatistics(() => new Map())];
    const decision = { cluster, rule: 'r/kept' };
    const count = (statistics: Statistics) => {
      const counter = statistics.route(decision);
      counter.begin();
      counter.end({ ...ended, ending: 'passed' });
      return counter;
    };
    expect(count(one)).to.equal(count(one));
    count(other);
    for (let n = 0; n < 3_000; n++) send(one, cluster, { by: `r/${n}` });
    count(one);
    const requestsOf = (statistics: Statistics) => statistics.snapshot().clusters[cluster]?.rules['r/kept']?.requests;
    expect([requestsOf(one), requestsOf(other)]).to.deep.equal([1, 1]);
    expect(one.snapshot().clusters[cluster]?.requests ?? 0).to.be.at.most(3_003);
    const all = Object.values(one.snapshot().clusters).reduce((sum, { requests }) => sum + requests, 0);
    expect(all).to.equal(3_003);
  });

  it('add up the rules that are gone, of a cluster that stays', () => {
    const cluster = 'a|http|v1';
    const statistics = createStatistics(() => new Map([['r/kept', new Set([cluster])]]));
    send(statistics, cluster, { by: 'r/kept' });
    for (let n = 0; n < 3_000; n++) send(statistics, cluster, { by: `r/${n}` });
    const { rules = {}, requests } = statistics.snapshot().clusters[cluster] ?? {};
    expect(Object.keys(rules)).to.have.length.below(1_002);
    expect({ requests, kept: rules['r/kept']?.requests }).to.deep.equal({ requests: 3_001, kept: 1 });
    expect(Object.values(rules).reduce((sum, of) => sum + of.requests, 0)).to.equal(3_001);
  });

  it('keep every rule of the view, and look for those that are gone only when as many have come', () => {
    let asked = 0;
    const clusters = Array.from({ length: 5_000 }, (_, version) => `a|http|v${version}`);
    const statistics = createStatistics(() => {
      asked++;
      return new Map([[rule, new Set(clusters)]]);
    });
    for (const cluster of clusters) send(statistics, cluster, {});
    expect({ size: sizeOf(statistics), asked }).to.deep.equal({ size: 5_000, asked: 3 });
  });

  it('count attempts for no cluster to which no rule has sent anything', () => {
    const statistics = createStatistics(() => new Map());
    statistics.countAttempt('unreachable', 'example.com:80');
    const { clusters, attempts } = statistics.snapshot();
    expect({ clusters, unreachable: attempts.unreachable }).to.deep.equal({ clusters: {}, unreachable: 1 });
  });
});
