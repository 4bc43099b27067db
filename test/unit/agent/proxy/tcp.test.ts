import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { route, weighted } from '../../routing/resources.ts';
import { cluster, type EndpointWords, serviceResources } from '../view/resources.ts';
import { ask, ManualClock, reasonOf, World } from './world.ts';

const one = 'db.default|tcp|v1';
const other = 'db.default|tcp|v2';
const tcp = { metadata: { filterMetadata: { sluice: toStruct({ protocol: 'tcp' }) } } };

describe('a TCP service', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** The service db, whose connections go to its clusters in these shares. */
  function resources(
    clusters: Record<string, readonly EndpointWords[]>,
    weights: Record<string, number> = { [one]: 1 },
  ) {
    const made = serviceResources({ routes: [route('all', weighted(weights))], clusters });
    const asTcp = Object.keys(clusters).map((name) => [name, cluster(name, tcp)] as const);
    return { ...made, clusters: new Map(asTcp) };
  }

  /** A server that says its name first, and then whatever it is told. */
  function speaker(name: string): Promise<number> {
    return world.tcp((socket) => {
      socket.write(`${name}\n`);
      socket.pipe(socket);
    });
  }

  async function dial({ address }: ProxyListener, options: { readonly allowHalfOpen?: boolean } = {}): Promise<Socket> {
    const socket = connect({ ...address, ...options });
    await once(socket, 'connect');
    return socket.on('error', () => {});
  }

  async function says(listener: ProxyListener): Promise<string> {
    const socket = await dial(listener);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return bytes.toString();
  }

  it('may speak first', async () => {
    world.directory.swap(resources({ [one]: [{ port: await speaker('v1') }] }));
    expect(await says(await world.upstream('reviews.default'))).to.equal('v1\n');
  });

  it('gets and gives what is sent, and sees the end of either side by itself', async () => {
    world.directory.swap(resources({ [one]: [{ port: await speaker('v1') }] }));
    const socket = await dial(await world.upstream('reviews.default'), { allowHalfOpen: true });
    socket.end('GET / HTTP/0.9 or anything else\0');
    expect(await text(socket)).to.equal('v1\nGET / HTTP/0.9 or anything else\0');
    while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    expect(world.statistics.snapshot()).to.deep.include({ requests: 1, brokenOff: 0, clientGone: 0 });
  });

  it('carries a large stream through in both directions', async () => {
    world.directory.swap(resources({ [one]: [{ port: await speaker('v1') }] }));
    const socket = await dial(await world.upstream('reviews.default'), { allowHalfOpen: true });
    const sent = Buffer.alloc(20_000_000, 'sluice');
    const received = text(socket);
    socket.end(sent);
    expect((await received).length).to.equal(3 + sent.length);
  });

  it('takes its share of connections exactly', async () => {
    const clusters = { [one]: [{ port: await speaker('v1') }], [other]: [{ port: await speaker('v2') }] };
    world.directory.swap(resources(clusters, { [one]: 3, [other]: 1 }));
    const listener = await world.upstream('reviews.default');
    const said: string[] = [];
    for (let n = 0; n < 40; n++) said.push(await says(listener));
    expect(said.filter((word) => word === 'v2\n')).to.have.lengthOf(10);
  });

  it('is asked at another instance when one takes no connection', async () => {
    world.directory.swap(resources({ [one]: [{ port: await world.deadPort() }, { port: await speaker('v1') }] }));
    const listener = await world.upstream('reviews.default');
    expect([await says(listener), await says(listener)]).to.deep.equal(['v1\n', 'v1\n']);
    // Round robin begins anywhere.
    expect(world.statistics.snapshot().attempts.unreachable).to.be.within(1, 2);
  });

  it('resets the connection when no instance takes one, and says why in its statistics', async () => {
    world.directory.swap(resources({ [one]: [{ port: await world.deadPort() }] }));
    const socket = connect({ ...(await world.upstream('reviews.default')).address });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).to.equal('ECONNRESET');
    const { refused, answered } = world.statistics.snapshot();
    expect([refused, answered]).to.deep.equal([{ 'upstream-connect-failure': 1 }, { refused: 1 }]);
  });

  it('waits for a service that is not known yet', async () => {
    const port = await speaker('v1');
    world.directory.answer = () => {
      world.directory.swap(resources({ [one]: [{ port }] }));
      return 'known';
    };
    expect(await says(await world.upstream('reviews.default'))).to.equal('v1\n');
  });

  it('keeps its connections when the rules change', async () => {
    const clusters = { [one]: [{ port: await speaker('v1') }], [other]: [{ port: await speaker('v2') }] };
    world.directory.swap(resources(clusters));
    const listener = await world.upstream('reviews.default');
    const socket = await dial(listener);
    await once(socket, 'data');
    world.directory.swap(resources(clusters, { [other]: 1 }));
    socket.write('still there');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    expect(echo.toString()).to.equal('still there');
    expect(await says(listener)).to.equal('v2\n');
    socket.destroy();
  });

  it('loses a connection on which nothing goes through for its idle timeout', async () => {
    const clock = new ManualClock();
    world.directory.swap(resources({ [one]: [{ port: await speaker('v1') }] }));
    const socket = await dial(await world.upstream('reviews.default', undefined, clock));
    await once(socket, 'data');
    clock.pass(3_600_000);
    socket.write('more');
    await once(socket, 'data');
    clock.pass(3_600_000);
    clock.pass(3_600_000);
    await once(socket, 'close');
  });

  it('is told apart from HTTP by the outbound, which says what to do', async () => {
    world.directory.swap(resources({ [one]: [{ port: await speaker('v1') }] }));
    const { status, reason, sentence } = reasonOf(await ask(await world.outbound(), '/'));
    expect({ status, reason }).to.deep.equal({ status: 400, reason: 'bad-request' });
    expect(sentence).to.match(/^port 9080 of \S+ takes connections, not requests: use CONNECT, or a local port/);
  });

  it('is passed on by the inbound of its agent as it is', async () => {
    const port = await speaker('app');
    const inbound = await world.inbound({ app: { host: '127.0.0.1', port }, protocol: () => 'tcp' });
    expect(await says(inbound)).to.equal('app\n');
  });
});
