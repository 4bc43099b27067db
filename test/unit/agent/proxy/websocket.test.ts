/** WebSockets of the library that most applications in JavaScript use, from an outbound through an inbound. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { World } from './world.ts';

const all = 'reviews.default|http|';

describe('a WebSocket through two agents', () => {
  let world: World;
  let server: WebSocketServer;
  let url: string;
  const clients: WebSocket[] = [];

  beforeEach(async () => {
    world = new World();
    server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      perMessageDeflate: true,
      handleProtocols: (offered) => (offered.has('b') ? 'b' : false),
    });
    await once(server, 'listening');
    const app = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const inbound = await world.inbound({ app });
    const endpoint = { id: 'reviews-1', port: inbound.address.port };
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: [endpoint] } }));
    const outbound = await world.outbound();
    url = `ws://127.0.0.1:${outbound.address.port}/chat?room=1`;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.terminate();
    for (const client of server.clients) client.terminate();
    server.close();
    await world.close();
  });

  interface Opened {
    readonly client: WebSocket;
    /** Its other end. */
    readonly far: WebSocket;
    readonly path: string | undefined;
  }

  async function open(protocols: readonly string[] = []): Promise<Opened> {
    const client = new WebSocket(url, [...protocols], { headers: { host: 'reviews' } });
    clients.push(client);
    const [[far, request]] = await Promise.all([once(server, 'connection'), once(client, 'open')]);
    return { client, far, path: request.url };
  }

  async function received(socket: WebSocket): Promise<{ readonly data: Buffer; readonly isBinary: boolean }> {
    const [data, isBinary] = await once(socket, 'message');
    return { data, isBinary };
  }

  it('is opened with its path and its protocol', async () => {
    const { client, path } = await open(['a', 'b']);
    expect([path, client.protocol, client.extensions]).to.deep.equal(['/chat?room=1', 'b', 'permessage-deflate']);
  });

  it('carries text, octets and long messages both ways', async () => {
    const { client, far } = await open();
    for (const [from, to] of [
      [client, far],
      [far, client],
    ] as const) {
      for (const message of ['', 'grüß dich', randomBytes(100), randomBytes(5_000_000), 'x'.repeat(5_000_000)]) {
        const arrival = received(to);
        from.send(message);
        const { data, isBinary } = await arrival;
        expect(isBinary).to.equal(typeof message !== 'string');
        expect(data.equals(Buffer.from(message))).to.equal(true);
      }
    }
  });

  it('carries pings, and messages in fragments', async () => {
    const { client, far } = await open();
    const pong = once(client, 'pong');
    client.ping('are you there');
    expect(String((await pong)[0])).to.equal('are you there');
    const arrival = received(far);
    client.send('one, ', { fin: false });
    client.send('two', { fin: true });
    expect(String((await arrival).data)).to.equal('one, two');
  });

  for (const who of ['client', 'far'] as const) {
    it(`is closed by the ${who === 'far' ? 'server' : 'client'}, with code and reason`, async () => {
      const opened = await open();
      const ends = Promise.all([once(opened.client, 'close'), once(opened.far, 'close')]);
      opened[who].close(4_001, 'enough');
      for (const [code, reason] of await ends) expect([code, String(reason)]).to.deep.equal([4_001, 'enough']);
      while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    });
  }

  it('is one of many that do not get in each other’s way', async () => {
    const opened: Opened[] = [];
    for (let n = 0; n < 20; n++) opened.push(await open());
    const arrivals = opened.map(({ client }) => received(client));
    for (const [index, { far }] of opened.entries()) far.send(`for ${index}`);
    const texts = (await Promise.all(arrivals)).map(({ data }) => String(data));
    expect(texts).to.deep.equal(opened.map((_, index) => `for ${index}`));
  });

  it('lives on when the rules change and its instance is gone from them', async () => {
    const { client, far } = await open();
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all })],
        clusters: { [all]: [{ id: 'other', port: await world.deadPort() }] },
      }),
    );
    const arrival = received(far);
    client.send('still here');
    expect(String((await arrival).data)).to.equal('still here');
  });

  it('is refused by an application that takes none, with its own answer', async () => {
    server.options.verifyClient = (_info, answer) => answer(false, 403, 'Not you');
    const client = new WebSocket(url, { headers: { host: 'reviews' } });
    clients.push(client);
    // That it was never opened is an error to it, too.
    client.on('error', () => {});
    const [, response] = await once(client, 'unexpected-response');
    expect([response.statusCode, await text(response)]).to.deep.equal([403, 'Not you']);
  });
});
