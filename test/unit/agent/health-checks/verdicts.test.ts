import { expect } from 'chai';
import { takeVerdict, verdictsOf } from '../../../../agent/health-checks/verdicts.ts';
import { type ClusterView, createClusterView } from '../../../../agent/view/cluster-view.ts';
import { assignment, cluster } from '../view/resources.ts';

const name = 'reviews.default|http|v1';

/** The same cluster in another process. */
function clusters(): Map<string, ClusterView> {
  const endpoints = assignment(name, [
    { id: 'a', port: 1 },
    { id: 'b', port: 2 },
    { id: 'c', port: 3 },
  ]);
  const config = cluster(name, { healthChecks: [{ tcpHealthCheck: {} }] });
  return new Map([[name, createClusterView(config, endpoints, { zone: '', previous: undefined })]]);
}

const found = (of: Map<string, ClusterView>) => of.get(name)?.endpoints.map(({ load }) => load.check.is);
const asked = (of: Map<string, ClusterView>) =>
  new Set([1, 2, 3, 4].map(() => of.get(name)?.balancer.pick([], () => 0, undefined)?.instance));

describe('what health checks found', () => {
  it('is known to another process when it was told, and its balancers go by it', () => {
    const [here, there] = [clusters(), clusters()];
    for (const [index, endpoint] of [...(here.get(name)?.endpoints ?? [])].entries()) {
      if (index < 2) endpoint.load.check = { is: index === 0 ? 'failing' : 'passing', contrary: 0 };
    }
    expect(asked(there)).to.deep.equal(new Set(['a', 'b', 'c']));
    for (const verdict of verdictsOf(here.values())) takeVerdict(there, verdict);
    expect(found(there)).to.deep.equal(['failing', 'passing', 'unchecked']);
    expect(asked(there)).to.deep.equal(new Set(['b', 'c']));
  });

  it('is passed over when there is no such instance or cluster', () => {
    const there = clusters();
    const verdict = { cluster: name, instance: 'a', address: '127.0.0.1', port: 9, is: 'failing' } as const;
    takeVerdict(there, verdict);
    takeVerdict(there, { ...verdict, cluster: 'gone' });
    expect(found(there)).to.deep.equal(['unchecked', 'unchecked', 'unchecked']);
  });
});
