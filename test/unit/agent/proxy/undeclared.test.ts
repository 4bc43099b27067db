import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { noPool } from '../../../../agent/admin/cluster-dump.ts';
import { readExplainBody } from '../../../../agent/admin/explain-body.ts';
import { explainRequest } from '../../../../agent/admin/explain-request.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { type Cluster, ClusterLbPolicy } from '../../../../proto/types.ts';
import { route, weighted } from '../../routing/resources.ts';
import { cluster, type EndpointWords, serviceResources } from '../view/resources.ts';
import { ask, ManualClock, reasonOf, World } from './world.ts';

const all = 'reviews.default|http|';
const one = 'reviews.default|http|v1';
const other = 'reviews.default|http|v2';

describe('a port that nobody has declared', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** The service reviews without a document, its requests and connections in these shares. */
  function undeclared(
    clusters: Record<string, readonly EndpointWords[]>,
    { weights, policy = {} }: { readonly weights?: Record<string, number>; readonly policy?: Input<Cluster> } = {},
  ) {
    const shares = weights ?? Object.fromEntries(Object.keys(clusters).map((name) => [name, 1]));
    const made = serviceResources({ routes: [route('all', weighted(shares))], clusters });
    const metadata = { filterMetadata: { sluice: toStruct({ protocol: 'undeclared' }) } };
    const views = Object.keys(clusters).map((name) => [name, cluster(name, { ...policy, metadata })] as const);
    return { ...made, clusters: new Map(views) };
  }

  async function dial({ address }: ProxyListener, options: { readonly allowHalfOpen?: boolean } = {}): Promise<Socket> {
    const socket = connect({ ...address, ...options });
    await once(socket, 'connect');
    return socket.on('error', () => {});
  }

  /** What limits and balancers go by, of the cluster `all`. */
  function spent() {
    const view = world.directory.view.clusters.get(all);
    const counts = view?.breaker.counts;
    const active = view?.endpoints.map(({ load }) => load.active);
    return { connections: counts?.connections, overflow: counts?.connectionOverflow, active };
  }

  function tally(names: readonly string[]): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }

  it('is HTTP to a client that begins with a request, also byte by byte', async () => {
    world.directory.swap(undeclared({ [all]: [{ port: await world.app('app') }] }));
    const listener = await world.upstream('reviews.default');
    const socket = connect({ ...listener.address });
    for (const octet of 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n') {
      socket.write(octet);
      await new Promise(setImmediate);
    }
    expect(await text(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*app$/);
    const { requests, active, passed } = world.statistics.snapshot();
    expect({ requests, active, passed }).to.deep.equal({ requests: 1, active: 0, passed: { '2xx': 1 } });
  });

  it('lets a service speak first', async () => {
    const port = await world.tcp((socket) => {
      socket.write('220 ready\n');
      socket.once('data', (bytes) => socket.end(`you said ${bytes}`));
    });
    world.directory.swap(undeclared({ [all]: [{ port }] }));
    const socket = connect({ ...(await world.upstream('reviews.default')).address });
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    socket.write('GET ');
    expect(`${greeting}${await text(socket)}`).to.equal('220 ready\nyou said GET ');
  });

  it('is bytes to a client that begins with anything else', async () => {
    const port = await world.tcp((socket) => socket.once('data', (bytes) => socket.end(bytes)));
    world.directory.swap(undeclared({ [all]: [{ port }] }));
    const listener = await world.upstream('reviews.default');
    for (const bytes of ['\x16\x03\x01\x02', 'hello', '*1\r\n$4\r\nPING\r\n', 'G']) {
      const socket = connect({ ...listener.address });
      socket.end(bytes);
      expect(await text(socket)).to.equal(bytes);
    }
  });

  it('answers a request in HTTP also when there is nobody to ask', async () => {
    world.directory.swap(undeclared({ [all]: [{ port: await world.deadPort() }] }));
    const listener = await world.upstream('reviews.default');
    expect(reasonOf(await ask(listener, '/'))).to.include({ status: 503, reason: 'upstream-connect-failure' });
    expect(spent()).to.deep.equal({ connections: 0, overflow: 0, active: [0] });
  });

  it('is told apart by the inbound too', async () => {
    const port = await world.app('app');
    const inbound = await world.inbound({ app: { host: '127.0.0.1', port }, protocol: () => 'undeclared' });
    expect((await ask(inbound, '/')).body).to.equal('app');
  });

  it('does not keep a client waiting that waits for the service to speak', async () => {
    world.directory.swap(undeclared({ [all]: [] }));
    const clock = new ManualClock();
    const socket = connect({ ...(await world.upstream('reviews.default', undefined, clock)).address });
    await once(socket, 'connect');
    const passing = setInterval(() => clock.pass(1_000), 5);
    const [error] = (await once(socket, 'error').finally(() => clearInterval(passing))) as [NodeJS.ErrnoException];
    expect(error.code).to.equal('ECONNRESET');
    expect(world.statistics.snapshot()).to.deep.include({ active: 0, refused: { 'no-healthy-instance': 1 } });
  });

  it('lets a service speak first when the first instance takes no connection', async () => {
    const port = await world.tcp((socket) => void socket.write('220 ready'));
    world.directory.swap(undeclared({ [all]: [{ port: await world.deadPort() }, { port }] }));
    const listener = await world.upstream('reviews.default');
    for (let n = 0; n < 2; n++) {
      const socket = await dial(listener);
      expect(String(await once(socket, 'data'))).to.equal('220 ready');
      socket.destroy();
    }
    // Round robin begins anywhere.
    expect(world.statistics.snapshot().attempts.unreachable).to.be.within(1, 2);
  });

  it('passes on the end of a client that says nothing, and what the service says to that', async () => {
    const port = await world.tcp((socket) => socket.once('end', () => socket.end('goodbye')), { allowHalfOpen: true });
    world.directory.swap(undeclared({ [all]: [{ port }] }));
    const socket = await dial(await world.upstream('reviews.default'), { allowHalfOpen: true });
    socket.end();
    expect(await text(socket)).to.equal('goodbye');
  });

  it('passes on the end of a service that says nothing, and what the client says to that', async () => {
    const told: Promise<string>[] = [];
    const port = await world.tcp((socket) => void told.push(text(socket.end())), { allowHalfOpen: true });
    world.directory.swap(undeclared({ [all]: [{ port }] }));
    const socket = await dial(await world.upstream('reviews.default'), { allowHalfOpen: true });
    await once(socket.resume(), 'end');
    socket.end('for the file');
    await once(socket, 'close');
    expect(await Promise.all(told)).to.deep.equal(['for the file']);
  });

  it('stays open for HTTP when the service has waited long enough for a request', async () => {
    const gone: Promise<unknown>[] = [];
    const port = await world.tcp((socket) => {
      gone.push(once(socket, 'close'));
      if (gone.length === 1) socket.end('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n');
      else socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nme'));
    });
    world.directory.swap(undeclared({ [all]: [{ port }] }));
    const socket = await dial(await world.upstream('reviews.default'));
    await until(() => gone.length === 1);
    await Promise.all(gone);
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    expect(await text(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*me$/);
    expect(gone).to.have.lengthOf(2);
  });

  for (const { is, agent } of [
    { is: 'a connection for each request', agent: () => new Agent() },
    { is: 'one connection for all requests', agent: () => new Agent({ keepAlive: true, maxSockets: 1 }) },
  ]) {
    describe(`to HTTP, with ${is}`, () => {
      let client: Agent;
      beforeEach(() => {
        client = agent();
      });
      afterEach(() => client.destroy());

      async function answers(listener: ProxyListener, count: number): Promise<string[]> {
        const bodies: string[] = [];
        for (let n = 0; n < count; n++) bodies.push((await ask(listener, '/', { agent: client })).body);
        return bodies;
      }

      for (const [v1, v2] of [
        [50, 50],
        [90, 10],
        [25, 75],
      ] as const) {
        it(`splits requests ${v1}/${v2}, exactly`, async () => {
          await swapTwo({ [one]: v1, [other]: v2 });
          expect(tally(await answers(await world.upstream('reviews.default'), 100))).to.deep.equal({ v1, v2 });
        });
      }

      it('gives instances their turns in a round', async () => {
        const [a, b] = [await world.app('a'), await world.app('b')];
        world.directory.swap(
          undeclared({
            [all]: [
              { id: 'a', port: a },
              { id: 'b', port: b },
            ],
          }),
        );
        const bodies = await answers(await world.upstream('reviews.default'), 40);
        expect(tally(bodies)).to.deep.equal({ a: 20, b: 20 });
      });

      it('goes where the explanation says that it will', async () => {
        await swapTwo({ [one]: 2, [other]: 1 });
        const listener = await world.upstream('reviews.default');
        for (let n = 0; n < 9; n++) {
          const sentence = nextWords();
          expect(sentence).to.match(new RegExp(`subset ${(await answers(listener, 1))[0]},`));
        }
      });
    });
  }

  it('lets connections that say nothing take no turn, spend no limit and report nobody', async () => {
    await swapTwo({ [one]: 1, [other]: 1 });
    const listener = await world.upstream('reviews.default');
    const bodies: string[] = [];
    for (let n = 0; n < 10; n++) {
      const silent = await dial(listener);
      bodies.push((await ask(listener, '/')).body);
      silent.destroy();
      await once(silent, 'close');
    }
    expect(tally(bodies)).to.deep.equal({ v1: 5, v2: 5 });
    await until(() => world.statistics.snapshot().requests === 20);
  });

  it('keeps within a limit of connections what is known to be one, and no guess', async () => {
    const port = await world.app('app');
    const circuitBreakers = { thresholds: [{ maxConnections: { value: 1 } }] };
    world.directory.swap(undeclared({ [all]: [{ port }] }, { policy: { circuitBreakers } }));
    const listener = await world.upstream('reviews.default');
    const silent = await dial(listener);
    expect(spent()).to.deep.equal({ connections: 0, overflow: 0, active: [0] });
    expect((await ask(listener, '/')).body).to.equal('app');
    silent.destroy();
    expect(spent()).to.deep.equal({ connections: 1, overflow: 0, active: [0] });
  });

  it('has outlier detection eject an HTTP instance that takes connections and fails', async () => {
    let connections = 0;
    const port = await world.tcp((socket) => {
      connections++;
      socket.once('data', () => socket.end('HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'));
    });
    world.directory.swap(undeclared({ [all]: [{ port }] }, { policy: { outlierDetection: ejectThird } }));
    const listener = await world.upstream('reviews.default');
    const ejected: boolean[] = [];
    for (let n = 0; n < 3; n++) {
      const socket = await dial(listener);
      // The guess has been connected to before the request comes.
      await until(() => connections === 2 * n + 1);
      socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
      await text(socket);
      ejected.push(outlier()?.isEjected ?? false);
    }
    expect(ejected).to.deep.equal([false, false, true]);
  });

  it('has outlier detection eject an instance that takes no connections, each counted when it is known to be one', async () => {
    world.directory.swap(
      undeclared({ [all]: [{ port: await world.deadPort() }] }, { policy: { outlierDetection: ejectThird } }),
    );
    const listener = await world.upstream('reviews.default');
    const silent = await dial(listener);
    silent.destroy();
    await until(() => world.statistics.snapshot().clientGone === 1);
    const failures: (number | undefined)[] = [outlier()?.consecutive5xx];
    for (let n = 0; n < 2; n++) {
      const socket = await dial(listener);
      socket.write('hello');
      await once(socket, 'error');
      failures.push(outlier()?.consecutive5xx);
    }
    expect(failures).to.deep.equal([0, 1, 2]);
  });

  describe('to connections that are no HTTP', () => {
    const count = 40;

    it('gives each its own turn, though all had the same guess when they came', async () => {
      const guesses: string[] = [];
      const service = (name: string) =>
        world.tcp((socket) => {
          guesses.push(name);
          socket.once('data', () => socket.end(name));
        });
      await swapTwo({ [one]: 3, [other]: 1 }, service);
      const listener = await world.upstream('reviews.default');
      const sockets = await Promise.all(Array.from({ length: count }, () => dial(listener)));
      await until(() => guesses.length === count);
      expect(Object.keys(tally(guesses))).to.have.lengthOf(1);
      expect(tally(await Promise.all(sockets.map((socket) => text(socket.end('\0')))))).to.deep.equal({
        v1: 30,
        v2: 10,
      });
      await until(() => world.statistics.snapshot().active === 0);
      expect(world.underWay()).to.deep.equal({});
    });

    it('does so when the service speaks first', async () => {
      const waiting: (() => void)[] = [];
      const service = (name: string) =>
        world.tcp((socket) => {
          const greet = () => void socket.end(name);
          if (waiting.push(greet) === count) for (const each of waiting) each();
          else if (waiting.length > count) greet();
        });
      await swapTwo({ [one]: 3, [other]: 1 }, service);
      const listener = await world.upstream('reviews.default');
      const sockets = await Promise.all(Array.from({ length: count }, () => dial(listener)));
      expect(tally(await Promise.all(sockets.map((socket) => text(socket))))).to.deep.equal({ v1: 30, v2: 10 });
    });

    it('comes back to the guess when whose turn it is takes no connection', async () => {
      const connected: Socket[] = [];
      const service = await world.tcp((socket) => {
        connected.push(socket);
        socket.pipe(socket);
      });
      const endpoints = [{ port: service }, { port: await world.deadPort() }];
      const listener = await world.upstream('reviews.default');
      // Round robin begins anywhere.
      for (let round = 1; round <= 8; round++) {
        world.directory.swap(undeclared({ [all]: endpoints }));
        connected.length = 0;
        const sockets = await Promise.all([dial(listener), dial(listener)]);
        await until(() => connected.length === 2);
        for (const socket of sockets) expect(await text(socket.end('hello'))).to.equal('hello');
      }
      await until(() => world.statistics.snapshot().active === 0);
      expect(world.underWay()).to.deep.equal({});
    });

    it('stays with the guess where chance decides', async () => {
      let connections = 0;
      const service = () =>
        world.tcp((socket) => {
          connections++;
          socket.pipe(socket);
        });
      const endpoints = [{ port: await service() }, { port: await service() }];
      world.directory.swap(undeclared({ [all]: endpoints }, { policy: { lbPolicy: ClusterLbPolicy.RANDOM } }));
      const listener = await world.upstream('reviews.default');
      for (let n = 0; n < 20; n++) {
        const socket = await dial(listener);
        expect(await text(socket.end('hello'))).to.equal('hello');
      }
      expect(connections).to.equal(20);
    });
  });

  const ejectThird = { consecutive_5xx: { value: 3 }, maxEjectionPercent: { value: 100 } };

  function outlier() {
    return world.directory.view.clusters.get(all)?.endpoints[0]?.load.outlier;
  }

  /** Two versions, an instance each. */
  async function swapTwo(weights: Record<string, number>, start = (name: string) => world.app(name)): Promise<void> {
    const clusters = { [one]: [{ port: await start('v1') }], [other]: [{ port: await start('v2') }] };
    world.directory.swap(undeclared(clusters, { weights }));
  }

  /** What the agent says of the next request to the local port. */
  function nextWords(): string {
    const read = readExplainBody(JSON.stringify({ service: 'reviews' }));
    if ('problems' in read) throw new Error(JSON.stringify(read.problems));
    const { view } = world.directory;
    const mesh = {
      view,
      obstacle: '',
      standingOf: () => undefined,
      namespace: 'default',
      workers: 0,
      poolOf: () => noPool,
    };
    return explainRequest(read.asked, mesh).sentence;
  }

  describe('when the agent ends before what is under way', () => {
    const cutOff = { detail: 'the agent has ended' };
    const cases: readonly (readonly [what: string, said: string, line: Record<string, unknown>])[] = [
      ['a request', 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n', { ...cutOff, reason: 'broken-off', path: '/long' }],
      ['a connection of another protocol', '\x16\x03', { ...cutOff, reason: null, protocol: 'tcp', bytesIn: 2 }],
      ['a connection on which nobody has said anything', '', { ...cutOff, reason: null, protocol: 'tcp' }],
    ];

    for (const [what, said, line] of cases) {
      it(`has a line that says so for ${what}, at an inbound`, async () => {
        let hears = (_said: string) => {};
        const heard = new Promise<string>((resolve) => {
          hears = resolve;
        });
        const port = await world.tcp((socket) => {
          if (said === '') hears('');
          socket.on('data', (bytes) => hears(bytes.toString('latin1')));
        });
        const app = { host: '127.0.0.1', port };
        const listener = await world.inbound({ app, protocol: () => 'undeclared' });
        const client = await dial(listener);
        client.write(said, 'latin1');
        expect(await heard).to.match(new RegExp(`^${said.slice(0, 3)}`));
        await listener.close();
        expect(world.lines).to.have.length(1);
        expect(world.lines[0]).to.deep.include(line);
      });
    }

    it('says so of a connection for which there is no instance yet', async () => {
      const app = { host: '127.0.0.1', port: await world.deadPort() };
      const listener = await world.inbound({ app, protocol: () => 'undeclared', drainTimeoutMs: 0 });
      await dial(listener);
      while (listener.connections === 0) await new Promise(setImmediate);
      await listener.close();
      expect(world.lines).to.have.length(1);
      expect(world.lines[0]).to.deep.include({ ...cutOff, reason: 'broken-off', protocol: 'tcp' });
    });
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}
