import { expect } from 'chai';
import type { HeldMesh } from '../../../../agent/xds/resources.ts';
import { markTypeUrl, typeUrls, versionsOf } from '../../../../agent/xds/resources.ts';
import { fromStruct } from '../../../../proto/struct.ts';
import { Name, RouteConfiguration, Struct } from '../../../../proto/types.ts';
import { batchOf, closureOf, markOf, mesh, resource, response } from './mesh-fixture.ts';
import { SessionHarness } from './session-harness.ts';

const acks = [
  { ack: 'Cluster' },
  { ack: 'ClusterLoadAssignment' },
  { ack: 'RouteConfiguration' },
  { ack: 'Name' },
  { ack: 'Revision' },
];

/** What an agent holds that knows `reviews.default` at this revision. */
function holding(services: readonly string[], revision = 5): HeldMesh {
  const harness = new SessionHarness({ names: services });
  harness.start();
  harness.receive(...batchOf(services, { revision }));
  return harness.held;
}

function nodeOf(harness: SessionHarness) {
  const [first] = harness.start();
  return fromStruct(Struct.decode(Struct.encode(first?.node?.metadata ?? {}))).sluice;
}

describe('delta session', () => {
  describe('on connecting', () => {
    it('says what it holds, then its names, and the mark last; the node stands in the first message alone', () => {
      const held = holding(['reviews.default']);
      const requests = new SessionHarness({ held, names: ['reviews.default', 'ratings.default'] }).start();
      expect(requests.map(({ node, ...request }) => ({ hasNode: node !== undefined, ...request }))).to.deep.equal([
        {
          hasNode: true,
          typeUrl: typeUrls.endpoints,
          initialResourceVersions: versionsOf(held.tables, 'endpoints'),
        },
        { hasNode: false, typeUrl: typeUrls.clusters, initialResourceVersions: versionsOf(held.tables, 'clusters') },
        {
          hasNode: false,
          typeUrl: typeUrls.routeConfigurations,
          initialResourceVersions: versionsOf(held.tables, 'routeConfigurations'),
        },
        { hasNode: false, typeUrl: typeUrls.listeners, initialResourceVersions: {} },
        {
          hasNode: false,
          typeUrl: typeUrls.names,
          resourceNamesSubscribe: ['reviews.default', 'ratings.default'],
          initialResourceVersions: versionsOf(held.tables, 'names'),
        },
        { hasNode: false, typeUrl: markTypeUrl, resourceNamesSubscribe: ['mesh'] },
      ]);
    });

    it('says who it is', () => {
      const [first] = new SessionHarness().start();
      expect(first?.node).to.deep.include({
        id: 'web-1',
        cluster: 'web',
        userAgentName: 'sluice',
        userAgentVersion: '0.1.0',
        locality: { zone: 'z1' },
      });
    });

    for (const { name, held, acceptMesh, want } of [
      {
        name: 'nothing when it holds nothing',
        held: undefined,
        acceptMesh: undefined,
        want: { meshId: '', revision: 0 },
      },
      {
        name: 'the mesh and revision it holds',
        held: holding(['reviews.default']),
        acceptMesh: undefined,
        want: { meshId: mesh, revision: 5 },
      },
      {
        name: 'nothing when it holds no name of a service: there are no routes to protect',
        held: holding([]),
        acceptMesh: undefined,
        want: { meshId: '', revision: 0 },
      },
      {
        name: 'nothing when it is to obey another mesh',
        held: holding(['reviews.default']),
        acceptMesh: 'mesh-b',
        want: { meshId: '', revision: 0 },
      },
    ]) {
      it(`presents ${name}`, () => {
        const harness = new SessionHarness({ ...(held && { held }), acceptMesh });
        expect(nodeOf(harness)).to.deep.equal({ namespace: 'default', service: 'web', app: true, ...want });
      });
    }
  });

  describe('a batch', () => {
    it('is decoded and acknowledged as it comes, and used only at the mark', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      const batch = batchOf(['reviews.default'], { revision: 7 });
      expect(harness.receive(...batch.slice(0, -1))).to.deep.equal(acks.slice(0, -1));
      expect(harness.decisions()).to.deep.equal([]);

      expect(harness.receive(...batch.slice(-1))).to.deep.equal([{ ack: 'Revision' }]);
      expect(harness.decisions().map((decision) => decision.do)).to.deep.equal(['swap']);
      expect({ meshId: harness.held.meshId, revision: harness.held.revision }).to.deep.equal({
        meshId: mesh,
        revision: 7,
      });
      expect(harness.view.service('reviews.default')?.defaultPort).to.equal(80);
    });

    it('is acknowledged after it is swapped in', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      harness.receive(...batchOf(['reviews.default']));
      expect(harness.effects.slice(-2).map((effect) => effect.do)).to.deep.equal(['swap', 'confirm']);
    });

    it('may be empty: the mark alone', () => {
      const harness = new SessionHarness();
      harness.start();
      expect(harness.receive(response(markTypeUrl, [markOf({ revision: 0 })]))).to.deep.equal([{ ack: 'Revision' }]);
      expect(harness.held).to.deep.include({ meshId: mesh, revision: 0 });
    });

    it('takes out what it removes', () => {
      const names = ['reviews.default', 'ratings.default'];
      const harness = new SessionHarness({ held: holding(names), names });
      harness.start();
      const gone = closureOf('reviews.default');
      harness.receive(
        response(typeUrls.names, [], [gone.names.name]),
        response(typeUrls.routeConfigurations, [], [gone.routeConfigurations.name]),
        response(markTypeUrl, [markOf({ revision: 6 })]),
      );
      expect([...harness.held.tables.routeConfigurations.keys()]).to.deep.equal(['ratings.default:80']);
      expect(harness.view.service('reviews.default')).to.equal(undefined);
    });

    it('keeps the objects of what did not change', () => {
      const held = holding(['reviews.default', 'ratings.default']);
      const harness = new SessionHarness({ held, names: ['reviews.default', 'ratings.default'] });
      harness.start();
      const moved = closureOf('reviews.default', 9090).endpoints;
      harness.receive(response(typeUrls.endpoints, [moved]), response(markTypeUrl, [markOf({ revision: 5 })]));
      const before = held.tables.endpoints.get('ratings.default|http|');
      expect(harness.held.tables.endpoints.get('ratings.default|http|')).to.equal(before);
      expect(harness.held.tables.endpoints.get('reviews.default|http|')?.version).to.equal(moved.version);
    });

    it('with a type that was not asked for: that response is refused, the rest is used', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      const [clusters, ...others] = batchOf(['reviews.default']);
      const odd = response('type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret', []);
      expect(harness.receive(odd)).to.deep.equal([{ nack: 'Secret', reasons: [] }]);
      expect(clusters === undefined ? [] : harness.receive(clusters, ...others)).to.deep.equal(acks);
    });
  });

  describe('a refusal', () => {
    const { clusters, endpoints, names, routeConfigurations } = closureOf('reviews.default');
    const garbage = resource('routeConfigurations', 'reviews.default:80', Buffer.from([0x0a, 0xff]));
    const misnamed = { ...routeConfigurations, name: 'other:80' };
    const homeless = resource(
      'names',
      'reviews.default',
      Name.encode({ name: 'reviews.default', service: 'reviews.default', routeConfigurations: ['gone:80'] }),
    );

    for (const { name, routes, reason } of [
      {
        name: 'bytes that are no such message',
        routes: [garbage],
        reason: /^RouteConfiguration reviews\.default:80: cannot be decoded/,
      },
      {
        name: 'a name that is another inside',
        routes: [misnamed],
        reason: /^RouteConfiguration other:80: is called "reviews/,
      },
      { name: 'no version', routes: [{ ...routeConfigurations, version: '' }], reason: /: has no version$/ },
      { name: 'no content', routes: [{ ...routeConfigurations, resource: null }], reason: /: has no content$/ },
      {
        name: 'content of another type',
        routes: [{ ...routeConfigurations, resource: clusters.resource }],
        reason: /: is of type .*Cluster in a response of type .*RouteConfiguration$/,
      },
      {
        name: 'the same name twice',
        routes: [routeConfigurations, routeConfigurations],
        reason: /: stands twice in one response$/,
      },
    ]) {
      it(`of a response with ${name} refuses the mark too, and changes nothing`, () => {
        const harness = new SessionHarness({ names: ['reviews.default'] });
        harness.start();
        const said = harness.receive(
          response(typeUrls.clusters, [clusters]),
          response(typeUrls.routeConfigurations, routes),
          response(markTypeUrl, [markOf()]),
        );
        expect(said.map((message) => Object.keys(message)[0])).to.deep.equal(['ack', 'nack', 'nack']);
        expect(said.slice(1).flatMap((message) => ('reasons' in message ? message.reasons : []))).to.satisfy(
          (reasons: string[]) => reasons.length === 2 && reasons.every((text) => reason.test(text)),
        );
        expect(harness.held.meshId).to.equal('');
      });
    }

    it('names every resource that cannot be used, and the names that fail by it', () => {
      const harness = new SessionHarness({ names: ['reviews.default', 'ratings.default'] });
      harness.start();
      const said = harness.receive(
        response(typeUrls.clusters, [clusters]),
        response(typeUrls.endpoints, [endpoints]),
        response(typeUrls.names, [homeless]),
        response(markTypeUrl, [markOf()]),
      );
      expect(said.at(-1)).to.deep.equal({
        nack: 'Revision',
        reasons: ['Name reviews.default: routeConfigurations: "gone:80" is missing'],
      });
      expect(harness.decisions()).to.deep.include.members([
        {
          do: 'refuse',
          condition: '',
          message: 'Name reviews.default: routeConfigurations: "gone:80" is missing',
          resources: [
            { typeUrl: typeUrls.names, name: 'reviews.default', reason: 'routeConfigurations: "gone:80" is missing' },
          ],
          names: ['reviews.default'],
        },
      ]);
    });

    it('throws the whole batch away: the next one stands alone', () => {
      const harness = new SessionHarness({ held: holding(['reviews.default']), names: ['reviews.default'] });
      harness.start();
      harness.receive(
        response(typeUrls.routeConfigurations, [garbage]),
        response(markTypeUrl, [markOf({ revision: 6 })]),
      );
      const said = harness.receive(response(markTypeUrl, [markOf({ revision: 5, sequence: 2 })]));
      expect(said).to.deep.equal([{ ack: 'Revision' }]);
      expect(harness.view.service('reviews.default')).to.not.equal(undefined);
    });

    it('of a route to a cluster that is missing names the names that need it', () => {
      const harness = new SessionHarness({ names: ['reviews.default', 'ratings.default'] });
      harness.start();
      const routes = [routeConfigurations, closureOf('ratings.default').routeConfigurations];
      const ratings = closureOf('ratings.default');
      harness.receive(
        response(typeUrls.clusters, [ratings.clusters]),
        response(typeUrls.endpoints, [ratings.endpoints]),
        response(typeUrls.routeConfigurations, routes),
        response(typeUrls.names, [names, ratings.names]),
        response(markTypeUrl, [markOf()]),
      );
      const [refusal] = harness.decisions();
      expect(refusal?.do === 'refuse' ? refusal.names : []).to.deep.equal(['reviews.default']);
    });

    for (const { name, mark, want } of [
      { name: 'no resource', mark: [], want: 'a response of marks has 0 resources, not 1' },
      { name: 'another name', mark: [{ ...markOf(), name: 'x' }], want: 'the mark is called "x", not "mesh"' },
      { name: 'no mesh', mark: [markOf({ meshId: '' })], want: 'the mark names no mesh' },
    ]) {
      it(`of a mark with ${name} names the mark`, () => {
        const harness = new SessionHarness();
        harness.start();
        expect(harness.receive(response(markTypeUrl, mark))).to.deep.equal([
          { nack: 'Revision', reasons: [`Revision mesh: ${want}`] },
        ]);
      });
    }
  });

  describe('the mesh it holds', () => {
    for (const { name, mark, acceptMesh, condition } of [
      {
        name: 'refuses the mark of another mesh',
        mark: { meshId: 'mesh-b', revision: 9 },
        acceptMesh: undefined,
        condition: 'foreign-store',
      },
      { name: 'refuses a lower revision', mark: { revision: 4 }, acceptMesh: undefined, condition: 'older-store' },
      {
        name: 'refuses a third mesh although another one is accepted',
        mark: { meshId: 'mesh-c', revision: 9 },
        acceptMesh: 'mesh-b',
        condition: 'foreign-store',
      },
    ] as const) {
      it(name, () => {
        const held = holding(['reviews.default']);
        const harness = new SessionHarness({ held, names: ['reviews.default'], acceptMesh });
        harness.start();
        const said = harness.receive(
          response(typeUrls.names, [], ['reviews.default']),
          response(markTypeUrl, [markOf(mark)]),
        );
        expect(said.map((message) => Object.keys(message)[0])).to.deep.equal(['ack', 'nack']);
        expect(harness.decisions()).to.satisfy((decisions: { do: string; condition?: string }[]) =>
          decisions.every((decision) => decision.do === 'refuse' && decision.condition === condition),
        );
        expect(harness.held).to.equal(held);
      });
    }

    it('gives way to a mesh that the operator accepts, at any revision', () => {
      const harness = new SessionHarness({ held: holding(['reviews.default']), acceptMesh: 'mesh-b' });
      harness.start();
      expect(harness.receive(response(markTypeUrl, [markOf({ meshId: 'mesh-b', revision: 1 })]))).to.deep.equal([
        { ack: 'Revision' },
      ]);
      expect(harness.held).to.deep.include({ meshId: 'mesh-b', revision: 1 });
    });

    it('gives way to any mesh at any revision while there are no routes to protect, and to no third one', () => {
      const harness = new SessionHarness({ held: holding([]), names: ['reviews.default'] });
      harness.start();
      const adopted = batchOf(['reviews.default'], { meshId: 'mesh-b', revision: 1 });
      expect(harness.receive(...adopted)).to.deep.equal(acks);
      expect(harness.held).to.deep.include({ meshId: 'mesh-b', revision: 1 });
      const third = harness.receive(response(markTypeUrl, [markOf({ meshId: 'mesh-c', revision: 9 })]));
      expect(third.map((message) => Object.keys(message)[0])).to.deep.equal(['nack']);
    });

    it('is not given up on the stream on which its last name was let go of', () => {
      const harness = new SessionHarness({ held: holding(['reviews.default']), names: ['reviews.default'] });
      harness.start();
      harness.unsubscribe('reviews.default');
      const said = harness.receive(response(markTypeUrl, [markOf({ revision: 4 })]));
      expect(said.map((message) => Object.keys(message)[0])).to.deep.equal(['nack']);
    });

    it('takes the same revision again: instances come and go without one', () => {
      const harness = new SessionHarness({ held: holding(['reviews.default']) });
      harness.start();
      expect(harness.receive(response(markTypeUrl, [markOf({ revision: 5 })]))).to.deep.equal([{ ack: 'Revision' }]);
    });
  });

  describe('names', () => {
    function answersOf(harness: SessionHarness) {
      return harness.decisions().flatMap((decision) => (decision.do === 'swap' ? [...decision.answers] : []));
    }

    it('are settled by the first batch, also those that did not change', () => {
      const names = ['reviews.default', 'ratings.default', 'nowhere.default'];
      const harness = new SessionHarness({ held: holding(['reviews.default']), names });
      harness.start();
      const [clusters, endpoints, routes, added] = batchOf(['ratings.default']);
      if (!clusters || !endpoints || !routes || !added) return expect.fail('a batch has four parts');
      harness.receive(clusters, endpoints, routes, { ...added, removedResources: ['nowhere.default'] });
      harness.receive(response(markTypeUrl, [markOf({ revision: 5 })]));
      expect(answersOf(harness)).to.deep.equal([
        ['reviews.default', 'known'],
        ['ratings.default', 'known'],
        ['nowhere.default', 'absent'],
      ]);
    });

    it('that are asked for later are settled by the batch that names them, and by no earlier one', () => {
      const harness = new SessionHarness();
      harness.start();
      harness.receive(response(markTypeUrl, [markOf()]));
      expect(harness.subscribe('reviews.default')).to.deep.equal([{ subscribe: ['reviews.default'] }]);
      harness.receive(response(markTypeUrl, [markOf({ sequence: 2 })]));
      expect(answersOf(harness)).to.deep.equal([]);
      harness.receive(...batchOf(['reviews.default'], { sequence: 3 }));
      expect(answersOf(harness)).to.deep.equal([['reviews.default', 'known']]);
    });

    it('that are asked for before the first batch came are not settled by its silence', () => {
      const harness = new SessionHarness();
      harness.start();
      harness.subscribe('reviews.default');
      harness.receive(response(markTypeUrl, [markOf()]));
      expect(answersOf(harness)).to.deep.equal([]);
    });

    it('that were refused are not taken for absent by the silence of the next batch', () => {
      const harness = new SessionHarness({ names: ['reviews.default', 'nowhere.default'] });
      harness.start();
      const batch = batchOf(['reviews.default']);
      harness.receive(...batch.slice(2));
      harness.receive(response(markTypeUrl, [markOf({ sequence: 2 })]));
      expect(answersOf(harness)).to.deep.equal([['nowhere.default', 'absent']]);
    });

    it('that appear or go later are reported', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      harness.receive(response(typeUrls.names, [], ['reviews.default']), response(markTypeUrl, [markOf()]));
      harness.receive(...batchOf(['reviews.default'], { sequence: 2 }));
      harness.receive(
        response(typeUrls.names, [], ['reviews.default']),
        response(markTypeUrl, [markOf({ sequence: 3 })]),
      );
      expect(answersOf(harness)).to.deep.equal([
        ['reviews.default', 'absent'],
        ['reviews.default', 'known'],
        ['reviews.default', 'absent'],
      ]);
    });

    it('that are let go of are not held any more, and what is on its way for them is passed over', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      harness.receive(...batchOf(['reviews.default']));
      const late = batchOf(['reviews.default'], { sequence: 2 }, 9090);
      harness.receive(...late.slice(0, 2));
      expect(harness.unsubscribe('reviews.default')).to.deep.equal([{ unsubscribe: ['reviews.default'] }]);
      expect(harness.view.service('reviews.default')).to.equal(undefined);
      expect(harness.receive(...late.slice(2))).to.deep.equal(acks.slice(2));
      expect([...harness.held.tables.names.keys()]).to.deep.equal([]);

      const { clusters, endpoints, routeConfigurations } = closureOf('reviews.default');
      harness.receive(
        response(typeUrls.routeConfigurations, [], [routeConfigurations.name]),
        response(typeUrls.clusters, [], [clusters.name]),
        response(typeUrls.endpoints, [], [endpoints.name]),
        response(markTypeUrl, [markOf({ sequence: 3 })]),
      );
      expect(harness.held.tables.clusters.size).to.equal(0);
    });

    it('that are asked for again while their removal is on its way are settled by the later answer', () => {
      const harness = new SessionHarness({ names: ['reviews.default'] });
      harness.start();
      harness.receive(...batchOf(['reviews.default']));
      harness.unsubscribe('reviews.default');
      harness.subscribe('reviews.default');
      const { routeConfigurations } = closureOf('reviews.default');
      harness.receive(
        response(typeUrls.routeConfigurations, [], [routeConfigurations.name]),
        response(markTypeUrl, [markOf({ sequence: 2 })]),
      );
      harness.decisions();
      harness.receive(...batchOf(['reviews.default'], { sequence: 3 }));
      expect(answersOf(harness)).to.deep.equal([['reviews.default', 'known']]);
    });
  });

  it('refuses a batch whose routes cannot be used, by the reason of the routing', () => {
    const harness = new SessionHarness({ names: ['reviews.default'] });
    harness.start();
    const [clusters, endpoints, , names] = batchOf(['reviews.default']);
    const broken = RouteConfiguration.encode({ name: 'reviews.default:80', virtualHosts: [] });
    if (!clusters || !endpoints || !names) return expect.fail('a batch has four parts');
    const routes = response(typeUrls.routeConfigurations, [
      resource('routeConfigurations', 'reviews.default:80', broken),
    ]);
    const said = harness.receive(clusters, endpoints, routes, names, response(markTypeUrl, [markOf()]));
    expect(said.at(-1)).to.deep.equal({
      nack: 'Revision',
      reasons: [
        'RouteConfiguration reviews.default:80: virtualHosts: expected one for the one service and port, found 0',
      ],
    });
  });
});
