import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { OwnConnections } from '../../../../agent/http1/own-connections.ts';
import { callerOf } from '../../../../agent/http1/redirected.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { HostPort } from '../../../../process/host-port.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { route, weighted } from '../../routing/resources.ts';
import { cluster, name, serviceResources } from '../view/resources.ts';
import { ask, reasonOf, World } from './world.ts';

const v1 = 'reviews.default|http|v1';
const v2 = 'reviews.default|http|v2';
const vip = { host: '240.240.0.7', port: 9080 };
const instance = { host: '192.168.1.104', port: 12_220 };

describe('connections that packet rules bring to the outbound', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  const ownConnections = new OwnConnections();
  const loops: HostPort[] = [];
  const interception = {
    vipRange: '240.240.0.0/16',
    callerOf,
    ownConnections,
    onLoop: (destination: HostPort) => void loops.push(destination),
  };

  function outboundFor(destination: HostPort | undefined): Promise<ProxyListener> {
    return world.outbound({ ownConnections, interception: { ...interception, destinationOf: () => destination } });
  }

  /** The service reviews, by its virtual IP and the address of an instance, with these weights. */
  async function reviews(weights: Record<string, number>, protocol = 'http') {
    const resources = serviceResources({
      routes: [route('all', weighted(weights))],
      clusters: {
        [v1]: [{ id: 'reviews-1', port: await world.app('v1') }],
        [v2]: [{ id: 'reviews-2', port: await world.app('v2') }],
      },
    });
    const metadata = { filterMetadata: { sluice: toStruct({ protocol }) } };
    const clusters = new Map([v1, v2].map((each) => [each, cluster(each, protocol === 'http' ? {} : { metadata })]));
    const names = new Map(resources.names);
    for (const spelling of [vip.host, `${instance.host}:${instance.port}`]) {
      names.set(spelling, name(spelling, ['reviews.default:9080'], 'reviews.default'));
    }
    return { ...resources, clusters, names };
  }

  for (const { to, destination } of [
    { to: 'the virtual IP', destination: vip },
    { to: 'the address of an instance', destination: instance },
  ]) {
    it(`and were going to ${to} have the rules of the service, whatever their Host`, async () => {
      world.directory.swap(await reviews({ [v1]: 9, [v2]: 1 }));
      const outbound = await outboundFor(destination);
      const answers: string[] = [];
      for (let count = 0; count < 20; count++) {
        answers.push((await ask(outbound, '/', { headers: { host: 'example.org' } })).body);
      }
      expect(answers.filter((body) => body === 'v2')).to.have.length(2);
    });
  }

  it('and are kept follow the rules as they are when each request comes', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const resources = await reviews({ [v1]: 1 });
    world.directory.swap(resources);
    const outbound = await outboundFor(vip);
    expect((await ask(outbound, '/', { agent })).body).to.equal('v1');
    world.directory.swap({ ...resources, ...(await reviews({ [v2]: 1 })) });
    expect((await ask(outbound, '/', { agent })).body).to.equal('v2');
    agent.destroy();
  });

  it('and are kept go on to where they were going when their address is no longer a service’s', async () => {
    const outside = await world.app('outside');
    const resources = await reviews({ [v1]: 1 });
    const spelling = `127.0.0.1:${outside}`;
    const names = new Map(resources.names).set(spelling, name(spelling, ['reviews.default:9080'], 'reviews.default'));
    world.directory.swap({ ...resources, names });
    world.directory.answer = () => 'absent';
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const outbound = await outboundFor({ host: '127.0.0.1', port: outside });
    expect((await ask(outbound, '/', { agent })).body).to.equal('v1');
    world.directory.swap(resources);
    expect((await ask(outbound, '/', { agent })).body).to.equal('outside');
    world.directory.swap({ ...resources, names });
    expect((await ask(outbound, '/', { agent })).body).to.equal('v1');
    agent.destroy();
  });

  it('ask the mesh once for an address that is not known', async () => {
    const resources = await reviews({ [v1]: 1 });
    world.directory.answer = () => {
      world.directory.swap(resources);
      return 'known';
    };
    const outbound = await outboundFor(instance);
    for (let count = 0; count < 3; count++) expect((await ask(outbound, '/')).body).to.equal('v1');
    expect(world.directory.asked).to.deep.equal(['192.168.1.104:12220']);
  });

  for (const answer of ['absent', 'unavailable'] as const) {
    it(`go on to where they were going when the address is ${answer}, as bytes`, async () => {
      world.directory.answer = () => answer;
      const port = await world.tcp((socket) => socket.pipe(socket));
      const outbound = await outboundFor({ host: '127.0.0.1', port });
      const socket = connect(outbound.address);
      socket.end('\0no HTTP at all\r\n\r\n');
      expect(await text(socket)).to.equal('\0no HTTP at all\r\n\r\n');
    });
  }

  it('are closed when they are the agent’s own: nobody dials himself for ever', async () => {
    world.directory.answer = () => 'absent';
    // The rules bring what is dialled back to the outbound, as those do that do not leave the agent alone.
    const destination = { host: '127.0.0.1', port: 0 };
    const outbound = await outboundFor(destination);
    destination.port = outbound.address.port;
    const socket = connect(outbound.address);
    expect(await text(socket.on('error', () => {}))).to.equal('');
    expect(loops).to.deep.equal([destination]);
    expect(world.statistics.snapshot().connections).to.deep.equal({ accepted: 2, refused: 1 });
  });

  it('are refused with a reason at a virtual IP that is nobody’s', async () => {
    world.directory.answer = () => 'absent';
    const outbound = await outboundFor({ host: '240.240.9.9', port: 80 });
    expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
      status: 404,
      reason: 'no-route',
      sentence: '"240.240.9.9" is no service of the mesh',
    });
  });

  it('are refused with a reason at a port that the service does not have', async () => {
    world.directory.swap(await reviews({ [v1]: 1 }));
    const outbound = await outboundFor({ ...vip, port: 81 });
    expect(reasonOf(await ask(outbound, '/')).sentence).to.equal('reviews.default has no port 81; it has 9080');
  });

  it('take their turns by connection where the service speaks no HTTP', async () => {
    world.directory.swap(await reviews({ [v1]: 1, [v2]: 1 }, 'tcp'));
    const outbound = await outboundFor(vip);
    const said: string[] = [];
    for (let count = 0; count < 4; count++) {
      const socket = connect(outbound.address);
      socket.end('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      said.push((await text(socket)).slice(-2));
    }
    expect(said.sort()).to.deep.equal(['v1', 'v1', 'v2', 'v2']);
  });

  it('speak HTTP on ports that say nothing: each request has its turn', async () => {
    world.directory.swap(await reviews({ [v1]: 1, [v2]: 1 }, 'undeclared'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const outbound = await outboundFor(vip);
    const said: string[] = [];
    for (let count = 0; count < 4; count++) said.push((await ask(outbound, '/', { agent })).body);
    agent.destroy();
    expect(said.sort()).to.deep.equal(['v1', 'v1', 'v2', 'v2']);
  });

  it('stand beside those that come by themselves, which are routed by Host', async () => {
    world.directory.swap(await reviews({ [v1]: 1 }));
    const outbound = await outboundFor(undefined);
    expect((await ask(outbound, '/', { headers: { host: 'reviews' } })).body).to.equal('v1');
    expect((await ask(outbound, '/', { headers: { host: 'nobody' } })).status).to.equal(404);
  });
});

describe('connections that packet rules bring to the inbound', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  it('reach the port of the application that they were going to, by what that speaks', async () => {
    const web = await world.app('web');
    const echo = await world.tcp((socket) => socket.pipe(socket));
    let destination = { host: '10.0.0.7', port: web };
    const inbound = await world.redirectedInbound({
      ports: [
        { app: { host: '127.0.0.1', port: web } },
        { app: { host: '127.0.0.1', port: echo }, protocol: () => 'tcp' },
      ],
      destinationOf: () => destination,
    });
    expect((await ask(inbound, '/')).body).to.equal('web');
    destination = { host: '10.0.0.7', port: echo };
    const socket = connect(inbound.address);
    socket.end('bytes');
    expect(await text(socket)).to.equal('bytes');
  });

  it('go on to another port of the host as they are', async () => {
    const port = await world.tcp((socket) => socket.end('ssh'));
    const app = { host: '127.0.0.1', port: 1 };
    const inbound = await world.redirectedInbound({
      ports: [{ app }],
      destinationOf: () => ({ host: '127.0.0.1', port }),
    });
    const socket = connect(inbound.address);
    await once(socket, 'connect');
    expect(await text(socket)).to.equal('ssh');
  });

  it('are the only ones: who comes by itself is turned away', async () => {
    const port = await world.app('app');
    const inbound = await world.redirectedInbound({
      ports: [{ app: { host: '127.0.0.1', port } }],
      destinationOf: () => undefined,
    });
    expect(reasonOf(await ask(inbound, '/'))).to.deep.include({ status: 404, reason: 'no-route' });
  });
});
