import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ByteWriter } from '../../../../agent/http1/byte-writer.ts';
import type { SocketUser, Transport } from '../../../../agent/http1/transport.ts';
import { systemClock } from '../../../../process/clock.ts';
import { Accepting } from './accepting.ts';
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

const writer = new ByteWriter(64 * 1024);

interface Ends {
  readonly source: Transport;
  readonly target: Transport;
}

/** Passes everything that one side sends on to the other. */
class Relay implements SocketUser {
  source: Transport | undefined;
  target: Transport | undefined;
  relayed = 0;
  /** Of the last read. */
  wasPrivate = false;
  onDrain = () => {};
  onClogged = () => {};

  onBytes(bytes: Buffer, from: number, to: number): void {
    const { source, target } = this;
    if (source === undefined || target === undefined) return;
    this.wasPrivate = source.isPrivate;
    this.relayed += to - from;
    target.relay(source, bytes, from, to);
    if (!target.isClogged) return;
    source.pause();
    this.onClogged();
  }

  onEnd(): void {
    this.target?.end();
  }
  onClosed(): void {}
}

describe('a transport', () => {
  let accepting: Accepting;
  beforeEach(async () => {
    accepting = await Accepting.start(createSocketContext(systemClock));
  });
  afterEach(() => accepting.close());

  /** Two connections, of which each gets what the other sends. */
  async function pair({ isPrivate }: { readonly isPrivate: boolean }) {
    const [first, second] = [new Relay(), new Relay()];
    const { own: source, far: one } = await accepting.accept(first);
    const { own: target, far: other } = await accepting.accept(second);
    Object.assign(first, { source, target });
    Object.assign(second, { source: target, target: source });
    source.readPrivately(isPrivate);
    target.readPrivately(isPrivate);
    // Who has sent all goes on with what the other side reads.
    first.onDrain = () => target.resume();
    second.onDrain = () => source.resume();
    return { one, other, first, source, target };
  }

  /** Nobody reads what is written to it, so some of it waits. Returns how much was written. */
  function fill(target: Transport, part: Buffer): number {
    let written = 0;
    for (; target.waitingBytes === 0; written += part.length) target.write(part, 0, part.length);
    return written;
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
    let sent = 0;
    let received = 0;
    other.on('data', (bytes) => {
      received += bytes.length;
    });
    const send = async (length: number) => {
      one.write(pattern(length));
      sent += length;
      while (received < sent) await turn();
    };
    await send(100);
    expect(first.wasPrivate).to.equal(false);
    // In what pieces it arrives is the kernel's business.
    while (!first.wasPrivate) await send(1024 * 1024);
    await send(100);
    await send(100);
    expect(first.wasPrivate).to.equal(false);
  });

  for (const { what, write } of [
    {
      what: 'passed on',
      write: ({ source, target }: Ends, bytes: Buffer, at: number) => target.relay(source, bytes, at, at + 1),
    },
    {
      what: 'put together',
      write: ({ target }: Ends, bytes: Buffer, at: number) => {
        writer.copy(bytes, at, at + 1);
        target.writeAll(writer);
      },
    },
  ]) {
    it(`keeps little more than the bytes that wait, however small the pieces are in which they are ${what}`, async () => {
      const { other, source, target } = await pair({ isPrivate: true });
      const part = pattern(64 * 1024);
      const bytes = pattern(10_000);
      const filled = fill(target, part);
      const before = process.memoryUsage().arrayBuffers;
      for (let at = 0; at < bytes.length; at++) write({ source, target }, bytes, at);
      expect(process.memoryUsage().arrayBuffers - before).to.be.below(1024 * 1024);
      target.end();
      const received = Buffer.concat(await other.toArray());
      expect(received.length).to.equal(filled + bytes.length);
      expect(hashOf(received.subarray(filled))).to.equal(hashOf(bytes));
    });
  }

  it('copies what is not in the buffer of who has read it', async () => {
    const { one, other, first, source, target } = await pair({ isPrivate: true });
    const received: Buffer[] = [];
    other.on('data', (bytes) => received.push(bytes));
    // Until the next read is into a private buffer.
    for (let sent = 0; !source.isPrivate; ) {
      one.write(pattern(1024 * 1024));
      sent += 1024 * 1024;
      while (first.relayed < sent || target.waitingBytes > 0) await turn();
    }
    const passed = first.relayed;
    other.pause();
    const foreign = Buffer.alloc(64 * 1024, 'A');
    let relayed = 0;
    for (; target.waitingBytes === 0; relayed += foreign.length) target.relay(source, foreign, 0, foreign.length);
    foreign.fill('B');
    target.end();
    other.resume();
    await once(other, 'end');
    const last = Buffer.concat(received).subarray(passed);
    expect(last.equals(Buffer.alloc(relayed, 'A'))).to.equal(true);
  });

  it('leaves a buffer alone that still waits to be sent, also when it was the last that is read into', async () => {
    const { one, other, first, source, target } = await pair({ isPrivate: true });
    // As with the last bytes of a body.
    first.onClogged = () => source.readPrivately(false);
    while (!target.isClogged) {
      one.write(Buffer.alloc(64 * 1024, 'A'));
      await turn();
    }
    const next = await pair({ isPrivate: true });
    let received = 0;
    next.other.on('data', (bytes) => {
      received += bytes.length;
    });
    let sent = 0;
    while (!next.first.wasPrivate) {
      next.one.write(Buffer.alloc(1024 * 1024, 'B'));
      sent += 1024 * 1024;
      while (received < sent) await turn();
    }
    one.end();
    expect(Buffer.concat(await other.toArray()).equals(Buffer.alloc(first.relayed, 'A'))).to.equal(true);
  });

  it('is not clogged when much has gone at once', async () => {
    const { target } = await pair({ isPrivate: false });
    const part = pattern(64 * 1024);
    expect(target.write(part, 0, part.length)).to.equal(true);
    expect(target.isClogged).to.equal(false);
  });

  it('serves many at the same time from one shared buffer', async () => {
    const pairs = [];
    while (pairs.length < 8) pairs.push(await pair({ isPrivate: false }));
    const sent = pattern(1024 * 1024);
    const received = pairs.map(async ({ one, other }, index) => {
      one.end(sent.subarray(4 * index));
      return Buffer.concat(await other.toArray()).equals(sent.subarray(4 * index));
    });
    expect(await Promise.all(received)).to.deep.equal(Array.from({ length: 8 }, () => true));
  });
});
