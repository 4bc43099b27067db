import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { markTypeUrl, typeUrls } from '../../../../agent/xds/resources.ts';
import { fromStruct } from '../../../../proto/struct.ts';
import { HealthState } from '../../../../proto/types.ts';
import { batchOf, markOf, response } from '../xds/mesh-fixture.ts';
import { AgentHarness, admin, answerTo, through } from './agent-harness.ts';

describe('an agent and its control plane', () => {
  let mesh: AgentHarness;
  beforeEach(async () => {
    mesh = await new AgentHarness().start();
  });
  afterEach(() => mesh.close());

  /** Runs until the last run of an agent that knew `reviews.default` at revision 5 is over. */
  async function lastRun(): Promise<void> {
    const agent = await mesh.agent({ upstream: 'reviews=127.0.0.1:0' });
    await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
    mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
    await mesh.server.nextMarkVerdict();
    await agent.close();
    await mesh.server.next('ads-end');
    await mesh.server.next('session-end');
    mesh.server.forget();
  }

  describe('registers first', () => {
    it('with its instance as callers reach it, and asks for resources after the welcome', async () => {
      const app = await mesh.app();
      mesh.server.welcome = undefined;
      const agent = await mesh.agent({
        app,
        inbound: '127.0.0.1:0',
        version: 'v1',
        label: ['team=books'],
        zone: 'z1',
      });
      const hello = await mesh.server.nextSession('hello');
      expect(hello).to.deep.include({ id: 'web-1', namespace: 'default', service: 'web' });
      expect(hello.key).to.have.length(32);
      const { health, ...instance } = hello.instance ?? { health: null };
      expect(health?.state).to.be.oneOf([HealthState.STARTING, HealthState.PASSING]);
      expect(instance).to.deep.equal({
        address: '127.0.0.1',
        ports: { '': agent.addresses.inbound[0]?.address.port },
        labels: { team: 'books', version: 'v1' },
        zone: 'z1',
      });
      mesh.server.say({ welcome: { meshId: 'mesh-a', revision: 1, serverId: 'fake' } });
      const { request } = await mesh.server.next('ads');
      expect(fromStruct(request.node?.metadata ?? null).sluice).to.deep.equal({
        namespace: 'default',
        service: 'web',
        app: true,
        meshId: '',
        revision: 0,
      });
    });

    it('without an instance when it has no application', async () => {
      await mesh.agent();
      expect((await mesh.server.nextSession('hello')).instance).to.equal(null);
    });

    it('with every named port of the application', async () => {
      const app = await mesh.app();
      const agent = await mesh.agent({
        app: [`http=${app}`, `grpc=${app}`],
        inbound: ['http=127.0.0.1:0', 'grpc=127.0.0.1:0'],
      });
      const ports = (await mesh.server.nextSession('hello')).instance?.ports;
      expect(ports).to.deep.equal(
        Object.fromEntries(agent.addresses.inbound.map(({ name, address }) => [name, address.port])),
      );
    });

    it('advertises the address it reaches the server from when it listens on all addresses', async () => {
      await mesh.agent({ app: await mesh.app(), inbound: '0.0.0.0:0' });
      expect((await mesh.server.nextSession('hello')).instance?.address).to.equal('127.0.0.1');
    });

    it('advertises what the operator says', async () => {
      await mesh.agent({ app: await mesh.app(), inbound: '127.0.0.1:0', advertise: '10.0.0.7:1234' });
      const { instance } = await mesh.server.nextSession('hello');
      expect({ address: instance?.address, ports: instance?.ports }).to.deep.equal({
        address: '10.0.0.7',
        ports: { '': 1234 },
      });
    });

    it('tells the server when the application takes connections', async () => {
      mesh.server.welcome = undefined;
      await mesh.agent({ app: await mesh.app(), inbound: '127.0.0.1:0' });
      const hello = await mesh.server.nextSession('hello');
      const isPassing = hello.instance?.health?.state === HealthState.PASSING;
      const health = isPassing ? hello.instance?.health : await mesh.server.nextSession('health');
      expect(health?.state).to.equal(HealthState.PASSING);
    });

    it('answers a ping', async () => {
      await mesh.agent();
      await mesh.server.nextSession('hello');
      mesh.server.say({ ping: {} });
      await mesh.server.nextSession('pong');
    });

    it('with the names it asks for, so that it counts in waits while it takes nothing from this server', async () => {
      await lastRun();
      mesh.server.welcome = { meshId: 'mesh-b' };
      await mesh.agent({ upstream: ['ratings=127.0.0.1:0', 'reviews=127.0.0.1:0'] });
      expect([...(await mesh.server.nextSession('hello')).names].sort()).to.deep.equal([
        'ratings.default',
        'reviews.default',
      ]);
    });

    it('with the same key after a restart', async () => {
      const first = await mesh.agent();
      const before = await mesh.server.nextSession('hello');
      await first.close();
      await mesh.agent();
      expect((await mesh.server.nextSession('hello')).key).to.deep.equal(before.key);
      expect(statSync(join(mesh.folder, 'state', 'key')).mode & 0o777).to.equal(0o600);
    });
  });

  describe('is ready', () => {
    it('after its first mark, also of an empty store at revision 0', async () => {
      const agent = await mesh.agent();
      expect(await admin(agent, '/ready')).to.deep.equal({
        status: 503,
        body: {
          ready: false,
          stale: false,
          revision: 0,
          reason: 'there is no complete revision yet: the control plane has not answered yet',
        },
      });
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(response(markTypeUrl, [markOf({ revision: 0 })]));
      await agent.ready;
      expect(await admin(agent, '/ready')).to.deep.equal({
        status: 200,
        body: { ready: true, stale: false, revision: 0, reason: '' },
      });
    });

    it('at once when started from last-good, and says that it is stale', async () => {
      await lastRun();
      mesh.stopServer();
      const agent = await mesh.agent();
      await agent.ready;
      const { status, body } = await admin(agent, '/ready');
      expect({ status, ...body, reason: '' }).to.deep.equal({
        status: 200,
        ready: true,
        stale: true,
        revision: 5,
        reason: '',
      });
      expect(body.reason).to.match(/^routes by revision 5 of its last run: /);
      expect((await through(agent, 'reviews')).reason).to.not.equal('no-route');
    });

    it('no longer when it drains', async () => {
      const agent = await mesh.agent();
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(response(markTypeUrl, [markOf()]));
      await agent.ready;
      const drained = admin(agent, '/drain', 'POST');
      await mesh.server.nextSession('drain');
      mesh.server.say({ drained: { pending: [] } });
      expect((await drained).body).to.deep.include({ ready: false, reason: 'the agent is draining' });
      expect((await admin(agent, '/ready')).status).to.equal(503);
    });
  });

  describe('starting again from last-good', () => {
    it('presents what it holds: mesh, revision, versions, names', async () => {
      await lastRun();
      await mesh.agent();
      const requests = [];
      for (let count = 0; count < 6; count += 1) requests.push((await mesh.server.next('ads')).request);
      const held = requests.map(({ typeUrl, initialResourceVersions, resourceNamesSubscribe }) => ({
        kind: typeUrl.split('.').at(-1),
        held: Object.keys(initialResourceVersions),
        names: resourceNamesSubscribe,
      }));
      expect(held).to.deep.equal([
        { kind: 'ClusterLoadAssignment', held: ['reviews.default|http|'], names: [] },
        { kind: 'Cluster', held: ['reviews.default|http|'], names: [] },
        { kind: 'RouteConfiguration', held: ['reviews.default:80'], names: [] },
        { kind: 'Listener', held: [], names: [] },
        { kind: 'Name', held: ['reviews.default'], names: ['reviews.default'] },
        { kind: 'Revision', held: [], names: ['mesh'] },
      ]);
      expect(fromStruct(requests[0]?.node?.metadata ?? null).sluice).to.deep.include({ meshId: 'mesh-a', revision: 5 });
      expect({ ...(await mesh.server.nextSession('report')) }).to.deep.equal({
        condition: 'stale',
        detail: 'routes by revision 5 of its last run',
      });
    });

    it('says that all is well when the first mark is applied', async () => {
      await lastRun();
      await mesh.agent();
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(response(markTypeUrl, [markOf({ revision: 6 })]));
      await mesh.server.nextSession('report');
      expect({ ...(await mesh.server.nextSession('report')) }).to.deep.equal({ condition: '', detail: '' });
    });

    it('sets a damaged file aside and starts with nothing', async () => {
      await lastRun();
      const state = join(mesh.folder, 'state');
      const file = join(state, 'last-good');
      const bytes = readFileSync(file);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(file, bytes);
      const agent = await mesh.agent();
      expect((await admin(agent, '/ready')).body).to.deep.include({ ready: false, revision: 0 });
      expect(readdirSync(state).filter((name) => name.startsWith('last-good.damaged-'))).to.have.length(1);
      expect(existsSync(file)).to.equal(false);
    });

    it('refuses a state directory that another agent uses, and says what to do', async () => {
      await mesh.agent();
      const second = await mesh.agent().then(
        () => 'it started',
        (cause: Error) => cause.message,
      );
      expect(second).to.match(
        /is in use by another agent \(process \d+\); give each agent its own --id or --state-dir$/,
      );
    });
  });

  describe('a server with another mesh', () => {
    it('is why a new name is not known', async () => {
      await lastRun();
      mesh.server.welcome = { meshId: 'mesh-b' };
      const agent = await mesh.agent();
      await mesh.server.nextSession('report');
      expect((await answerTo(agent, 'ratings')).sentence).to.match(
        /^whether "ratings" is a service of the mesh is not known: this agent holds mesh mesh-a and keeps it/,
      );
    });

    it('does not get to change anything: the agent says foreign-store, stays registered and asks for no resources', async () => {
      await lastRun();
      mesh.server.welcome = { meshId: 'mesh-b' };
      const agent = await mesh.agent();
      const { condition, detail } = await mesh.server.nextSession('report');
      expect(condition).to.equal('foreign-store');
      expect(detail).to.contain('mesh-a').and.to.contain('mesh-b').and.to.contain('--accept-mesh mesh-b');
      mesh.server.say({ ping: {} });
      await mesh.server.nextSession('pong');
      expect((await admin(agent, '/ready')).body).to.deep.include({ ready: true, stale: true, revision: 5 });
      expect((await admin(agent, '/config_dump')).body.clusters).to.have.length(1);
    });

    it('is obeyed by an agent without routes: it has nothing to protect', async () => {
      const before = await mesh.agent();
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(response(markTypeUrl, [markOf({ revision: 5 })]));
      await mesh.server.nextMarkVerdict();
      await before.close();
      await mesh.server.next('session-end');
      mesh.server.forget();
      mesh.server.welcome = { meshId: 'mesh-b' };
      const agent = await mesh.agent();
      const { request } = await mesh.server.next('ads');
      expect(fromStruct(request.node?.metadata ?? null).sluice).to.deep.include({ meshId: '', revision: 0 });
      mesh.server.send(response(markTypeUrl, [markOf({ meshId: 'mesh-b', revision: 1 })]));
      expect(await mesh.server.nextMarkVerdict()).to.equal(undefined);
      expect((await admin(agent, '/config_dump')).body).to.deep.include({ meshId: 'mesh-b', revision: 1 });
    });

    it('is obeyed when the operator accepts it', async () => {
      await lastRun();
      mesh.server.welcome = { meshId: 'mesh-b' };
      const agent = await mesh.agent({ acceptMesh: 'mesh-b' });
      const { request } = await mesh.server.next('ads');
      expect(fromStruct(request.node?.metadata ?? null).sluice).to.deep.include({ meshId: '', revision: 0 });
      mesh.server.send(
        response(typeUrls.names, [], ['reviews.default']),
        response(markTypeUrl, [markOf({ meshId: 'mesh-b', revision: 1 })]),
      );
      expect(await mesh.server.nextMarkVerdict()).to.equal(undefined);
      expect((await admin(agent, '/config_dump')).body).to.deep.include({ meshId: 'mesh-b', revision: 1, names: [] });
    });

    it('that is behind is refused: the agent says older-store and keeps what it has', async () => {
      await lastRun();
      const agent = await mesh.agent();
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(
        response(typeUrls.names, [], ['reviews.default']),
        response(markTypeUrl, [markOf({ revision: 4 })]),
      );
      expect(await mesh.server.nextMarkVerdict()).to.contain('this agent holds revision 5 and keeps it');
      await mesh.server.nextSession('report');
      expect((await mesh.server.nextSession('report')).condition).to.equal('older-store');
      expect((await admin(agent, '/ready')).body).to.deep.include({ ready: true, stale: true, revision: 5 });
    });

    describe('that is behind and holds its answer', () => {
      const older =
        'the server is older than what this agent has seen: it has revision 4, this agent holds revision 5 and keeps it';

      /** Connected to a server at revision 4 after it had applied revision 5. */
      async function ahead() {
        const agent = await mesh.agent({ upstream: 'reviews=127.0.0.1:0' });
        await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
        mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
        await mesh.server.nextMarkVerdict();
        mesh.server.welcome = { meshId: 'mesh-a', revision: 4 };
        mesh.server.forget();
        mesh.server.endStreams();
        await mesh.server.next('session-end');
        while (!mesh.clock.waiting.includes(100)) await new Promise((resolve) => setImmediate(resolve));
        mesh.clock.advance(100);
        await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
        return agent;
      }

      it('is why: /ready, /stats and the report to the server say so', async () => {
        const agent = await ahead();
        expect({ ...(await mesh.server.nextSession('report')) }).to.deep.equal({
          condition: 'older-store',
          detail: older,
        });
        expect((await admin(agent, '/ready')).body).to.deep.include({ ready: true, reason: older });
        const { condition, conditionDetail } = (await admin(agent, '/stats')).body.controlPlane;
        expect({ condition, conditionDetail }).to.deep.equal({ condition: 'older-store', conditionDetail: older });
      });

      it('is why a new name is not known, and a second one', async () => {
        const agent = await ahead();
        for (const name of ['ratings', 'cart']) {
          const answer = answerTo(agent, name);
          await mesh.server.next('ads', ({ request }) => request.resourceNamesSubscribe.includes(`${name}.default`));
          mesh.clock.advance(5_000);
          expect(await answer).to.deep.equal({
            status: 503,
            reason: 'unavailable',
            sentence: `whether "${name}" is a service of the mesh is not known: ${older}`,
          });
        }
      });

      it('is forgotten when it has caught up', async () => {
        const agent = await ahead();
        mesh.server.send(response(markTypeUrl, [markOf({ revision: 5 })]));
        await mesh.server.nextMarkVerdict();
        expect((await admin(agent, '/ready')).body).to.deep.include({ ready: true, reason: '' });
        expect((await admin(agent, '/stats')).body.controlPlane.condition).to.equal('');
      });
    });
  });

  describe('names on demand', () => {
    async function connected() {
      const agent = await mesh.agent();
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(response(markTypeUrl, [markOf()]));
      await mesh.server.nextMarkVerdict();
      return agent;
    }
    const asks = (name: string) =>
      mesh.server.next('ads', ({ request }) => request.resourceNamesSubscribe.includes(name));

    it('concurrent requests for one name share one question, and go on at the swap', async () => {
      const agent = await connected();
      const answers = [through(agent, 'reviews'), through(agent, 'reviews.default:80')];
      await asks('reviews.default');
      mesh.server.send(...batchOf(['reviews.default'], { sequence: 2 }, 1));
      // Nobody listens on port 1: the request was routed, and that is all this asks.
      expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([503, 503]);
      expect((await admin(agent, '/config_dump')).body.subscribed).to.deep.equal(['reviews.default']);
    });

    it('a name that does not exist is answered 404, and not asked for again', async () => {
      const agent = await connected();
      const first = through(agent, 'nowhere');
      await asks('nowhere.default');
      mesh.server.send(
        response(typeUrls.names, [], ['nowhere.default']),
        response(markTypeUrl, [markOf({ sequence: 2 })]),
      );
      expect(await first).to.deep.equal({ status: 404, reason: 'no-route' });
      expect(await through(agent, 'nowhere')).to.deep.equal({ status: 404, reason: 'no-route' });
    });

    it('an absent name is let go of after 30 s, and asked for again when it is used again', async () => {
      const agent = await connected();
      const first = through(agent, 'nowhere');
      await asks('nowhere.default');
      mesh.server.send(
        response(typeUrls.names, [], ['nowhere.default']),
        response(markTypeUrl, [markOf({ sequence: 2 })]),
      );
      await first;
      mesh.clock.advance(35_000);
      await mesh.server.next('ads', ({ request }) => request.resourceNamesUnsubscribe.includes('nowhere.default'));
      const again = through(agent, 'nowhere');
      await asks('nowhere.default');
      mesh.server.send(...batchOf(['nowhere.default'], { sequence: 3 }, 1));
      expect(await again).to.deep.equal({ status: 503, reason: 'upstream-connect-failure' });
    });

    it('without a connection an unknown name is answered 503 at once', async () => {
      mesh.stopServer();
      const agent = await mesh.agent();
      expect(await through(agent, 'reviews')).to.deep.equal({ status: 503, reason: 'unavailable' });
    });

    it('waiting requests are answered when the connection is lost', async () => {
      const agent = await connected();
      const answer = through(agent, 'reviews');
      await asks('reviews.default');
      mesh.server.endStreams();
      expect(await answer).to.deep.equal({ status: 503, reason: 'unavailable' });
    });
  });

  describe('a connection that ends', () => {
    it('by the server on purpose is followed by another one soon', async () => {
      await mesh.agent();
      await mesh.server.next('ads');
      mesh.clock.advance(1_500);
      mesh.server.endStreams();
      await mesh.server.next('session-end');
      await mesh.server.nextSession('hello');
      await untilWaiting(50);
      mesh.clock.advance(50);
      await mesh.server.nextSession('hello');
    });

    it('takes both streams with it', async () => {
      await mesh.agent();
      await mesh.server.next('ads');
      mesh.server.endStreams(status.UNAVAILABLE);
      await Promise.all([mesh.server.next('ads-end'), mesh.server.next('session-end')]);
    });

    it('is tried again, and what is held is not sent for again', async () => {
      const agent = await mesh.agent({ upstream: 'reviews=127.0.0.1:0' });
      await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
      mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
      await mesh.server.nextMarkVerdict();
      mesh.stopServer();
      await untilWaiting(100);
      expect((await admin(agent, '/ready')).body).to.deep.include({ ready: true, stale: false, revision: 5 });
      await mesh.restartServer();
      mesh.clock.advance(100);
      const { request } = await mesh.server.next('ads', ({ request }) => request.typeUrl === typeUrls.names);
      expect(Object.keys(request.initialResourceVersions)).to.deep.equal(['reviews.default']);
    });

    it('by a refusal of the registration is tried again at the slow rate', async () => {
      mesh.server.welcome = undefined;
      const agent = await mesh.agent();
      await mesh.server.nextSession('hello');
      mesh.server.endStreams(status.ALREADY_EXISTS, 'the id "web-1" is taken');
      await untilWaiting(3_750);
      expect((await admin(agent, '/stats')).body.controlPlane.lastEnd).to.contain('the id "web-1" is taken');
    });

    it('is given up when there is no welcome for 5 s', async () => {
      mesh.server.welcome = undefined;
      await mesh.agent();
      await mesh.server.nextSession('hello');
      mesh.clock.advance(5_000);
      await mesh.server.next('session-end');
    });

    /** The agent notices an end by itself; that it did shows in the timer it sets. */
    async function untilWaiting(delayMs: number): Promise<void> {
      while (!mesh.clock.waiting.includes(delayMs)) await new Promise((resolve) => setImmediate(resolve));
    }
  });

  describe('draining', () => {
    it('asks once, and ends when callers know', async () => {
      const agent = await mesh.agent({ app: await mesh.app(), inbound: '127.0.0.1:0' });
      await mesh.server.next('ads');
      const drained = Promise.all([agent.drain(), agent.drain()]);
      expect((await mesh.server.nextSession('drain')).deadlineMs).to.equal(10_000);
      mesh.server.say({ drained: { pending: ['cart-1'] } });
      await drained;
    });

    it('does not wait for a server that is not there', async () => {
      mesh.stopServer();
      const agent = await mesh.agent();
      await agent.drain();
    });

    it('does not register the application again when the connection is lost meanwhile, but connects again', async () => {
      const agent = await mesh.agent({ app: await mesh.app(), inbound: '127.0.0.1:0' });
      await mesh.server.next('ads');
      const drained = agent.drain();
      await mesh.server.nextSession('drain');
      mesh.server.forget();
      mesh.server.endStreams();
      await drained;
      mesh.clock.advance(200);
      expect((await mesh.server.nextSession('hello')).instance).to.equal(null);
    });
  });
});
