import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { ownerOf } from '../../../../server/snapshot/snapshot-cache.ts';
import { service } from '../rules/rules-world.ts';
import { RebuildWorld } from './rebuild-world.ts';

describe('the snapshot cache', () => {
  let world: RebuildWorld;

  beforeEach(() => {
    world = new RebuildWorld();
  });

  for (const { name, want } of [
    { name: 'reviews.default', want: 'reviews.default' },
    { name: 'reviews.default.mesh.local', want: 'reviews.default' },
    { name: 'com.example.reviews', want: 'reviews.default' },
    { name: 'stars.default', want: 'reviews.default' },
    { name: 'stars', want: undefined },
    { name: 'constructor', want: undefined },
  ]) {
    it(`knows ${name} as ${want}`, () => {
      world.apply(service('reviews', '{ aliases: [com.example.reviews, stars] }'));
      expect(world.cache.ownerOfName(name)).to.equal(want);
    });
  }

  it('lets an alias move from one service to another in one revision', () => {
    world.apply(service('a', '{ aliases: [x.y] }') + service('b'));
    world.apply(service('a') + service('b', '{ aliases: [x.y] }'));
    expect(world.cache.ownerOfName('x.y')).to.equal('b.default');
    world.apply(service('a', '{ aliases: [x.y] }') + service('b'));
    expect(world.cache.ownerOfName('x.y')).to.equal('a.default');
  });

  describe('gives a service its own name, though another has it as an alias', () => {
    const alias = () => world.apply(service('reviews', '{ aliases: [ratings.default] }'));

    for (const { name, act } of [
      { name: 'and came first', act: () => [alias(), world.put('ratings', 'r1')] },
      { name: 'and came later', act: () => [world.put('ratings', 'r1'), alias()] },
      { name: 'and came again', act: () => [alias(), world.put('ratings', 'r1'), alias()] },
    ]) {
      it(name, () => {
        act();
        expect(world.cache.ownerOfName('ratings.default')).to.equal('ratings.default');
      });
    }

    it('and back to the alias when the service goes', () => {
      alias();
      world.put('ratings', 'r1');
      world.turn();
      world.remove('ratings', 'r1');
      expect(world.cache.ownerOfName('ratings.default')).to.equal('reviews.default');
    });
  });

  it('says as of which change a service stands as it does', () => {
    world.put('a', 'i1');
    world.put('b', 'i1');
    world.turn();
    world.put('b', 'i2', { address: '10.0.0.2' });
    expect([world.cache.sequenceOf('a.default'), world.cache.sequenceOf('b.default')]).to.deep.equal([1, 3]);
    expect(world.cache.sequenceOf('none.default')).to.equal(world.cache.sequence);
  });

  it('finds every resource by type and name, and none that is not there', () => {
    world.apply(service('reviews', '{ subsets: [ { name: v1, labels: { version: v1 } } ] }'));
    for (const typeUrl of [typeUrls.cluster, typeUrls.endpoint, typeUrls.routeConfiguration, typeUrls.listener]) {
      const all = [...world.cache.resources(typeUrl)];
      expect(all).to.have.length.greaterThan(0);
      for (const resource of all) expect(world.cache.resource(typeUrl, resource.name)).to.equal(resource);
    }
    expect(world.cache.resource(typeUrls.cluster, 'reviews.default|http|v2')).to.equal(undefined);
    expect(world.cache.resource('type.googleapis.com/unknown', 'reviews.default')).to.equal(undefined);
  });

  for (const { typeUrl, name, want } of [
    { typeUrl: typeUrls.cluster, name: 'reviews.default|http|v1', want: 'reviews.default' },
    { typeUrl: typeUrls.endpoint, name: 'reviews.default|http|', want: 'reviews.default' },
    { typeUrl: typeUrls.routeConfiguration, name: 'reviews.default:9080', want: 'reviews.default' },
    { typeUrl: typeUrls.listener, name: 'inbound|reviews.default', want: 'reviews.default' },
    { typeUrl: typeUrls.cluster, name: 'garbage', want: '' },
    { typeUrl: typeUrls.routeConfiguration, name: '', want: '' },
    { typeUrl: 'unknown', name: 'reviews.default|http|v1', want: '' },
  ]) {
    it(`sees the owner "${want}" in the name "${name}" of ${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)}`, () =>
      expect(ownerOf(typeUrl, name)).to.equal(want));
  }
});
