import { expect } from 'chai';
import { createStatistics, type Ending, type Statistics } from '../../../../agent/proxy/statistics.ts';

const sizeOf = (statistics: Statistics) => Object.keys(statistics.snapshot().clusters).length;

function begin(statistics: Statistics, cluster: string) {
  const counters = [statistics.total, statistics.cluster(cluster)];
  for (const counter of counters) counter.begin();
  return (ending: Ending) => {
    for (const counter of counters) counter.end(ending, 200);
  };
}

function send(statistics: Statistics, cluster: string, ending: Ending) {
  begin(statistics, cluster)(ending);
}

describe('the statistics of a listener', () => {
  it('counts by cluster, of which some come and go, in bounded space', () => {
    const statistics = createStatistics((cluster) => cluster === 'a|http|kept');
    send(statistics, 'a|http|kept', 'passed');
    const end = begin(statistics, 'a|http|slow');
    for (let version = 0; version < 10_000; version++) {
      const ending = version % 2 === 0 ? 'passed' : 'timeout';
      send(statistics, `a|http|v${version}`, ending);
      if (version % 100 === 0) expect(sizeOf(statistics)).to.be.at.most(1_001);
    }
    end('client-gone');
    const { clusters, requests } = statistics.snapshot();
    expect(clusters['a|http|kept']).to.include({ requests: 1, active: 0 });
    expect(clusters['a|http|slow']).to.include({ requests: 1, active: 0, clientGone: 1 });
    expect(requests).to.equal(10_002);
    const all = Object.values(clusters);
    expect(all.reduce((sum, counters) => sum + counters.requests, 0)).to.equal(requests);
    expect(all.reduce((sum, counters) => sum + (counters.passed['2xx'] ?? 0), 0)).to.equal(5_001);
    expect(all.reduce((sum, counters) => sum + (counters.refused.timeout ?? 0), 0)).to.equal(5_000);
  });

  it('keeps every cluster of the view, and looks for others only when as many have come', () => {
    let asked = 0;
    const statistics = createStatistics(() => {
      asked++;
      return true;
    });
    for (let version = 0; version < 5_000; version++) send(statistics, `a|http|v${version}`, 'passed');
    expect(sizeOf(statistics)).to.equal(5_000);
    expect(asked).to.equal(1_000 + 2_000 + 4_000);
  });
});
