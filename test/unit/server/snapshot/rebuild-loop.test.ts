import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { variantOf } from '../../../../server/snapshot/variants.ts';
import { route, service } from '../rules/rules-world.ts';
import { RebuildWorld } from './rebuild-world.ts';

describe('the rebuild loop', () => {
  let world: RebuildWorld;

  beforeEach(() => {
    world = new RebuildWorld();
  });

  describe('when instances change', () => {
    it('tells of the first change after quiet at once', () => {
      world.put('reviews', 'r1');
      expect(world.told).to.deep.equal(['0: reviews.default']);
    });

    it('merges what comes in the same turn into the next one', () => {
      world.put('reviews', 'r1');
      world.put('reviews', 'r2', { address: '10.0.0.2' });
      world.put('ratings', 'r1');
      world.put('reviews', 'r3', { address: '10.0.0.3' });
      expect(world.told).to.have.length(1);
      world.turn();
      expect(world.told).to.deep.equal(['0: reviews.default', '0: reviews.default* ratings.default']);
    });

    it('goes out at once again when a turn was quiet', () => {
      world.put('reviews', 'r1');
      world.turn();
      world.put('reviews', 'r2', { address: '10.0.0.2' });
      expect(world.told).to.have.length(2);
    });

    it('tells nobody of what makes no difference on the wire', () => {
      world.put('reviews', 'r1');
      world.turn();
      world.put('reviews', 'not-yet-alive', { state: 'starting' });
      world.turn();
      expect(world.told).to.have.length(1);
    });

    it('shares everything but the endpoints of the one service', () => {
      world.put('reviews', 'r1');
      world.put('ratings', 'r1');
      world.turn();
      const [reviews, ratings] = [world.cache.service('reviews.default'), world.cache.service('ratings.default')];
      world.put('reviews', 'r2', { address: '10.0.0.2' });
      expect(world.cache.service('ratings.default')).to.equal(ratings);
      const now = world.cache.service('reviews.default');
      const differs = Object.values(typeUrls).filter(
        (type) => now?.resources.get(type) !== reviews?.resources.get(type),
      );
      expect(differs).to.deep.equal([typeUrls.endpoint]);
    });

    it('has it all in the cache when it is told to settle, in the middle of a turn', () => {
      world.put('reviews', 'r1');
      world.put('ratings', 'r1');
      world.loop.settle();
      expect(world.told).to.deep.equal(['0: reviews.default', '0: ratings.default']);
      world.turn();
      expect(world.told).to.have.length(2);
    });
  });

  describe('when a revision comes', () => {
    it('tells of all its services together, at once, whatever is being merged', () => {
      world.put('reviews', 'r1');
      world.put('reviews', 'r2', { address: '10.0.0.2' });
      world.apply(route('reviews', '{ service: ratings }') + service('details'));
      expect(world.told).to.deep.equal(['0: reviews.default', '1: details.default ratings.default reviews.default']);
      world.turn();
      // The revision had the newest endpoints already.
      expect(world.told).to.have.length(2);
    });

    it('tells of a revision that changes nothing on the wire, without services', () => {
      world.apply(service('reviews'));
      world.apply(service('reviews', '{}', '{ team: books }'));
      expect(world.told).to.deep.equal(['1: reviews.default', '2:']);
      expect(world.cache.revision).to.equal(2);
    });

    it('leaves every other service as it is, and has senders look up the ports of those they send to', () => {
      world.apply(service('a') + service('b') + service('c') + route('a', '{ service: b }'));
      const [a, c] = [world.cache.service('a.default'), world.cache.service('c.default')];
      world.apply(service('b', '{ ports: [ { name: web, port: 81 } ] }'));
      expect(world.cache.service('c.default')).to.equal(c);
      expect(world.cache.service('a.default')?.references).to.deep.equal(['b.default|web|']);
      expect(a?.references).to.deep.equal(['b.default|http|']);
    });

    it('says of each service which revision gave it its rules', () => {
      world.apply(service('a') + service('b'));
      world.apply(service('b', '{ aliases: [x.y] }'));
      world.put('b', 'i1');
      expect(['a.default', 'b.default'].map((key) => world.cache.service(key)?.revision)).to.deep.equal([1, 2]);
    });
  });

  describe('when a revision takes clusters away', () => {
    const clusters = (service: string, typeUrl: string = typeUrls.cluster) =>
      [...(world.cache.service(service)?.resources.get(typeUrl)?.keys() ?? [])].sort();
    const both = ['reviews.default|http|', 'reviews.default|http|v1', 'reviews.default|http|v2'];

    beforeEach(() => {
      world.put('reviews', 'r1', { labels: { version: 'v1' } });
      world.put('reviews', 'r2', { labels: { version: 'v2' }, address: '10.0.0.2' });
      world.turn();
      world.apply(route('reviews', '{ subset: v2 }'));
      world.apply(route('reviews', '{ subset: v1 }'));
    });

    it('serves them, with their endpoints, until it is told that nobody needs them', () => {
      expect(clusters('reviews.default')).to.deep.equal(both);
      expect(clusters('reviews.default', typeUrls.endpoint)).to.deep.equal(both);
      expect(world.cache.service('reviews.default')?.references).to.deep.equal(['reviews.default|http|v1']);
      expect(world.loop.retiredBy(2)).to.equal(1);
      world.loop.remove(2);
      expect(clusters('reviews.default')).to.deep.equal(both.slice(0, 2));
      expect(clusters('reviews.default', typeUrls.endpoint)).to.deep.equal(both.slice(0, 2));
      expect(world.loop.retiredBy(2)).to.equal(0);
    });

    it('goes on to tell of the instances behind them', () => {
      const version = () =>
        world.cache.service('reviews.default')?.resources.get(typeUrls.endpoint)?.get('reviews.default|http|v2')
          ?.version;
      const before = version();
      world.remove('reviews', 'r2');
      world.turn();
      expect(version()).to.be.a('string').and.not.equal(before);
    });

    it('keeps them when one comes back into use, and takes nothing away then', () => {
      world.apply(route('reviews', '{ subset: v2 }'));
      world.loop.remove(2);
      expect(clusters('reviews.default')).to.deep.equal(both);
      world.loop.remove(3);
      expect(clusters('reviews.default')).to.deep.equal(['reviews.default|http|', 'reviews.default|http|v2']);
    });

    it('keeps what many revisions take away one after the other at the cost of each, not of all before it', () => {
      const versions = Array.from({ length: 16 }, (_, index) => `w${index}`);
      for (const version of versions) world.apply(route('reviews', `{ subset: ${version} }`));
      for (let i = 0; i < 3; i++) {
        world.put('reviews', 'r1', { labels: { version: 'w3' }, address: `10.0.1.${i}` });
        world.turn();
        const snapshot = world.cache.service('reviews.default');
        const served = snapshot && variantOf(snapshot, 'grpc').get(typeUrls.cluster);
        expect(served?.has('reviews.default|http|w3')).to.equal(true);
        expect(served?.size).to.equal(1 + 2 + versions.length);
      }
    });

    it('has the same for clients that are not ours', () => {
      const served = () => {
        const snapshot = world.cache.service('reviews.default');
        const variant = snapshot && variantOf(snapshot, 'grpc');
        return [typeUrls.cluster, typeUrls.endpoint].map((type) => [...(variant?.get(type)?.keys() ?? [])].sort());
      };
      expect(served()).to.deep.equal([both, both]);
      world.loop.remove(2);
      expect(served()).to.deep.equal([both.slice(0, 2), both.slice(0, 2)]);
    });
  });

  describe('keeps an implicit service', () => {
    it('from its first instance to its last', () => {
      world.put('reviews', 'r1');
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
      world.turn();
      world.remove('reviews', 'r1');
      expect(world.routes('reviews.default')).to.equal(undefined);
    });

    it('while rules name it', () => {
      world.apply(route('web', '{ service: reviews }'));
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
      world.apply('', 'Route/default/web');
      expect(world.routes('reviews.default')).to.equal(undefined);
    });

    it('while subscriptions name it, and looks in the next turn when one goes', () => {
      world.put('reviews', 'r1');
      world.held.add('reviews.default');
      world.turn();
      world.remove('reviews', 'r1');
      world.turn();
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
      world.release('reviews.default');
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
      world.turn();
      expect(world.routes('reviews.default')).to.equal(undefined);
    });

    it('but not when its name is an alias of another service, which subscriptions are led to at once', () => {
      world.put('ratings', 'r1');
      world.held.add('ratings.default');
      world.turn();
      world.apply(service('reviews', '{ aliases: [ratings] }'));
      expect(world.cache.ownerOfName('ratings.default')).to.equal('ratings.default');
      world.remove('ratings', 'r1');
      world.turn();
      expect(world.cache.ownerOfName('ratings.default')).to.equal('reviews.default');
    });

    it('until a revision makes its name an alias of another service', () => {
      world.put('ratings', 'r1');
      world.held.add('ratings.default');
      world.turn();
      world.remove('ratings', 'r1');
      world.turn();
      expect(world.cache.ownerOfName('ratings.default')).to.equal('ratings.default');
      world.apply(service('reviews', '{ aliases: [ratings] }'));
      expect(world.told.at(-1)).to.equal('1: reviews.default ratings.default');
      expect(world.cache.ownerOfName('ratings.default')).to.equal('reviews.default');
    });

    it('that is back with an instance, though its last subscriber goes', () => {
      world.put('reviews', 'r1');
      world.held.add('reviews.default');
      world.turn();
      world.remove('reviews', 'r1');
      world.put('reviews', 'r2');
      world.turn();
      world.release('reviews.default');
      world.turn();
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
    });

    it('that is held when the server starts, as its agents will come back for it', () => {
      world.held.add('reviews.default');
      world.loop.start(['reviews.default', 'ratings.default'], 7);
      expect([world.routes('reviews.default'), world.routes('ratings.default')]).to.deep.equal([
        ['reviews.default:80'],
        undefined,
      ]);
      world.release('reviews.default');
      world.turn();
      expect(world.routes('reviews.default')).to.equal(undefined);
    });
  });

  describe('keeps a port that was removed', () => {
    beforeEach(() => {
      world.apply(service('reviews', '{ ports: [ { name: web, port: 80 }, { name: admin, port: 81 } ] }'));
      world.held.add('reviews.default');
      world.apply(service('reviews', '{ ports: [ { name: web, port: 80 } ] }'));
    });

    const both = ['reviews.default:80', 'reviews.default:81'];

    it('while somebody holds the service', () => {
      expect(world.routes('reviews.default')).to.deep.equal(both);
      world.put('reviews', 'r1');
      world.apply(service('reviews', '{ aliases: [x.y], ports: [ { name: web, port: 80 } ] }'));
      world.turn();
      expect(world.routes('reviews.default')).to.deep.equal(both);
    });

    it('until nobody does', () => {
      world.release('reviews.default');
      world.turn();
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:80']);
      expect(world.told.at(-1)).to.equal('2: reviews.default');
    });

    it('for good when it is declared again', () => {
      world.apply(service('reviews', '{ ports: [ { name: web, port: 80 }, { name: admin, port: 81 } ] }'));
      world.release('reviews.default');
      world.turn();
      expect(world.routes('reviews.default')).to.deep.equal(both);
    });

    it('not at all when nobody holds the service', () => {
      world.release('reviews.default');
      world.turn();
      world.apply(service('reviews', '{ ports: [ { name: web, port: 90 } ] }'));
      expect(world.routes('reviews.default')).to.deep.equal(['reviews.default:90']);
    });

    it('with the instances that serve it', () => {
      world.put('reviews', 'r1', { ports: { web: 8080, admin: 8081 } });
      expect(world.cache.resource(typeUrls.endpoint, 'reviews.default|admin|')?.bytes.includes('r1')).to.equal(true);
    });
  });

  it('tells of a revision once, though a service falls unused while it is told', () => {
    world.apply(route('web', '{ service: ghost }'));
    world.held.add('ghost.default');
    world.onChange = () => world.release('ghost.default');
    world.apply(route('web', '{}'));
    expect(world.told).to.deep.equal(['1: ghost.default web.default', '2: web.default']);
    world.onChange = () => {};
    world.turn();
    expect(world.told.slice(2)).to.deep.equal(['2: ghost.default']);
    expect(world.routes('ghost.default')).to.equal(undefined);
  });
});
