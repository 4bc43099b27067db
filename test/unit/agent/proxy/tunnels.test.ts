import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { Clock } from '../../../../process/clock.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import type { RouteAction } from '../../../../proto/types.ts';
import { route, routeConfiguration } from '../../routing/resources.ts';
import { serviceResources, withRoutes } from '../view/resources.ts';
import { ManualClock, World } from './world.ts';

const all = 'reviews.default|http|';
const upgrade = 'GET /chat HTTP/1.1\r\nHost: reviews\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const connecting = 'CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\n';

/** One side of a tunnel, as a test sees it. */
class Side {
  readonly socket: Socket;
  received = 0;
  text = '';
  hasEnded = false;
  isClosed = false;
  isReset = false;
  readonly #events = new EventEmitter();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (part: Buffer) => {
      this.received += part.length;
      if (this.text.length < 10_000) this.text += part.toString('latin1');
      this.#events.emit('change');
    });
    socket.on('end', () => {
      this.hasEnded = true;
      this.#events.emit('change');
    });
    socket.on('error', () => {
      this.isReset = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#events.emit('change');
    });
  }

  /** Takes its time over everything that comes, until the other side is done with it, and then some more. */
  async readSlowly(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      this.socket.resume();
      await once(this.socket, 'data');
      this.socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.socket.resume();
  }

  async until(isSo: (side: Side) => boolean): Promise<void> {
    while (!isSo(this)) await once(this.#events, 'change');
  }
}

