import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { type Sibling, Siblings } from '../../../../server/xds/siblings.ts';

class FakeStream implements Sibling {
  hasClusters = false;
  /** Clusters that wait for their endpoints; undefined: they are not taken yet. */
  added: readonly string[] | undefined = [];
  readonly endpoints = new Set<string>();
  refused = '';

  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.added === undefined || !this.added.every(has);
  }

  hasTaken(typeUrl: string, name: string): boolean {
    return typeUrl === typeUrls.endpoint && this.endpoints.has(name);
  }

  refuses(_typeUrl: string, name: string): boolean {
    return name === this.refused;
  }

  ownersOfRefused(): ReadonlySet<string> {
    return new Set(this.refused === '' ? [] : [`owner of ${this.refused}`]);
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
    expect(siblings.others('default/web-1', routes).areClustersUnderWay()).to.equal(true);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([routes]);
    clusters.added = ['a'];
    expect(siblings.others('default/web-1', routes).areClustersUnderWay()).to.equal(true);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([routes]);
    endpoints.endpoints.add('a');
    expect(siblings.others('default/web-1', routes).areClustersUnderWay()).to.equal(false);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([]);
  });

  it('wait until one of them has taken a resource, and know what one refuses', () => {
    const others = siblings.others('default/web-1', routes);
    expect(others.hasTaken(typeUrls.endpoint, 'new')).to.equal(false);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([routes]);
    endpoints.endpoints.add('new');
    expect(others.hasTaken(typeUrls.endpoint, 'new')).to.equal(true);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([]);
    endpoints.refused = 'bad';
    expect(['new', 'bad'].map((name) => others.refuses(typeUrls.endpoint, name))).to.deep.equal([false, true]);
  });

  it('know the services of what another refuses, and may go on when something is said there', () => {
    const others = siblings.others('default/web-1', clusters);
    endpoints.refused = '';
    expect([...others.ownersOfRefused()]).to.deep.equal([]);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([]);
    endpoints.refused = 'bad';
    expect([...others.ownersOfRefused()]).to.deep.equal(['owner of bad']);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([clusters]);
    endpoints.refused = '';
  });

  it('know whether one of them has clusters, and those that need it may go on when something is said there', () => {
    const others = siblings.others('default/web-1', routes);
    siblings.takeHeld('default/web-1');
    expect(others.haveClusters()).to.equal(false);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([routes]);
    clusters.hasClusters = true;
    expect(others.haveClusters()).to.equal(true);
    expect(siblings.takeHeld('default/web-1')).to.deep.equal([]);
  });

  it('do not wait for those of other clients, nor for those that have gone', () => {
    clusters.added = undefined;
    expect(siblings.others('default/web-2', strangers).areClustersUnderWay()).to.equal(false);
    siblings.leave('default/web-1', clusters);
    expect(siblings.others('default/web-1', routes).areClustersUnderWay()).to.equal(false);
    expect(siblings.others('default/unknown', routes).areClustersUnderWay()).to.equal(false);
  });
});
