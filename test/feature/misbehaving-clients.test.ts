/** Clients of xDS that no good client is like, one of each kind, beside five hundred that are good. */
import { connect } from 'node:net';
import { Client, credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { typeUrls } from '../../proto/type-urls.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';
import { heldAs, XdsClient } from '../support/xds-client.ts';

const good = 500;
const routes = 'reviews.default:80';
const heldRoutes = heldAs(typeUrls.routeConfiguration, routes);
const split = (weight: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: v2 } ] } ] }
`;
const node = { id: 'bad', userAgentName: 'envoy' };
const manyNames = (count: number) => Array.from({ length: count }, (_, index) => `n${index}.default|http|`);

/** Ends with a status and a sentence. */
const refused: readonly { name: string; act: (client: XdsClient) => void; code: keyof typeof status }[] = [
  {
    name: 'sends garbage',
    act: (client) => client.sendRaw(Buffer.from([0x0a, 0xff, 0xff, 0x7f, 1])),
    code: 'INVALID_ARGUMENT',
  },
  { name: 'has no node', act: (client) => client.send({ typeUrl: typeUrls.cluster }), code: 'INVALID_ARGUMENT' },
  {
    name: 'asks for an absurd name',
    act: (client) => client.send({ node, typeUrl: typeUrls.endpoint, resourceNamesSubscribe: ['x'.repeat(500_000)] }),
    code: 'INVALID_ARGUMENT',
  },
  {
    name: 'asks for a million names',
    act: (client) => {
      client.send({ node, typeUrl: typeUrls.endpoint, resourceNamesSubscribe: manyNames(100_000) });
      client.send({ typeUrl: typeUrls.cluster, resourceNamesSubscribe: manyNames(100_000) });
    },
    code: 'INVALID_ARGUMENT',
  },
  {
    name: 'sends more than a message may have',
    act: (client) =>
      client.send({ node, typeUrl: typeUrls.endpoint, resourceNamesSubscribe: ['x'.repeat(17_000_000)] }),
    code: 'RESOURCE_EXHAUSTED',
  },
];

/** Goes on, is counted, and harms nobody. */
const odd: readonly { name: string; act: (client: XdsClient) => void; what: string }[] = [
  {
    name: 'changes its node',
    act: (client) => {
      client.send({ node, typeUrl: typeUrls.cluster });
      client.send({ node: { ...node, id: 'worse' }, typeUrl: typeUrls.cluster });
    },
    what: 'changed-node',
  },
  {
    name: 'answers what was never sent',
    act: (client) => {
      client.send({ node, typeUrl: typeUrls.cluster });
      client.send({ typeUrl: typeUrls.cluster, responseNonce: '4711' });
    },
    what: 'unknown-nonce',
  },
  {
    name: 'asks for a type that nobody has',
    act: (client) => client.send({ node, typeUrl: 'type.googleapis.com/envoy.service.runtime.v3.Runtime' }),
    what: 'unknown-type',
  },
  {
    name: 'never answers',
    act: (client) => client.send({ node, typeUrl: typeUrls.cluster }),
    what: 'no-answer',
  },
];

describe('among five hundred good clients one that', () => {
  let mesh: Mesh;
  let clients: XdsClient[];
  let weight = 1;

  const oddities = async (what: string) => {
    const metrics = await (await fetch(`http://${mesh.server.http}/metrics`)).text();
    return Number(new RegExp(`sluice_xds_oddities_total\\{what="${what}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0);
  };

  const streamsOf = async () => {
    const metrics = await (await fetch(`http://${mesh.server.http}/metrics`)).text();
    return Number(/^sluice_xds_streams (\d+)$/m.exec(metrics)?.[1]);
  };

  /** A change that all good clients are told of, and take. */
  const everybodyFollows = async () => {
    const before = clients[0]?.held.get(heldRoutes);
    const isNew = ({ held }: XdsClient) => held.get(heldRoutes) !== before;
    const all = new Promise<void>((resolve) => {
      const look = () => {
        if (clients.every(isNew)) resolve();
      };
      for (const client of clients) client.onResponse = look;
    });
    await mesh.apply(split(++weight), '');
    await all;
    for (const client of clients) client.onResponse = () => {};
  };

  before(async () => {
    mesh = await startMesh();
    await mesh.apply(split(weight), '');
    const connections = Array.from(
      { length: 10 },
      () => new Client(mesh.server.grpc, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
    );
    clients = Array.from({ length: good }, (_, index) => new XdsClient(mesh.server.grpc, connections[index % 10]));
    const types = [typeUrls.cluster, typeUrls.routeConfiguration];
    const ready = new Promise<void>((resolve) => {
      const look = () => {
        if (clients.every(({ held }) => held.has(heldRoutes))) resolve();
      };
      for (const client of clients) client.onResponse = look;
    });
    for (const [index, client] of clients.entries()) client.follow(`good-${index}`, types, [routes]);
    await ready;
  });

  after(async () => {
    for (const client of clients) client.close();
    await mesh.close();
  });

  afterEach(() => everybodyFollows());

  for (const { name, act, code } of refused) {
    it(`${name} is refused with ${code} and a sentence`, async () => {
      const client = new XdsClient(mesh.server.grpc);
      act(client);
      const end = await client.ended;
      expect(status[end.code]).to.equal(code);
      expect(end.details).to.match(/\w+ \w+/);
    });
  }

  for (const { name, act, what } of odd) {
    it(`${name} is counted as ${what}, and goes on`, async () => {
      const client = new XdsClient(mesh.server.grpc);
      client.stream.on('data', () => {});
      act(client);
      await mesh.until(async () => (await oddities(what)) > 0);
      client.close();
      expect((await client.ended).code).to.equal(status.CANCELLED);
    });
  }

  it('speaks no HTTP/2 is cut, and counted', async () => {
    const [, host = '', port] = /^(.*):(\d+)$/.exec(mesh.server.grpc) ?? [];
    const socket = connect(Number(port), host).on('error', () => {});
    socket.resume().write('GET / HTTP/1.1\r\nHost: reviews\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    const metrics = await (await fetch(`http://${mesh.server.http}/metrics`)).text();
    expect(metrics).to.match(/^sluice_grpc_broken_connections_total 1$/m);
  });

  it('R2 opens a thousand streams on one connection has them, and they end with it', async () => {
    const connection = new Client(mesh.server.grpc, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    const streams = Array.from({ length: 1_000 }, () => new XdsClient(mesh.server.grpc, connection));
    const answered = streams.map(({ stream }) => new Promise((resolve) => stream.once('data', resolve)));
    for (const [index, stream] of streams.entries()) {
      stream.send({ node: { ...node, id: `many-${index}` }, typeUrl: typeUrls.cluster });
    }
    await Promise.all(answered);
    for (const stream of streams) stream.close();
    await Promise.all(streams.map(({ ended }) => ended));
    connection.close();
    // Nothing is left of them but the good ones.
    await mesh.until(async () => (await streamsOf()) === good);
  });

  it('asks again and again and does not read costs a few messages, not one for each question', async () => {
    const client = new XdsClient(mesh.server.grpc);
    const names = manyNames(20_000);
    client.stream.pause();
    client.send({ node, typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names });
    const questions = 100;
    for (let i = 0; i < questions; i++) {
      client.send({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names });
      if (i % 25 === 0) await everybodyFollows();
    }
    let answers = 0;
    const last = new Promise<void>((resolve) => {
      client.stream.on('data', ({ typeUrl }) => {
        if (typeUrl === typeUrls.endpoint) answers++;
        else resolve();
      });
    });
    // What is asked last is answered last: all that lay in wait has come then.
    client.send({ typeUrl: typeUrls.cluster, resourceNamesSubscribe: ['no-such.default|http|'] });
    client.stream.resume();
    await last;
    expect(answers).to.be.within(1, questions / 4);
    client.close();
  });
});
