import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { type Handler, ManualClock, World } from './world.ts';

const all = 'reviews.default|http|';
const get = 'GET / HTTP/1.1\r\nHost: reviews\r\n\r\n';

describe('clients', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  async function outboundTo(handler: Handler, options: Partial<OutboundOptions> = {}): Promise<ProxyListener> {
    const port = await world.app('app', handler);
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: [{ port }] } }));
    return world.outbound(options);
  }

  function dial({ address }: ProxyListener, allowHalfOpen = false): Socket {
    return connect({ ...address, allowHalfOpen }).on('error', () => {});
  }

  describe('that send several requests and then close their side', () => {
    for (const { what, bytes, want } of [
      { what: 'get all the answers', bytes: get.repeat(3), want: '/ok/ok/ok' },
      {
        what: 'get all the answers, those of the agent too',
        bytes: `${get}GET / HTTP/1.1\r\nHost: nobody\r\n\r\n${get}`,
        want: '/ok/no-route/ok',
      },
      { what: 'get the answers to those that are whole', bytes: `${get}${get}GET / HT`, want: '/ok/ok' },
      {
        what: 'get no answer to what does not come whole',
        bytes: `${get}POST / HTTP/1.1\r\nHost: reviews\r\nContent-Length: 5\r\n\r\nhel`,
        want: '/ok',
      },
    ]) {
      it(what, async () => {
        const outbound = await outboundTo((request, response) => {
          request.resume().once('end', () => setImmediate(() => response.end('ok')));
        });
        const socket = dial(outbound, true);
        socket.end(bytes);
        const received = await text(socket);
        const answers = received.split(/(?=HTTP\/1\.1 \d+)/).map((answer) => /x-sluice-reason: (\S+)|ok$/.exec(answer));
        expect(answers.map((answer) => `/${answer?.[1] ?? answer?.[0]}`).join('')).to.equal(want);
        expect(world.underWay()).to.deep.equal({});
      });
    }
  });

  it('that send more requests than they read answers to are read no further, and get all of them later', async () => {
    let requests = 0;
    const body = Buffer.alloc(40_000, 'x');
    const outbound = await outboundTo((_request, response) => {
      requests++;
      response.end(body);
    });
    const socket = dial(outbound, true);
    await once(socket, 'connect');
    socket.pause();
    socket.write(get.repeat(1_000));
    // As many as the system's buffers hold the answers of.
    for (let before = -1; before !== requests; ) {
      before = requests;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(requests).to.be.within(1, 900);
    socket.end();
    let answers = 0;
    socket.on('data', (part: Buffer) => {
      answers += part.toString('latin1').split('HTTP/1.1 200').length - 1;
    });
    socket.resume();
    await once(socket, 'close');
    // One whose first line lies in two reads is not seen.
    expect(answers).to.be.within(900, 1_000);
    expect(requests).to.equal(1_000);
  });

  it('that never send the rest of a body that nobody waits for are let go', async () => {
    const clock = new ManualClock();
    const outbound = await outboundTo((_request, response) => response.writeHead(413).end('too long'), { clock });
    const socket = dial(outbound);
    socket.write('POST / HTTP/1.1\r\nHost: reviews\r\nContent-Length: 100000\r\n\r\nbegun');
    await once(socket, 'data');
    while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    const closed = once(socket, 'close');
    clock.pass(120_000);
    await closed;
  });

  for (const { what, before } of [
    { what: 'wait for a slow answer', before: 0 },
    { what: 'wait for the last of several answers', before: 2 },
  ]) {
    it(`that close their side and ${what} are taken for gone after a while without a byte`, async () => {
      const clock = new ManualClock();
      const arrived = new EventEmitter();
      let requests = 0;
      const outbound = await outboundTo(
        (_request, response) => (requests++ < before ? response.end('ok') : arrived.emit('slow')),
        { clock },
      );
      const socket = dial(outbound, true);
      const asked = once(arrived, 'slow');
      socket.end(get.repeat(before + 1));
      await asked;
      while (world.statistics.snapshot().active > 0) {
        clock.pass(5_000);
        await new Promise(setImmediate);
      }
      expect(world.statistics.snapshot()).to.deep.include({ requests: before + 1, clientGone: 1 });
      expect(world.underWay()).to.deep.equal({});
    });
  }
});
