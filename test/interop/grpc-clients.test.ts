/**
 * Real gRPC libraries as clients of the mesh, without a sidecar: each in a process of its own, with the bootstrap that
 * `sluice grpc-bootstrap` prints.
 */
import { expect } from 'chai';
import { formatHostPort } from '../../process/host-port.ts';
import { EchoServer } from '../support/grpc/echo-server.ts';
import { grpcCore, grpcJs, isInstalled } from '../support/grpc/grpc-client.ts';
import {
  callUntil,
  type GrpcMesh,
  peersOf,
  policyOf,
  routeOf,
  say,
  service,
  startGrpcMesh,
} from '../support/grpc/grpc-mesh.ts';
import { Link } from '../support/link.ts';

const ok = { '0': 100 };

for (const library of [grpcJs, grpcCore]) {
  describe(`${library.name} as a client of the mesh`, () => {
    let world: GrpcMesh;

    before(function () {
      if (!isInstalled(library)) {
        console.warn(`      ${library.name} is not installed: its tests are left out`);
        this.skip();
      }
    });

    afterEach(async () => world.close());

    it('dials a service by every name that it has, with its port and without', async () => {
      world = await startGrpcMesh(library, 'v1-1');
      await world.apply(service.replace('ports:', 'aliases: [ com.example.Reviews, rv ], ports:'));
      const client = world.startClient();
      for (const name of ['reviews', 'reviews.default', 'reviews.default.mesh.local', 'com.example.Reviews', 'rv']) {
        for (const target of [`xds:///${name.toLowerCase()}`, `xds:///${name.toLowerCase()}:9080`]) {
          expect({ target, ...(await client.calls({ ...say, target })) }).to.deep.include({ peers: { 'v1-1': 1 } });
        }
      }
    });

    it('waits for a service that comes later', async () => {
      world = await startGrpcMesh(library);
      const client = world.startClient();
      const early = client.calls({ ...say, target: 'xds:///later.default:80', timeoutMs: 15_000 });
      const alias = client.calls({ ...say, target: 'xds:///an.alias:9080', timeoutMs: 15_000 });
      await world.mesh.until(async () => (await world.mesh.agent('web-1')) !== undefined);
      const { body } = await world.mesh.call<{ port: number }>('GET', '/services/reviews/instances');
      expect(body).to.deep.include({ items: [] });
      const server = await world.start('v1-1');
      await world.apply(service.replace('ports:', 'aliases: [ an.alias ], ports:'));
      expect(peersOf(await alias)).to.deep.equal([server.instance]);
      await world.register('later', 'v1-1');
      expect(peersOf(await early)).to.deep.equal([server.instance]);
    });

    it('routes by path and header', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1', 'v3-1');
      await world.apply(
        routeOf(
          '{ name: path, match: [ { path: { exact: /echo.Echo/Shout } } ], backends: [ { subset: v2 } ] }',
          '{ name: header, match: [ { headers: { x-user: { exact: beta } } } ], backends: [ { subset: v3 } ] }',
          '{ name: rest, backends: [ { subset: v1 } ] }',
        ),
      );
      const client = world.startClient();
      expect(peersOf(await client.calls(say))).to.deep.equal(['v1-1']);
      expect(peersOf(await client.calls({ ...say, method: '/echo.Echo/Shout' }))).to.deep.equal(['v2-1']);
      expect(peersOf(await client.calls({ ...say, headers: { 'x-user': 'beta' } }))).to.deep.equal(['v3-1']);
    });

    it('splits 90 to 10, and a changed split is in effect after the apply', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1, weight: 90 }, { subset: v2, weight: 10 } ] }'));
      const client = world.startClient();
      const { peers, codes } = await client.calls({ ...say, times: 1_000, parallel: 8 });
      expect(codes).to.deep.equal({ '0': 1_000 });
      // Drawn by chance: 100 of 1,000 with a deviation of 9.5.
      expect(peers['v2-1']).to.be.within(50, 160);
      await world.apply(routeOf('{ backends: [ { subset: v1, weight: 0 }, { subset: v2, weight: 7 } ] }'));
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v2-1');
    });

    it('follows instances that come, go, drain and are lost', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v1-2');
      const client = world.startClient();
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-1,v1-2');
      await world.start('v1-3');
      await world.drain('v1-1');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-2,v1-3');
      // Nobody renews it: it is lost after its time, and used as long as there is no other.
      await world.change('v1-2', { ttl: '1s' });
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-3');
      await world.deregister('v1-3');
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-2');
    });

    it('gives instances shares by their weight', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v1-2');
      await world.change('v1-2', { weight: 3 });
      const client = world.startClient();
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      const { peers } = await client.calls({ ...say, times: 400, parallel: 4 });
      expect(peers['v1-1']).to.be.within(60, 140);
    });

    it('loses no call when a subset is taken away under load', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1 }, { subset: v2 } ] }'));
      const client = world.startClient();
      await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      const load = await client.load(say);
      for (let round = 0; round < 5; round++) {
        await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
        await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).join() === 'v1-1');
        await world.apply(routeOf('{ backends: [ { subset: v1 }, { subset: v2 } ] }'));
        await callUntil(client, { ...say, times: 20 }, (outcome) => peersOf(outcome).length === 2);
      }
      const { codes } = await load.stop();
      expect(Object.keys(codes)).to.deep.equal(['0']);
      expect(codes['0']).to.be.above(50);
    });

    it('goes on when subsets come back, one in place of the other', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1', 'v3-1');
      const only = (version: string) => world.apply(routeOf(`{ backends: [ { subset: ${version} } ] }`));
      await only('v1');
      const client = world.startClient();
      await client.calls(say);
      const load = await client.load({ ...say, waitForReady: false });
      for (let round = 1; round <= 12; round++) {
        await only(`v${(round % 3) + 1}`);
        await client.calls({ ...say, times: 10 });
      }
      const { codes, texts } = await load.stop();
      expect(codes['0']).to.be.above(20);
      // The C core answers before it routes by what it got: a call in between may still meet the subset that has gone. Routes
      // that come before the endpoints cost many times more.
      const failed = Object.values(texts).reduce((sum, count) => sum + count, 0);
      expect(failed, JSON.stringify(texts)).to.be.below(5);
    });

    it('goes on while the control plane is away, and finds its way to rules that changed meanwhile', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
      const { mesh } = world;
      const link = new Link(() => mesh.server.grpc);
      const client = world.startClient('web-1', 'default', await link.listen());
      expect(peersOf(await client.calls({ ...say, times: 5 }))).to.deep.equal(['v1-1']);
      const load = await client.load({ ...say, waitForReady: false });
      for (const version of ['v2', 'v1']) {
        link.cut();
        const { revision } = await world.apply(routeOf(`{ backends: [ { subset: ${version} } ] }`));
        // What the revision takes away is gone, and then forgotten.
        await mesh.rolledOut(revision);
        await mesh.restartServer();
        link.mend();
        await callUntil(client, { ...say, times: 5 }, (outcome) => peersOf(outcome).join() === `${version}-1`);
      }
      expect(Object.keys((await load.stop()).codes)).to.deep.equal(['0']);
      link.close();
    }).timeout(60_000);

    it('takes every balancer that a policy may ask for', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v1-2');
      const client = world.startClient();
      for (const policy of ['round-robin', 'least-request', 'random', 'ring-hash', 'maglev']) {
        await world.apply(policyOf(`loadBalancer: { policy: ${policy} }`));
        expect({ policy, ...(await client.calls({ ...say, times: 100 })) }).to.deep.include({ codes: ok });
      }
    });

    it('goes on, and takes no request by the rule, when one has a class of characters that it does not know', async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1');
      await world.apply(routeOf('{ backends: [ { subset: v1 } ] }'));
      const client = world.startClient();
      expect(peersOf(await client.calls({ ...say, times: 5 }))).to.deep.equal(['v1-1']);
      const unknown = '{ match: [ { path: { regex: "/\\\\p{Emoji}|.*" } } ], backends: [ { subset: v1 } ] }';
      const { rollout, warnings } = await world.apply(routeOf(unknown, '{ backends: [ { subset: v2 } ] }'));
      expect(rollout).to.deep.include({ rejected: [], applied: 1 });
      expect(warnings.map(({ message }) => message)).to.deep.equal([
        'never holds for gRPC clients of reviews: not all gRPC libraries know the class Emoji',
      ]);
      await callUntil(client, { ...say, times: 5 }, (outcome) => peersOf(outcome).join() === 'v2-1');
    });

    it('fails what a rule would answer or change, and sends it nowhere else', async () => {
      world = await startGrpcMesh(library, 'v1-1');
      await world.apply(
        routeOf(
          '{ match: [ { path: { exact: /echo.Echo/Shout } } ], redirect: { path: { full: /x } } }',
          '{ match: [ { path: { prefix: /other.Echo } } ], rewrite: { path: { prefix: /echo.Echo } }, backends: [ { subset: v1 } ] }',
          '{ match: [ { path: { exact: /echo.Echo/Say }, query: { a: { exact: b } } } ], redirect: { path: { full: /x } } }',
          '{ backends: [ { subset: v1 } ] }',
        ),
      );
      const client = world.startClient();
      for (const [method, codes] of [
        ['/echo.Echo/Shout', { '12': 1 }],
        ['/other.Echo/Say', { '12': 1 }],
        ['/echo.Echo/Say', { '0': 1 }],
      ] as const) {
        expect({ method, ...(await client.calls({ ...say, method })) }).to.deep.include({ codes });
      }
    });
  });
}