describe('a tunnel', () => {
  let world: World;
  let client: Side;
  let upstream: Side;
  let listener: ProxyListener;

  beforeEach(() => {
    world = new World();
  });
  afterEach(async () => {
    client.socket.destroy();
    await world.close();
  });

  const kinds = [
    { kind: 'of a change of protocol', begin: upgrade, answer: switching },
    { kind: 'by CONNECT', begin: connecting, answer: '' },
    { kind: 'of a TCP service', begin: 'hello', answer: '' },
  ] as const;
  type Kind = (typeof kinds)[number];

  interface Given {
    readonly clock?: Clock;
    readonly action?: Input<RouteAction>;
  }

  /** Both sides are connected and have said hello. */
  async function open({ kind, begin, answer }: Kind, { clock, action }: Given = {}): Promise<void> {
    const accepted = new EventEmitter();
    const onConnection = (socket: Socket) => {
      upstream = new Side(socket);
      accepted.emit('socket');
    };
    const port = await world.tcp(onConnection, { allowHalfOpen: true });
    const tcp = { metadata: { filterMetadata: { sluice: toStruct({ protocol: 'tcp' }) } } };
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all, ...action })],
        clusters: { [all]: [{ port }] },
        ...(kind === 'of a TCP service' && { policies: { [all]: tcp } }),
      }),
    );
    listener =
      kind === 'of a TCP service'
        ? await world.upstream('reviews.default')
        : await world.outbound({ ...(clock && { clock }) });
    const isAccepted = once(accepted, 'socket');
    client = new Side(connect({ ...listener.address, allowHalfOpen: true }));
    client.socket.write(begin);
    await isAccepted;
    if (kind !== 'by CONNECT') await upstream.until(({ text }) => text.includes(begin.slice(0, 4)));
    upstream.socket.write(`${answer}welcome`);
    await client.until(({ text }) => text.endsWith('welcome'));
    upstream.received = 0;
    client.received = 0;
  }

  async function quiet(): Promise<void> {
    while (Object.keys(world.underWay()).length > 0) await new Promise(setImmediate);
  }

  const size = 8 * 1024 * 1024;
  const large = Buffer.alloc(size, 'x');

  for (const each of kinds) {
    describe(each.kind, () => {
      it('carries bytes both ways, and ends when both sides have', async () => {
        await open(each);
        const begun = upstream.received;
        client.socket.write('up');
        await upstream.until(({ received }) => received >= begun + 2);
        upstream.socket.write('down');
        await client.until(({ received }) => received === 4);
        client.socket.end();
        await upstream.until(({ hasEnded }) => hasEnded);
        expect(client.hasEnded).to.equal(false);
        upstream.socket.write('still');
        await client.until(({ received }) => received === 9);
        upstream.socket.end();
        await client.until(({ isClosed }) => isClosed);
        await quiet();
        expect(world.statistics.snapshot()).to.deep.include({ requests: 1, active: 0, brokenOff: 0, clientGone: 0 });
      });

      it('loses nothing of what the client sent last, when the other side reads slowly and has ended itself', async () => {
        await open(each);
        const before = upstream.received;
        upstream.socket.end();
        await client.until(({ hasEnded }) => hasEnded);
        client.socket.end(large);
        await upstream.readSlowly(() => client.isClosed);
        await upstream.until(({ isClosed }) => isClosed);
        expect(upstream.received - before).to.equal(size);
        await quiet();
      });

      it('loses nothing of what the other side sent last, when the client reads slowly and has ended itself', async () => {
        await open(each);
        client.socket.end();
        await upstream.until(({ hasEnded }) => hasEnded);
        upstream.socket.end(large);
        await client.readSlowly(() => upstream.isClosed);
        await client.until(({ isClosed }) => isClosed);
        expect(client.received).to.equal(size);
        await quiet();
      });

      it('ends when the client is reset', async () => {
        await open(each);
        client.socket.resetAndDestroy();
        await upstream.until(({ isClosed }) => isClosed);
        expect(upstream.isReset).to.equal(true);
        await quiet();
      });

      it('ends when the other side is reset', async () => {
        await open(each);
        upstream.socket.resetAndDestroy();
        await client.until(({ isClosed }) => isClosed);
        expect(client.isReset).to.equal(true);
        await quiet();
      });

      it('lives through changes of the rules, also those that leave nothing of where it goes', async () => {
        await open(each);
        const other = 'reviews.default|http|other';
        for (let n = 0; n < 10; n++) {
          world.directory.swap(
            serviceResources({
              routes: [route('', { cluster: other })],
              clusters: { [other]: [{ port: await world.app(`other ${n}`) }] },
            }),
          );
        }
        world.directory.swap(
          withRoutes(serviceResources({ routes: [], clusters: { [other]: [] } }), routeConfiguration([])),
        );
        const begun = upstream.received;
        client.socket.write('still there?');
        await upstream.until(({ received }) => received === begun + 12);
        upstream.socket.write('yes');
        await client.until(({ text }) => text.endsWith('yes'));
        expect(client.hasEnded).to.equal(false);
      });

      it('lives until the time to drain is over when the listener closes', async () => {
        await open(each);
        const closed = listener.close();
        client.socket.write('still there?');
        await upstream.until(({ text }) => text.endsWith('still there?'));
        await closed;
        await client.until(({ isClosed, hasEnded }) => isClosed || hasEnded);
        await upstream.until(({ isClosed, hasEnded }) => isClosed || hasEnded);
        await quiet();
      });
    });
  }

  for (const each of kinds.slice(0, 2)) {
    it(`${each.kind} outlives the timeout of its rule, which is for answers`, async () => {
      const clock = new ManualClock();
      await open(each, { clock, action: { timeout: { seconds: 1 } } });
      clock.pass(60_000);
      upstream.socket.write('still there');
      await client.until(({ text, isClosed }) => text.endsWith('still there') || isClosed);
      expect(client.isClosed).to.equal(false);
      client.socket.resetAndDestroy();
      await quiet();
    });
  }

  it('ends when nothing of what waits for one side is taken for five minutes, and the other side has gone', async () => {
    const clock = new ManualClock();
    await open(kinds[0], { clock });
    upstream.socket.pause();
    const part = Buffer.alloc(64 * 1024, 'x');
    for (let n = 0; n < 512; n++) client.socket.write(part);
    await untilNothingIsTaken(client.socket);
    client.socket.resetAndDestroy();
    for (let n = 0; n < 10; n++) {
      clock.pass(29_000);
      await new Promise(setImmediate);
    }
    expect(world.underWay()).to.include({ requests: 1 });
    // The kernel may have taken a little after it was first looked, or may do so yet: then it is five minutes more.
    while (Object.keys(world.underWay()).length > 0) {
      clock.pass(29_000);
      await new Promise(setImmediate);
    }
  });
});

/**
 * All that lies between is full: the event loop goes round and round, with everybody in it, and nothing moves; and not for
 * a moment alone, for a busy kernel takes its time over what is on its way within it.
 */
async function untilNothingIsTaken(socket: Socket): Promise<void> {
  let taken = -1;
  for (let rounds = 0; rounds < 25; rounds++) {
    const now = socket.bytesWritten - socket.writableLength;
    if (now !== taken) rounds = 0;
    taken = now;
    for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
