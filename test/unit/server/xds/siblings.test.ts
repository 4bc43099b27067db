import { expect } from 'chai';
import { type Sibling, Siblings } from '../../../../server/xds/siblings.ts';

class FakeStream implements Sibling {
  /** Clusters that wait for their endpoints; undefined: they are not taken yet. */
  added: readonly string[] | undefined = [];
  readonly endpoints = new Set<string>();

  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.added === undefined || !this.added.every(has);
  }

  hasEndpoints(cluster: string): boolean {
    return this.endpoints.has(cluster);
  }
}

describe('streams of one client', () => {
  const siblings = new Siblings<FakeStream>();
  const [clusters, endpoints, routes, strangers] = [1, 2, 3, 4].map(() => new FakeStream()) as [
    FakeStream,
    FakeStream,
    FakeStream,
    FakeStream,
  ];

  before(() => {
    for (const stream of [clusters, endpoints, routes]) siblings.join('default/web-1', stream);
    siblings.join('default/web-2', strangers);
  });

  it('wait with routes until the clusters are taken, and their endpoints', () => {
    clusters.added = undefined;
    expect(siblings.mustWait('default/web-1', routes)).to.equal(true);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([routes]);
    clusters.added = ['a'];
    expect(siblings.mustWait('default/web-1', routes)).to.equal(true);
    endpoints.endpoints.add('a');
    expect(siblings.mustWait('default/web-1', routes)).to.equal(false);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([]);
  });

  it('do not wait for those of other clients, nor for those that have gone', () => {
    clusters.added = undefined;
    expect(siblings.mustWait('default/web-2', strangers)).to.equal(false);
    siblings.leave('default/web-1', clusters);
    expect(siblings.mustWait('default/web-1', routes)).to.equal(false);
    expect(siblings.mustWait('default/unknown', routes)).to.equal(false);
  });
});