describe('a mesh with clients of several kinds', () => {
  let world: GrpcMesh;
  afterEach(async () => world.close());

  const sticky = '{ backends: [ { subset: v1 }, { subset: v2 } ], sticky: { header: x-user } }';
  const problems = async () => {
    const { body } = await world.mesh.call<{ items: { clients: string; document: string; path: string }[] }>(
      'GET',
      '/problems',
    );
    return body.items.map(({ clients, document, path }) => `${clients}: ${document}: ${path}`);
  };

  it('warns at an apply, and at a dry run, of what those cannot do that hold the service', async () => {
    world = await startGrpcMesh(grpcJs, 'v1-1', 'v2-1');
    expect((await world.apply(routeOf(sticky))).warnings).to.deep.equal([]);
    await world.startClient().calls(say);
    const sentence =
      'sticky split is not possible for gRPC clients of reviews: they draw a backend for each request, in the same shares';
    const dryRun = await world.mesh.apply(routeOf(sticky.replace('x-user', 'x-session')), 'dryRun=true');
    expect(dryRun.body.warnings.map(({ message }) => message)).to.deep.equal([sentence]);
    const { warnings } = await world.apply(routeOf(sticky.replace('x-user', 'x-session')));
    expect(warnings).to.deep.equal([
      { file: 'body', line: 5, column: 84, path: 'spec.rules[0].sticky', message: sentence },
    ]);
    expect(await problems()).to.deep.equal(['grpc: Route default/reviews: spec.rules[0].sticky']);
    expect((await world.apply(service)).warnings).to.deep.equal([]);
  });

  it('passes gRPC through agents by connection, and says so', async () => {
    world = await startGrpcMesh(grpcJs);
    const server = new EchoServer('through-agents');
    const port = await server.listen();
    await world.mesh.startAgent({
      service: 'reviews',
      version: 'v1',
      id: 'reviews-1',
      app: [`grpc=127.0.0.1:${port}`],
      inbound: ['grpc=127.0.0.1:0'],
    });
    await world.mesh.until(async () => (await world.mesh.instance('reviews', 'reviews-1'))?.state === 'passing');
    const caller = await world.mesh.startAgent({ service: 'web', id: 'web-1', upstream: ['reviews:9080=127.0.0.1:0'] });
    const [upstream] = caller.addresses.upstreams;
    const client = world.startClient('plain');
    const target = `dns:///${upstream && formatHostPort(upstream.address)}`;
    expect(await client.calls({ ...say, target, times: 5 })).to.deep.include({ peers: { 'through-agents': 5 } });
    // Changed, or nothing would be applied.
    const { warnings } = await world.apply(service.replace('protocol: grpc', 'protocol: http2'));
    expect(warnings.map(({ message }) => message)).to.deep.equal([
      'agents pass connections to port "grpc" of reviews on as bytes: they choose an instance for each connection, not for each request',
    ]);
    expect(await problems()).to.deep.equal(['agent: Service default/reviews: spec.ports[0].protocol']);
    expect(await client.calls({ ...say, target, times: 5 })).to.deep.include({ codes: { '0': 5 } });
    server.close();
  });
});

describe('grpc-js, which has ring-hash,', () => {
  let world: GrpcMesh;
  afterEach(async () => world.close());

  it('sends requests with one key to one instance, with ring-hash', async () => {
    world = await startGrpcMesh(grpcJs, 'v1-1', 'v1-2', 'v1-3');
    await world.apply(policyOf('loadBalancer: { policy: ring-hash }, hashOn: [ { header: x-user } ]'));
    const client = world.startClient();
    const peers = new Set<string>();
    for (let user = 0; user < 20; user++) {
      const found = peersOf(await client.calls({ ...say, headers: { 'x-user': `user ${user}` }, times: 5 }));
      expect(found).to.have.length(1);
      for (const peer of found) peers.add(peer);
    }
    expect(peers.size).to.be.above(1);
  });
});
