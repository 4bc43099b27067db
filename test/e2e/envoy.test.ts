/** Envoy as a sidecar of the mesh: the real program, by each form of xDS. */
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import { type Envoy, freeAddress, skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { startLoad } from '../support/envoy-load.ts';
import { Link } from '../support/link.ts';
import { Processes } from '../support/processes.ts';
import { type Mesh, route, startMesh } from '../support/start-mesh.ts';

const service = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: http, port: 9080 } ] }
`;
const rules = `${service}
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  allowEmpty: true
  rules:
    - { name: tester, match: [ { headers: { x-user: { exact: tester } } } ], backends: [ { subset: v2 } ] }
    - { name: beta, match: [ { path: { prefix: /beta } } ], backends: [ { subset: v2 } ] }
    - { name: rest, backends: [ { subset: v1 } ] }
`;

for (const { mode, streams } of [
  { mode: 'delta', streams: 'one stream' },
  { mode: 'sotw', streams: 'one stream' },
  { mode: 'delta', streams: 'a stream for each type' },
  { mode: 'sotw', streams: 'a stream for each type' },
] as const) {
  describe(`an Envoy by ${mode} on ${streams}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;
    /** By which it reaches the control plane. */
    let link: Link;
    let envoy: Envoy;
    /** HOST:PORT of a listener for reviews alone. */
    let ownPort: string;
    const processes = new Processes();

    before(async function () {
      skipUnlessEnvoy(this);
      mesh = await startMesh();
      await mesh.apply(rules, '');
      for (const version of ['v1', 'v2']) await mesh.startInstance('reviews', version);
      ownPort = await freeAddress();
      link = new Link(() => mesh.server.grpc);
      envoy = await startEnvoy(processes, {
        server: await link.listen(),
        mode,
        hasOwnStreams: streams !== 'one stream',
        upstreams: { reviews: ownPort },
      });
    });
    after(async () => {
      await processes.close();
      link?.close();
      await mesh?.close();
    });

    for (const { host, path = '/', headers = {}, want } of [
      { host: 'reviews', want: 'reviews v1' },
      { host: 'reviews:9080', want: 'reviews v1' },
      { host: 'Reviews.Default', want: 'reviews v1' },
      { host: 'reviews.default.mesh.local:9080', want: 'reviews v1' },
      { host: 'reviews.', want: 'reviews v1' },
      { host: 'reviews', path: '/beta/x', want: 'reviews v2' },
      { host: 'reviews', path: '/betamax', want: 'reviews v1' },
      { host: 'reviews', headers: { 'x-user': 'tester' }, want: 'reviews v2' },
    ]) {
      it(`${host}${path} ${JSON.stringify(headers)} goes to ${want}`, async () => {
        const { status, body } = await envoy.get(host, path, { headers });
        expect({ status, body }).to.deep.equal({ status: 200, body: want });
      });
    }

    it('answers what is no service as an agent does', async () => {
      const { status, headers, body } = await envoy.get('nobody');
      expect({ status, reason: headers['x-sluice-reason'], body }).to.deep.equal({
        status: 404,
        reason: 'no-route',
        body: 'nobody is no service of the mesh, or no rule of it takes this request\n',
      });
    });

    /** How often each answer came. */
    async function count(times: number): Promise<Record<string, number>> {
      const counts: Record<string, number> = {};
      for (let i = 0; i < times; i++) {
        const { status, body } = await envoy.get('reviews');
        const key = status === 200 ? body : `${status} ${body}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    }

    it('shares requests 90 to 10', async () => {
      const { body } = await mesh.apply(route('reviews', { v1: 90, v2: 10 }));
      expect([...body.rollout.pending, ...body.rollout.rejected]).to.deep.equal([]);
      const counts = await count(1_000);
      expect(Object.keys(counts).sort()).to.deep.equal(['reviews v1', 'reviews v2']);
      // By chance, in Envoy: four times the deviation to be expected.
      expect(counts['reviews v2']).to.be.within(60, 140);
    });

    it('follows instances that come and go, without a failed request', async () => {
      await mesh.apply(route('reviews', { v2: 100 }));
      const load = startLoad(envoy);
      const { agent, app } = await mesh.startInstance('reviews', 'v2', 'reviews-v2-b', 'another v2');
      await envoy.until(async () => (load.answers['another v2'] ?? 0) > 20);
      await agent.drain();
      await agent.close();
      await app.close();
      const before = load.answers['another v2'];
      expect((await count(50))['another v2']).to.equal(undefined);
      await load.end();
      expect(load.answers['another v2']).to.be.within(before ?? 0, (before ?? 0) + 8);
      expect(load.failures).to.deep.equal({});
    });

    it('has refused nothing, and waits for nothing', async () => {
      expect(await envoy.sum(/update_rejected$/)).to.equal(0);
      expect(await envoy.sum(/warming_clusters$|total_listeners_warming$/)).to.equal(0);
    });

    it('loses no request while subsets are taken away under load', async () => {
      const load = startLoad(envoy);
      for (let round = 0; round < 10; round++) {
        const version = round % 2 === 0 ? 'v1' : 'v2';
        const { body } = await mesh.apply(route('reviews', { [version]: 1 }));
        expect([...body.rollout.pending, ...body.rollout.rejected]).to.deep.equal([]);
        const { status, body: answer } = await envoy.get('reviews');
        expect([status, answer]).to.deep.equal([200, `reviews ${version}`]);
        const other = version === 'v1' ? 'v2' : 'v1';
        await envoy.until(async () => !(await envoy.ask('/clusters')).includes(`reviews.default|http|${other}::`));
      }
      await load.end();
      expect(load.failures).to.deep.equal({});
      expect(load.closed).to.equal(0);
    });

    it('loses no request while the first port of a service gets other numbers', async () => {
      // On connections of their own: those that a listener has from before an update end after Envoy's time to drain.
      const loads = [startLoad(envoy), startLoad(envoy, () => ask({ at: ownPort }))];
      for (let port = 7100; port < 7120; port++) {
        const { body } = await mesh.apply(rules.replace('port: 9080', `port: ${port}`));
        expect([...body.rollout.pending, ...body.rollout.rejected]).to.deep.equal([]);
      }
      expect((await envoy.get('reviews:7119')).status).to.equal(200);
      for (const load of loads) await load.end();
      expect(loads.map(({ failures }) => failures)).to.deep.equal([{}, {}]);
      expect(loads.every(({ answers }) => (answers['reviews v1'] ?? 0) > 100)).to.equal(true);
      expect(await envoy.sum(/update_rejected$/)).to.equal(0);
      await mesh.apply(rules);
    });

    it('finds its way to rules that changed while it was away, without a failed request', async () => {
      const load = startLoad(envoy);
      // By state of the world on streams of its own nobody can find out where its scopes led to.
      const otherPort = mode === 'delta' || streams === 'one stream' ? '7000' : '9080';
      for (const [version, first] of [
        ['v2', otherPort],
        ['v1', '9080'],
      ] as const) {
        link.cut();
        const { body } = await mesh.apply(
          [service.replace('9080', first), route('reviews', { [version]: 1 })].join('---'),
        );
        // What the revision takes away is gone, and then forgotten.
        await mesh.rolledOut(body.revision);
        await mesh.restartServer();
        link.mend();
        await envoy.until(async () => (await envoy.get('reviews')).body === `reviews ${version}`);
      }
      await load.end();
      expect(load.failures).to.deep.equal({});
      await mesh.apply(rules);
    });

    if (streams !== 'one stream') return;

    it('goes on while the control plane is away, and takes what changed meanwhile', async () => {
      const load = startLoad(envoy);
      const changes = () =>
        envoy.sum(/cluster_(added|modified)$|listener_(added|modified)$|outbound\.rds\..*\.config_reload$/);
      const before = await changes();
      await mesh.restartServer();
      await envoy.until(async () => (await mesh.agents('web')).some(({ state }) => state === 'accepted'));
      const after = await changes();
      await mesh.apply(route('reviews', { v1: 1 }));
      expect((await count(20))['reviews v1']).to.equal(20);
      await load.end();
      expect(load.failures).to.deep.equal({});
      expect(after, 'what it had already was sent again').to.equal(before);
    });

    it('tells what it refuses, and takes the rest', async () => {
      const { body } = await mesh.apply(unusable);
      const refusals = body.rollout.rejected.filter(({ id }) => id === 'web-1');
      expect(refusals.map(({ reason }) => reason).join()).to.match(/RE2 program size/);
      await mesh.apply(route('reviews', { v2: 1 }), '');
      await envoy.until(async () => (await envoy.get('reviews')).body === 'reviews v2');
      await mesh.apply(usable);
      expect((await envoy.get('reviews')).body).to.equal('reviews v2');
      expect(await envoy.sum(/warming_clusters$|total_listeners_warming$/)).to.equal(0);
    });
  });
}

/** An expression that agents take and an Envoy does not. */
const unusable = ratings(`/${'[^a]{1000}'.repeat(6)}`);
const usable = ratings('/[a-z]+');

function ratings(regex: string): string {
  return `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ratings }
spec:
  service: ratings
  allowEmpty: true
  rules: [ { match: [ { path: { regex: '${regex}' } } ], backends: [ {} ] } ]
`;
}
