import { expect } from 'chai';
import fc from 'fast-check';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { clustersOf, FakeAgent, type Held, nothingHeld } from '../../../support/fake-agent.ts';
import { instanceOf, ModelMesh, meshId } from '../../../support/model-mesh.ts';

const split = (v1: number, v2: number, service = 'reviews') => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, rules: [ { backends: [ { subset: v1, weight: ${v1} }, { subset: v2, weight: ${v2} } ] } ] }
`;

const together = (...documents: string[]) => documents.join('---');

const port = (service: string, number: number, more = '') => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${service} }
spec: { ports: [ { name: http, port: ${number} } ] ${more} }
`;

/** The whole closure of a service with one port and these subsets. */
const closure = (service: string, subsets: readonly string[], portNumber = 80, name = `${service}.default`) =>
  [
    `name ${name}`,
    `routeConfiguration ${service}.default:${portNumber}`,
    ...subsets.flatMap((subset) => [
      `cluster ${service}.default|http|${subset}`,
      `endpoint ${service}.default|http|${subset}`,
    ]),
  ].sort();

function meshWith(...services: string[]): ModelMesh {
  const mesh = new ModelMesh();
  for (const service of services) mesh.put(instanceOf(service, `${service}-1`), instanceOf(service, `${service}-2`));
  return mesh;
}

function connected(mesh: ModelMesh, ...names: string[]): FakeAgent {
  const agent = new FakeAgent(mesh, { ...nothingHeld(), names: new Set(names) });
  agent.connect();
  return agent;
}

const refuse = (typeUrl: string, name: string) => () => [{ typeUrl, name, reason: 'cannot be used' }];

