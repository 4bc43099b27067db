/**
 * The gRPC project's published interop cases for xDS clients, as far as Sluice's rules can ask for what they describe: each
 * test has the name of its case. Left out: cases of priorities between localities, which no rule sets, and of authority rewriting.
 */
import { expect } from 'chai';
import { type Calls, type GrpcClient, grpcCore, grpcJs, isInstalled } from '../support/grpc/grpc-client.ts';
import { callUntil, type GrpcMesh, peersOf, policyOf, routeOf, say, startGrpcMesh } from '../support/grpc/grpc-mesh.ts';

const shout = { ...say, method: '/echo.Echo/Shout' };
const other = { ...say, method: '/other.Echo/Say' };

for (const library of [grpcJs, grpcCore]) {
  describe(`the interop case of gRPC's xDS clients, with ${library.name},`, () => {
    let world: GrpcMesh;
    let client: GrpcClient;

    before(function () {
      if (!isInstalled(library)) {
        console.warn(`      ${library.name} is not installed: its tests are left out`);
        this.skip();
      }
    });

    afterEach(async () => world.close());

    async function start(...instances: string[]): Promise<void> {
      world = await startGrpcMesh(library, ...instances);
      client = world.startClient();
    }

    /** Each of the calls reaches this subset alone. */
    async function expectAll(...wanted: (readonly [Partial<Calls>, string])[]): Promise<void> {
      for (const [calls, peer] of wanted) {
        expect({ ...calls, peers: peersOf(await client.calls({ ...say, times: 3, ...calls })) }).to.deep.equal({
          ...calls,
          peers: [`${peer}-1`],
        });
      }
    }

    it('ping_pong', async () => {
      await start('v1-1');
      expect(await client.calls({ ...say, times: 50 })).to.deep.include({ peers: { 'v1-1': 50 }, codes: { '0': 50 } });
    });

    it('round_robin', async () => {
      await start('v1-1', 'v1-2', 'v1-3');
      await callUntil(client, { ...say, times: 30 }, (outcome) => peersOf(outcome).length === 3);
      expect((await client.calls({ ...say, times: 90 })).peers).to.deep.equal({ 'v1-1': 30, 'v1-2': 30, 'v1-3': 30 });
    });

    it('backends_restart', async () => {
      await start('v1-1', 'v1-2');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      world.kill('v1-1');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-2');
      await world.restart('v1-1');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
    });

    it('remove_instance_group', async () => {
      await start('v1-1');
      await world.change('v1-1', { zone: 'a' });
      await world.start('v2-1', { zone: 'b' });
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      const load = await client.load(say);
      await world.deregister('v1-1');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v2-1');
      expect(Object.keys((await load.stop()).codes)).to.deep.equal(['0']);
    });

    it('change_backend_service', async () => {
      await start('v1-1', 'v2-1');
      await world.register('spare', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
      await expectAll([{}, 'v1']);
      const load = await client.load(say);
      await world.apply(routeOf('{ backends: [ { service: spare } ] }'));
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v2-1');
      expect(Object.keys((await load.stop()).codes)).to.deep.equal(['0']);
    });

    it('traffic_splitting', async () => {
      await start('v1-1', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
      await expectAll([{}, 'v1']);
      await world.apply(routeOf('{ backends: [ { subset: v1, weight: 20 }, { subset: v2, weight: 80 } ] }'));
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      const { peers } = await client.calls({ ...say, times: 1_000, parallel: 8 });
      // 200 with a deviation of 12.6.
      expect(peers['v1-1']).to.be.within(125, 275);
    });

    it('path_matching', async () => {
      await start('v1-1', 'v2-1');
      for (const [path, taken] of [
        ['exact: /echo.Echo/Shout', [shout]],
        ['prefix: /echo.Echo/Shout', [shout]],
        ['prefix: /other.Echo', [other]],
        ['regex: "/(?:other|none)[.]Ec.o/S.*"', [other]],
        ['regex: "/nowhere|/other.Echo/Say"', [other]],
      ] as const) {
        await world.apply(
          routeOf(
            `{ match: [ { path: { ${path} } } ], backends: [ { subset: v2 } ] }`,
            '{ backends: [ { subset: v1 } ] }',
          ),
        );
        const [call] = taken;
        await callUntil(client, { ...call, times: 3 }, (outcome) => peersOf(outcome).join() === 'v2-1');
        const rest = [say, shout, other].filter(({ method }) => method !== call.method);
        await expectAll(...rest.map((each) => [each, 'v1'] as const));
      }
    });

    it('header_matching', async () => {
      await start('v1-1', 'v2-1');
      for (const [condition, taken, left] of [
        ['exact: "1"', { 'x-user': '1' }, { 'x-user': '12' }],
        ['prefix: be', { 'x-user': 'beta' }, { 'x-user': 'abeta' }],
        ['regex: "a|b+"', { 'x-user': 'bb' }, { 'x-user': 'ab' }],
        ['present: true', { 'x-user': 'x' }, {}],
        ['present: false', {}, { 'x-user': 'x' }],
      ] as const) {
        await world.apply(
          routeOf(
            `{ match: [ { headers: { x-user: { ${condition} } } } ], backends: [ { subset: v2 } ] }`,
            '{ backends: [ { subset: v1 } ] }',
          ),
        );
        await callUntil(client, { ...say, headers: taken, times: 3 }, (outcome) => peersOf(outcome).join() === 'v2-1');
        await expectAll([{ headers: left }, 'v1']);
      }
    });

    it('circuit_breaking', async () => {
      await start();
      const server = await world.start('v1-1');
      await world.apply(policyOf('connectionPool: { maxRequests: 3 }'));
      await client.calls(say);
      const held = client.calls({ ...say, headers: { 'x-hold': '1' }, times: 3, parallel: 3, timeoutMs: 0 });
      await world.mesh.until(async () => server.held.length === 3);
      // Not ready is what it waits for; more than the limit fails at once.
      const { codes } = await client.calls({ ...say, times: 5, waitForReady: false });
      expect(codes).to.deep.equal({ '14': 5 });
      server.release();
      expect((await held).codes).to.deep.equal({ '0': 3 });
      expect((await client.calls({ ...say, times: 5 })).codes).to.deep.equal({ '0': 5 });
    });

    it('timeout', async () => {
      // The C core's clock of deadlines is a second off on machines whose cycle counter does not begin at 0.
      const timeout = library === grpcJs ? '300ms' : '3s';
      await start();
      const server = await world.start('v1-1');
      await world.apply(
        routeOf(
          `{ match: [ { path: { exact: /echo.Echo/Shout } } ], timeout: ${timeout}, backends: [ { subset: v1 } ] }`,
          '{ backends: [ { subset: v1 } ] }',
        ),
      );
      await expectAll([say, 'v1'], [shout, 'v1']);
      const headers = { 'x-hold': '1' };
      const slow = client.calls({ ...say, headers, timeoutMs: 0 });
      expect((await client.calls({ ...shout, headers, timeoutMs: 0 })).codes).to.deep.equal({ '4': 1 });
      server.release();
      expect((await slow).codes).to.deep.equal({ '0': 1 });
    });

    it('fault_injection', async () => {
      await start('v1-1');
      const faulty = (fault: string) => routeOf(`{ fault: { ${fault} }, backends: [ { subset: v1 } ] }`);
      await world.apply(faulty('abort: { status: 401, percent: 100 }'));
      await callUntil(client, { ...say, times: 5 }, ({ codes }) => codes['16'] === 5);
      await world.apply(faulty('abort: { status: 503, percent: 50 }'));
      await callUntil(client, { ...say, times: 5 }, ({ codes }) => codes['16'] === undefined);
      const { codes } = await client.calls({ ...say, times: 400, parallel: 8 });
      // 200 with a deviation of 10.
      expect(codes['14']).to.be.within(140, 260);
      await world.apply(faulty('delay: { duration: 10s, percent: 100 }'));
      await callUntil(client, { ...say, timeoutMs: 300 }, (outcome) => outcome.codes['4'] === 1);
      await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
      await callUntil(client, { ...say, times: 5, timeoutMs: 500 }, (outcome) => outcome.codes['0'] === 5);
    });

    it('retry', async () => {
      await start('v1-1');
      const retry = (on: string) => routeOf(`{ retry: { attempts: 2, on: [ ${on} ] }, backends: [ { subset: v1 } ] }`);
      await world.apply(retry('"503"'));
      const failing = (times: number) => ({ ...say, headers: { 'x-fail-times': String(times) } });
      await callUntil(client, failing(2), (outcome) => outcome.codes['0'] === 1);
      expect((await client.calls(failing(3))).codes).to.deep.equal({ '14': 1 });
      await world.apply(retry('refused'));
      await callUntil(client, failing(1), (outcome) => outcome.codes['14'] === 1);
    });
  });
}
