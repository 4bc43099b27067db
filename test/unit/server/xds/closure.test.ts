import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import type { ServiceSnapshot } from '../../../../server/snapshot/service-snapshot.ts';
import { closureChange, closureOf, resourcesIn } from '../../../../server/xds/closure.ts';
import { route } from '../rules/rules-world.ts';
import { RebuildWorld } from '../snapshot/rebuild-world.ts';

describe('what an agent needs of a service', () => {
  let world: RebuildWorld;

  beforeEach(() => {
    world = new RebuildWorld();
    world.put('reviews', 'r1', { labels: { version: 'v1' } });
    world.turn();
  });

  function snapshot(): ServiceSnapshot {
    const present = world.cache.service('reviews.default');
    if (present === undefined) throw new Error('there is no service reviews');
    return present;
  }

  function stepOf(act: () => void): [before: ServiceSnapshot, after: ServiceSnapshot] {
    const before = snapshot();
    act();
    world.turn();
    return [before, snapshot()];
  }

  const split = (subset: string) => world.apply(route('reviews', `{ subset: ${subset} }`));

  it('is its routes, the clusters that they name, and the endpoints of those', () => {
    split('v1');
    expect([...closureOf(snapshot())]).to.deep.equal([
      [typeUrls.routeConfiguration, 'reviews.default:80'],
      [typeUrls.cluster, 'reviews.default|http|v1'],
      [typeUrls.endpoint, 'reviews.default|http|v1'],
    ]);
  });

  it('changes by what came, went or changed, and by nothing else', () => {
    split('v1');
    const [before, now] = stepOf(() => world.put('reviews', 'r2', { address: '192.0.2.9', labels: { version: 'v1' } }));
    const { names, isSameClosure } = closureChange(before, now);
    expect(new Set(names.map(([typeUrl]) => typeUrl))).to.deep.equal(new Set([typeUrls.endpoint]));
    expect(isSameClosure).to.equal(true);
  });

  it('is another when the routes send elsewhere', () => {
    split('v1');
    const [before, now] = stepOf(() => split('v2'));
    const { names, isSameClosure } = closureChange(before, now);
    expect(names).to.deep.include([typeUrls.routeConfiguration, 'reviews.default:80']);
    expect(isSameClosure).to.equal(false);
  });

  it('is worked out once for all that take the same step, and anew for who goes further at once', () => {
    const [first, second] = stepOf(() => split('v1'));
    const step = closureChange(first, second);
    expect(closureChange(first, second)).to.equal(step);
    const [, third] = stepOf(() => world.put('reviews', 'r2', { address: '192.0.2.9', labels: { version: 'v1' } }));
    expect(closureChange(first, third)).to.not.equal(step);
    expect(closureChange(first, second).names).to.deep.equal(step.names);
  });

  it('has no names of its own among its resources: these go by what the agent asks for', () => {
    expect(resourcesIn(snapshot()).map(([typeUrl]) => typeUrl)).to.not.include(typeUrls.name);
    expect(resourcesIn(undefined)).to.deep.equal([]);
  });
});