describe('the stream of an own agent', () => {
  describe('on connecting', () => {
    it('is answered only when the mark has been asked for, in one batch', () => {
      const agent = new FakeAgent(meshWith('reviews'), { ...nothingHeld(), names: new Set(['reviews.default']) });
      expect(agent.connect()).to.equal(0);
      expect(agent.batches).to.deep.equal([
        {
          content: [
            'cluster reviews.default|http|',
            'endpoint reviews.default|http|',
            'routeConfiguration reviews.default:80',
            'name reviews.default',
          ],
          revision: 0,
        },
      ]);
    });

    it('is told of an empty store too: a mark alone completes revision 0', () => {
      expect(connected(new ModelMesh()).batches).to.deep.equal([{ content: [], revision: 0 }]);
    });

    it('is sent nothing that it has already: the same versions after a restart of the server', () => {
      const mesh = meshWith('reviews');
      mesh.apply(split(90, 10));
      const held = connected(mesh, 'reviews.default').disconnect();
      const restarted = meshWith('reviews');
      restarted.apply(split(90, 10));
      const agent = new FakeAgent(restarted, held);
      agent.connect();
      expect(agent.batches).to.deep.equal([{ content: [], revision: 1 }]);
    });

    it('is rid of what is gone and given what changed while it was away', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(split(90, 10));
      const held = connected(mesh, 'reviews.default', 'ratings.default').disconnect();
      mesh.apply('', 'Route/default/reviews');
      mesh.remove('ratings', 'ratings-1');
      mesh.remove('ratings', 'ratings-2');
      const agent = new FakeAgent(mesh, held);
      agent.connect();
      expect(agent.holds()).to.deep.equal(closure('reviews', ['']));
      expect([...agent.absent]).to.deep.equal(['ratings.default']);
    });

    it('gets the listener of its own inbound side, unasked, when it has an application', () => {
      const mesh = meshWith('reviews');
      const agent = new FakeAgent(mesh, nothingHeld(), 'reviews.default');
      agent.connect();
      expect(agent.holds()).to.deep.equal(['listener inbound|reviews.default']);
    });

    it('is never answered when it holds the configuration of another mesh', () => {
      const mesh = meshWith('reviews');
      const held: Held = { ...nothingHeld(), meshId: 'another', revision: 7, names: new Set(['reviews.default']) };
      const agent = new FakeAgent(mesh, held);
      agent.connect();
      mesh.apply(split(1, 1));
      expect(agent.batches).to.deep.equal([]);
      expect(agent.session.phase).to.equal('foreign');
    });

    it('waits, when it has seen a newer revision, until the server has caught up', () => {
      const mesh = meshWith('reviews');
      const agent = new FakeAgent(mesh, { ...nothingHeld(), meshId, revision: 2, names: new Set(['reviews.default']) });
      agent.connect();
      expect(agent.session.phase).to.equal('behind');
      mesh.apply(split(90, 10));
      expect(agent.batches).to.deep.equal([]);
      mesh.skipTo(2);
      expect(agent.batches.map(({ revision }) => revision)).to.deep.equal([2]);
      expect(agent.session.phase).to.equal('live');
    });
  });

  describe('asking for names', () => {
    it('gets a new name with everything it needs in one batch', () => {
      const agent = connected(meshWith('reviews'));
      agent.ask('reviews.default');
      expect(agent.batches).to.have.lengthOf(2);
      expect(agent.holds()).to.deep.equal(closure('reviews', ['']));
    });

    it('is told once that a name stands for nothing, and of it when it appears', () => {
      const mesh = new ModelMesh();
      const agent = connected(mesh);
      agent.ask('reviews.default');
      expect(agent.lastBatch?.content).to.deep.equal(['-name reviews.default']);
      mesh.put(instanceOf('ratings', 'ratings-1'));
      expect(agent.batches).to.have.lengthOf(2);
      mesh.put(instanceOf('reviews', 'reviews-1'));
      expect(agent.holds()).to.deep.equal(closure('reviews', ['']));
    });

    it('is answered again when it asks again for what it has', () => {
      const agent = connected(meshWith('reviews'), 'reviews.default');
      agent.ask('reviews.default');
      expect(agent.lastBatch?.content).to.deep.equal(['name reviews.default']);
    });

    it('gets the full name and the alias of a service as names of their own, with one closure', () => {
      const mesh = meshWith('reviews');
      mesh.apply(port('reviews', 9080, ', aliases: [com.example.Reviews]'));
      const agent = connected(mesh, 'com.example.reviews', 'reviews.default.mesh.local');
      expect(agent.holds().filter((item) => item.startsWith('name'))).to.deep.equal([
        'name com.example.reviews',
        'name reviews.default.mesh.local',
      ]);
      agent.forget('com.example.reviews');
      expect(agent.holds()).to.deep.equal(closure('reviews', [''], 9080, 'reviews.default.mesh.local'));
    });

    it('sees an alias that moves to another service as a changed name', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(port('reviews', 80, ', aliases: [stars.example]'));
      const agent = connected(mesh, 'stars.example');
      mesh.apply(together(port('reviews', 80), port('ratings', 80, ', aliases: [stars.example]')));
      expect(agent.holds()).to.deep.equal(closure('ratings', [''], 80, 'stars.example'));
    });

    it('is rid of the closure when it drops the name, but keeps what another name needs', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(`
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ratings }
spec: { service: ratings, rules: [ { backends: [ { service: reviews } ] } ] }
`);
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      agent.forget('reviews.default');
      expect(agent.holds()).to.deep.equal([
        'cluster reviews.default|http|',
        'endpoint reviews.default|http|',
        'name ratings.default',
        'routeConfiguration ratings.default:80',
      ]);
      agent.forget('ratings.default');
      expect(agent.holds()).to.deep.equal([]);
      expect([...agent.services]).to.deep.equal([]);
    });

    it('never holds a name that is longer than a DNS name can be', () => {
      const agent = connected(new ModelMesh());
      agent.ask('x'.repeat(254));
      expect(agent.batches).to.have.lengthOf(1);
    });
  });

  describe('following changes', () => {
    it('gets of a revision only what it changes, under a mark with its number', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(split(90, 10));
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      mesh.apply(split(50, 50));
      expect(agent.lastBatch).to.deep.equal({ content: ['routeConfiguration reviews.default:80'], revision: 2 });
      expect(agent.applied.at(-1)).to.equal(2);
    });

    it('gets of an instance change the endpoints alone, without a new revision', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      mesh.put(instanceOf('reviews', 'reviews-3'));
      expect(agent.lastBatch).to.deep.equal({ content: ['endpoint reviews.default|http|'], revision: 0 });
    });

    it('hears of instances of a service to which only a route of another service sends', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(`
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ratings }
spec: { service: ratings, rules: [ { backends: [ { service: reviews } ] } ] }
`);
      const agent = connected(mesh, 'ratings.default');
      mesh.put(instanceOf('reviews', 'reviews-3'));
      expect(agent.lastBatch?.content).to.deep.equal(['endpoint reviews.default|http|']);
    });

    it('is not bothered by what it does not hold', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default');
      mesh.apply(split(1, 1, 'ratings'));
      mesh.put(instanceOf('ratings', 'ratings-3'));
      expect(agent.batches).to.have.lengthOf(1);
    });

    it('takes two services of one revision in one batch', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      mesh.apply(together(split(1, 1), split(1, 1, 'ratings')));
      const routes = agent.lastBatch?.content.filter((item) => item.startsWith('routeConfiguration'));
      expect(routes).to.have.members([
        'routeConfiguration reviews.default:80',
        'routeConfiguration ratings.default:80',
      ]);
      expect(agent.batches).to.have.lengthOf(2);
    });

    it('has at most one mark under way; what changes meanwhile is merged into the next batch', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      agent.isSlow = true;
      mesh.apply(split(90, 10));
      mesh.apply(split(50, 50));
      mesh.apply(split(0, 100));
      agent.isSlow = false;
      agent.answer();
      expect(agent.batches.map(({ revision }) => revision)).to.deep.equal([0, 1, 3]);
    });

    it('gets the mark of a revision that concerns it even when nothing differs in the end', () => {
      const mesh = meshWith('reviews');
      mesh.apply(split(90, 10));
      const agent = connected(mesh, 'reviews.default');
      agent.isSlow = true;
      mesh.put(instanceOf('reviews', 'reviews-3'));
      mesh.apply(split(50, 50));
      mesh.apply(split(90, 10));
      agent.isSlow = false;
      agent.answer();
      expect(agent.lastBatch).to.deep.equal({ content: [], revision: 3 });
    });

    it('is not sent an instance change that a later one has undone', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      agent.isSlow = true;
      mesh.apply(split(90, 10));
      mesh.put(instanceOf('reviews', 'reviews-3'));
      mesh.remove('reviews', 'reviews-3');
      agent.isSlow = false;
      agent.answer();
      expect(agent.batches).to.have.lengthOf(2);
    });

    it('is touched by a revision that changes only which instances a subset has', () => {
      const mesh = meshWith('reviews');
      mesh.put(instanceOf('reviews', 'two', { labels: { version: 'v2' } }));
      const labelled = (version: string) =>
        together(split(1, 1), port('reviews', 80, `, subsets: [ { name: v1, labels: { version: ${version} } } ]`));
      mesh.apply(labelled('v1'));
      const agent = connected(mesh, 'reviews.default');
      mesh.apply(labelled('v2'));
      expect(agent.lastBatch).to.deep.equal({ content: ['endpoint reviews.default|http|v1'], revision: 2 });
      expect(agent.touched.at(-1)).to.equal(2);
    });

    it('may ask again for what it has asked for, however much that is', () => {
      const agent = connected(new ModelMesh());
      const names = Array.from({ length: 15_000 }, (_, index) => `n${index}.default`);
      agent.ask(...names);
      agent.ask(...names);
      expect(agent.absent.size).to.equal(15_000);
    });

    it('ignores an answer to a mark that is not under way', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      const stale = {
        typeUrl: typeUrls.mark,
        subscribe: [],
        unsubscribe: [],
        initialVersions: {},
        version: '',
        nonce: '1',
      };
      expect(agent.session.onRequest({ ...stale, error: undefined })).to.deep.equal([]);
      expect(agent.session.onRequest({ ...stale, error: { message: 'no', resources: [] } })).to.deep.equal([]);
    });
  });

  describe('refusing', () => {
    const refuseRoutes = refuse(typeUrls.routeConfiguration, 'reviews.default:80');

    it('keeps what it has: everything that came with the revision is withheld, under marks that repeat the old one', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(together(split(1, 1), split(1, 1, 'ratings')));
      expect(agent.refused).to.have.lengthOf(1);
      expect(agent.refused[0]).to.deep.include({ revision: 1, message: 'cannot be used' });
      expect(agent.holds()).to.deep.equal([...closure('ratings', ['']), ...closure('reviews', [''])].sort());
      expect(agent.held.revision).to.equal(0);
    });

    it('is given instance changes all the same, also of the services that are withheld', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(split(1, 1));
      mesh.put(instanceOf('reviews', 'reviews-3'));
      expect(agent.lastBatch).to.deep.equal({ content: ['endpoint reviews.default|http|'], revision: 0 });
    });

    it('is given later revisions of other services, under marks that repeat the last one it used in full', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(split(9, 1));
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(split(1, 1));
      mesh.apply(split(1, 1, 'ratings'));
      expect(agent.lastBatch?.revision).to.equal(1);
      expect(agent.holds()).to.include('cluster ratings.default|http|v2');
      expect(agent.held.revision).to.equal(1);
    });

    it('shows an operator what was refused and why, and what it goes on with', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      const seen = () =>
        new Map([...agent.session.resources()].map((resource) => [resource.name, resource] as const)).get(
          'reviews.default:80',
        );
      const good = seen();
      agent.refuseNext(refuseRoutes);
      mesh.apply(split(90, 10));
      const refused = mesh.cache.resource(typeUrls.routeConfiguration, 'reviews.default:80')?.version;
      expect(good).to.deep.include({ state: 'acked', refused: undefined });
      expect(seen()).to.deep.include({
        state: 'nacked',
        version: good?.version,
        refused: { version: refused, message: 'cannot be used' },
      });
    });

    it('is given everything when the refused resource changes', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(together(split(1, 1), split(1, 1, 'ratings')));
      mesh.apply(split(2, 1));
      expect(agent.held.revision).to.equal(2);
      expect(agent.holds()).to.include.members(['cluster reviews.default|http|v2', 'cluster ratings.default|http|v2']);
    });

    it('is given everything when the refused resource goes', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(split(1, 1));
      mesh.apply('', 'Route/default/reviews');
      expect(agent.held.revision).to.equal(2);
    });

    it('of one new name freezes neither the other names nor the revision', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(split(1, 1, 'ratings'));
      const agent = connected(mesh, 'ratings.default');
      agent.refuseNext(refuse(typeUrls.routeConfiguration, 'reviews.default:80'));
      agent.ask('reviews.default');
      expect(agent.holds()).to.deep.equal(closure('ratings', ['v1', 'v2']));
      expect([...agent.absent]).to.deep.equal([]);
      mesh.put(instanceOf('ratings', 'ratings-3'));
      mesh.apply(split(3, 1, 'ratings'));
      expect(agent.lastBatch?.content).to.deep.equal(['routeConfiguration ratings.default:80']);
      mesh.apply(split(1, 1));
      expect(agent.holds()).to.include('name reviews.default');
      expect(agent.held.revision).to.equal(3);
    });

    const subset = (version: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { subsets: [ { name: live, labels: { version: ${version} } } ] }
`;
    const toLive = (weight: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ { backends: [ { subset: live, weight: ${weight} } ] } ] }
`;
    const liveEndpoints = (agent: FakeAgent) => agent.held.resources.get('endpoint reviews.default|http|live')?.version;

    it('uses no half of a revision: a subset keeps its instances while the route that came with its labels is refused', () => {
      const mesh = meshWith('reviews');
      mesh.put(instanceOf('reviews', 'two', { labels: { version: 'v2' } }));
      mesh.apply(together(subset('v1'), toLive(1)));
      const agent = connected(mesh, 'reviews.default');
      const before = liveEndpoints(agent);
      agent.refuseNext(refuseRoutes);
      mesh.apply(together(subset('v2'), toLive(2)));
      expect(liveEndpoints(agent)).to.equal(before);
      mesh.put(instanceOf('reviews', 'three'));
      expect(agent.lastBatch?.content).to.deep.equal(['endpoint reviews.default|http|live']);
      expect(agent.held.revision).to.equal(1);
    });

    it('is given the repair that was published while the refusal was under way', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      agent.refuseNext(refuseRoutes);
      agent.isSlow = true;
      mesh.apply(split(1, 1));
      mesh.apply(split(2, 1));
      agent.isSlow = false;
      agent.answer();
      expect(agent.refused).to.have.lengthOf(1);
      expect(agent.held.revision).to.equal(2);
    });

    it('of endpoints leaves those as they were, and stops nothing else', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default');
      const before = agent.held.resources.get('endpoint reviews.default|http|')?.version;
      agent.refuseNext(refuse(typeUrls.endpoint, 'reviews.default|http|'));
      mesh.put(instanceOf('reviews', 'bad'));
      agent.ask('ratings.default');
      mesh.apply(split(1, 1, 'ratings'));
      expect(agent.holds()).to.include('cluster ratings.default|http|v2');
      expect(agent.held.resources.get('endpoint reviews.default|http|')?.version).to.equal(before);
      mesh.remove('reviews', 'bad');
      mesh.put(instanceOf('reviews', 'good'));
      expect(agent.held.resources.get('endpoint reviews.default|http|')?.version).to.not.equal(before);
    });

    it('on connecting leaves what it had, whole', () => {
      const mesh = meshWith('reviews', 'ratings');
      mesh.apply(split(9, 1));
      const held = connected(mesh, 'reviews.default').disconnect();
      const before = [...held.resources].map(([key, { version }]) => [key, version]);
      mesh.apply(split(1, 1));
      const agent = new FakeAgent(mesh, held);
      agent.refuseNext(refuseRoutes);
      agent.connect();
      expect([...agent.held.resources].map(([key, { version }]) => [key, version])).to.deep.equal(before);
      mesh.put(instanceOf('reviews', 'reviews-3'));
      expect(agent.lastBatch).to.deep.equal({ content: ['endpoint reviews.default|http|v1'], revision: 1 });
      mesh.apply(split(2, 1));
      expect(agent.held.revision).to.equal(3);
      agent.forget('reviews.default');
      expect([...agent.services]).to.deep.equal([]);
    });

    it('without saying what stops the stream until the rules change', () => {
      const mesh = meshWith('reviews');
      const agent = connected(mesh, 'reviews.default');
      let isRefusing = true;
      for (let i = 0; i < 9; i++) agent.refuseNext(() => (isRefusing ? [] : undefined));
      mesh.apply(split(1, 1));
      mesh.put(instanceOf('reviews', 'reviews-3'));
      expect(agent.refused.length).to.be.at.most(3);
      isRefusing = false;
      mesh.apply(split(2, 1));
      expect(agent.held.revision).to.equal(2);
    });

    for (const typeUrl of [typeUrls.endpoint, typeUrls.cluster, 'no such type']) {
      it(`of ${typeUrl.split('.').at(-1)} that was never sent is no reason to send the same for ever`, () => {
        const mesh = meshWith('reviews', 'ratings');
        const agent = connected(mesh, 'reviews.default');
        for (let i = 0; i < 9; i++) agent.refuseNext(refuse(typeUrl, 'ratings.default|http|'));
        mesh.apply(split(1, 1));
        expect(agent.refused.length).to.be.at.most(3);
        mesh.put(instanceOf('ratings', 'another'));
        mesh.apply(together(split(2, 1), split(2, 1, 'ratings')));
        expect(agent.refused.length).to.be.at.most(6);
      });
    }

    it('twice withholds both, each until it changes', () => {
      const mesh = meshWith('reviews', 'ratings');
      const agent = connected(mesh, 'reviews.default', 'ratings.default');
      agent.refuseNext(refuseRoutes);
      mesh.apply(split(1, 1));
      agent.refuseNext(refuse(typeUrls.routeConfiguration, 'ratings.default:80'));
      mesh.apply(split(1, 1, 'ratings'));
      expect(agent.holds()).to.deep.equal([...closure('ratings', ['']), ...closure('reviews', [''])].sort());
      mesh.apply(together(split(2, 1), split(2, 1, 'ratings')));
      expect(agent.held.revision).to.equal(3);
    });
  });

  it('property: after any sequence of changes, questions and refusals, the agent holds exactly what its names need', () => {
    const services = ['a', 'b', 'c'];
    const service = fc.constantFrom(...services);
    const step = fc.oneof(
      fc.record({ is: fc.constant('ask' as const), service }),
      fc.record({ is: fc.constant('forget' as const), service }),
      fc.record({
        is: fc.constant('instance' as const),
        service,
        id: fc.integer({ min: 0, max: 2 }),
        gone: fc.boolean(),
      }),
      fc.record({
        is: fc.constant('route' as const),
        service,
        target: service,
        weight: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ is: fc.constant('unroute' as const), service }),
      fc.record({ is: fc.constant('port' as const), service, port: fc.constantFrom(80, 81) }),
      fc.record({ is: fc.constant('slow' as const), slow: fc.boolean() }),
      fc.record({ is: fc.constant('refuse' as const), service }),
      fc.record({ is: fc.constant('reconnect' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const mesh = meshWith('a', 'b');
        let agent = connected(mesh);
        for (const next of steps) {
          if (next.is === 'ask') agent.ask(`${next.service}.default`);
          if (next.is === 'forget') agent.forget(`${next.service}.default`);
          if (next.is === 'instance' && !next.gone) mesh.put(instanceOf(next.service, `${next.service}-${next.id}`));
          if (next.is === 'instance' && next.gone) mesh.remove(next.service, `${next.service}-${next.id}`);
          if (next.is === 'route') mesh.apply(routeTo(next.service, next.target, next.weight));
          if (next.is === 'unroute') mesh.apply('', `Route/default/${next.service}`);
          if (next.is === 'port') mesh.apply(port(next.service, next.port));
          if (next.is === 'refuse') {
            agent.refuseNext(refuse(typeUrls.routeConfiguration, `${next.service}.default:80`));
          }
          if (next.is === 'slow') {
            agent.isSlow = next.slow;
            if (!next.slow) agent.answer();
          }
          if (next.is === 'reconnect') {
            agent = new FakeAgent(mesh, agent.disconnect());
            agent.connect();
          }
        }
        agent = new FakeAgent(mesh, agent.disconnect());
        agent.connect();
        expect(agent.holds()).to.deep.equal(neededBy(agent, mesh));
        expect(agent.held.revision).to.equal(mesh.revision);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 300) },
    );
  });
});

const routeTo = (service: string, target: string, weight: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { service: ${target}, subset: v1, weight: ${weight} }, { subset: v2 } ] } ] }
`;

/** The closure of the agent's names, taken from the newest snapshots without the session's bookkeeping. */
function neededBy(agent: FakeAgent, { cache }: ModelMesh): string[] {
  const needed = new Set<string>();
  for (const name of agent.held.names) {
    const snapshot = cache.service(cache.ownerOfName(name) ?? '');
    if (!snapshot) continue;
    needed.add(`name ${name}`);
    for (const { name: route, bytes } of snapshot.resources.get(typeUrls.routeConfiguration)?.values() ?? []) {
      needed.add(`routeConfiguration ${route}`);
      for (const cluster of clustersOf(bytes)) needed.add(`cluster ${cluster}`).add(`endpoint ${cluster}`);
    }
  }
  return [...needed].sort();
}
