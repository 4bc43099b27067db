import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { onEachConnection, type SocketHandle } from '../../../../agent/http1/socket-handle.ts';
import { type SocketUser, Transport } from '../../../../agent/http1/transport.ts';
import { systemClock } from '../../../../process/clock.ts';
import { createSocketContext } from './socket-context.ts';

const pieceBytes = 32 * 1024;

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** No two stretches of it are alike, so bytes that are written over show. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0, at);
  return bytes;
}

const context = createSocketContext(systemClock);

/** Passes everything that one side sends on to the other. */
class Relay implements SocketUser {
  readonly own: Transport;
  target: Transport | undefined;

  constructor(handle: SocketHandle, { isPrivate }: { readonly isPrivate: boolean }) {
    this.own = Transport.accept(handle, this, context);
    this.own.readPrivately(isPrivate);
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.target?.relay(this.own, bytes, from, to);
    if (this.target?.isClogged) this.own.pause();
  }

  onDrain(): void {}
  onEnd(): void {
    this.target?.end();
  }
  onClosed(): void {}
}

describe('a transport', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** Two connections, each with the far end that the test holds. */
  async function pair(options: { readonly isPrivate: boolean }) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relays: Relay[] = [];
    onEachConnection(server, (handle) => relays.push(new Relay(handle, options)));
    const { port } = server.address() as AddressInfo;
    const dial = async (): Promise<Socket> => {
      const before = relays.length;
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
      while (relays.length === before) await turn();
      return socket;
    };
    const [one, other] = [await dial(), await dial()];
    const [first, second] = relays;
    if (first === undefined || second === undefined) throw new Error('two connections were expected');
    first.target = second.own;
    second.target = first.own;
    // Who has sent all goes on with what the other side reads.
    first.onDrain = () => second.own.resume();
    second.onDrain = () => first.own.resume();
    closers.push(
      () => server.close(),
      () => relays.forEach(({ own }) => void own.destroy()),
      () => [one, other].forEach((socket) => void socket.destroy()),
    );
    return { one, other, first, second };
  }

  for (const isPrivate of [true, false]) {
    it(`hands on every byte as it came to one that does not read yet, from ${isPrivate ? 'its own' : 'the shared'} buffer`, async () => {
      const { one, other } = await pair({ isPrivate });
      const sent = pattern(12 * 1024 * 1024);
      // In small pieces, so that the first of those that the kernel cannot take any more is not the last that is read.
      let begun = Promise.resolve<unknown>(undefined);
      for (let at = 0; at < sent.length; at += pieceBytes) {
        one.write(sent.subarray(at, at + pieceBytes));
        await turn();
        if (at === sent.length / 2) begun = other.toArray();
      }
      one.end();
      const received = Buffer.concat((await begun) as Buffer[]);
      expect(received.length).to.equal(sent.length);
      expect(hashOf(received)).to.equal(hashOf(sent));
    });
  }

  it('has a buffer of its own only as long as much arrives at a time', async () => {
    const { one, other, first } = await pair({ isPrivate: true });
    let received = 0;
    other.on('data', (bytes) => {
      received += bytes.length;
    });
    const states: boolean[] = [];
    for (const length of [100, 1024 * 1024, 100]) {
      const expected = received + length;
      one.write(pattern(length));
      while (received < expected) await turn();
      states.push(first.own.isPrivate);
    }
    expect(states).to.deep.equal([false, true, false]);
  });

  it('serves many at the same time from one shared buffer', async () => {
    const pairs = await Promise.all(Array.from({ length: 8 }, () => pair({ isPrivate: false })));
    const sent = pattern(1024 * 1024);
    const received = pairs.map(async ({ one, other }, index) => {
      one.end(sent.subarray(4 * index));
      return Buffer.concat(await other.toArray()).equals(sent.subarray(4 * index));
    });
    expect(await Promise.all(received)).to.deep.equal(Array.from({ length: 8 }, () => true));
  });
});
