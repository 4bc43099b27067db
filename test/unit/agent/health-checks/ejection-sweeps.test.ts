import { expect } from 'chai';
import { EjectionSweeps } from '../../../../agent/health-checks/ejection-sweeps.ts';
import { type ClusterView, createClusterView } from '../../../../agent/view/cluster-view.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { assignment, cluster } from '../view/resources.ts';

function ejecting(name: string, intervalSeconds: number, previous?: ClusterView): ClusterView {
  const outlierDetection = {
    consecutive_5xx: { value: 1 },
    alwaysEjectOneHost: { value: true },
    interval: { seconds: intervalSeconds },
    baseEjectionTime: { seconds: 3 },
  };
  const endpoints = assignment(name, [{ id: 'a', port: 1 }]);
  return createClusterView(cluster(name, { outlierDetection }), endpoints, { zone: '', previous });
}

describe('the sweeps of outlier detection', () => {
  const quick = 'quick.default|http|';
  const slow = 'slow.default|http|';

  it('come when each cluster wants them', () => {
    const clock = new FakeClock();
    const sweeps = new EjectionSweeps(clock);
    const clusters = [ejecting(quick, 2), ejecting(slow, 5)];
    sweeps.update(clusters);
    for (const { outlier, endpoints } of clusters) {
      for (const { load } of endpoints) outlier?.report(load, '5xx', clock.now());
    }
    const log = [1, 2, 3, 4, 5].map(() => {
      clock.advance(1_000);
      return clusters.map(({ endpoints }) => (endpoints[0]?.load.outlier.isEjected ? 'ejected' : 'back')).join(' ');
    });
    expect(log).to.deep.equal(['ejected ejected', 'ejected ejected', 'ejected ejected', 'back ejected', 'back back']);
  });

  it('keep their time across swaps', () => {
    const clock = new FakeClock();
    const sweeps = new EjectionSweeps(clock);
    const before = ejecting(slow, 5);
    sweeps.update([before]);
    clock.advance(4_000);
    sweeps.update([ejecting(slow, 5, before)]);
    expect(clock.waiting).to.deep.equal([1_000]);
  });

  it('need no timer when nobody is ejected, and none after the end', () => {
    const clock = new FakeClock();
    const sweeps = new EjectionSweeps(clock);
    const plain = createClusterView(cluster(quick), assignment(quick, []), { zone: '', previous: undefined });
    sweeps.update([plain]);
    expect(clock.waiting).to.deep.equal([]);
    sweeps.update([plain, ejecting(slow, 5)]);
    expect(clock.waiting).to.deep.equal([5_000]);
    sweeps.close();
    expect(clock.waiting).to.deep.equal([]);
  });
});
