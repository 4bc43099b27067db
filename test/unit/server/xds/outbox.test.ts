import { expect } from 'chai';
import { mostStandstillMs, Outbox } from '../../../../server/xds/outbox.ts';

const KiB = 1024;
const MiB = KiB * KiB;

/** An outbox whose client takes what it is sent when the test says so. */
class World {
  nowMs = 0;
  unread = 0;
  rooms = 0;
  readonly written: { readonly bytes: Buffer; readonly take: () => void }[] = [];
  readonly outbox = new Outbox({
    call: { writeFramed: (bytes, onTaken = () => {}) => this.written.push({ bytes, take: onTaken }) },
    clock: () => this.nowMs,
    onUnread: (bytes) => {
      this.unread += bytes;
    },
    onRoom: () => {
      this.rooms++;
    },
  });

  send(...messages: Buffer[]): void {
    for (const message of messages) this.outbox.add(message);
    this.outbox.release();
  }

  takeAll(): void {
    for (const { take } of this.written.splice(0)) take();
  }
}

describe('what a client is sent', () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it('goes out step by step: small messages in one piece, in their order', () => {
    world.outbox.add(Buffer.from('a'));
    world.outbox.add(Buffer.from('b'));
    expect(world.written).to.deep.equal([]);
    world.outbox.release();
    world.send(Buffer.from('c'));
    expect(world.written.map(({ bytes }) => bytes.toString())).to.deep.equal(['ab', 'c']);
  });

  it('is put together once for clients that are sent the same', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
    const other = new World();
    world.send(a, b);
    other.send(a, b);
    expect(other.written[0]?.bytes).to.equal(world.written[0]?.bytes);
    other.send(a, c);
    other.send(a);
    expect(other.written.map(({ bytes }) => bytes.toString())).to.deep.equal(['ab', 'ac', 'a']);
  });

  it('goes out in pieces when it is much, nothing left out', () => {
    const large = Buffer.alloc(300 * KiB, 'x');
    world.send(Buffer.from('a'), large, Buffer.from('b'));
    expect(Buffer.concat(world.written.map(({ bytes }) => bytes)).equals(Buffer.from(`a${large}b`))).to.equal(true);
    expect(Math.max(...world.written.map(({ bytes }) => bytes.length))).to.equal(128 * KiB);
  });

  it('is counted until it is taken, or until nobody waits for it any more', () => {
    world.send(Buffer.alloc(10), Buffer.alloc(5));
    expect(world.unread).to.equal(15);
    world.takeAll();
    expect(world.unread).to.equal(0);
    world.send(Buffer.alloc(7));
    world.outbox.close();
    expect(world.unread).to.equal(0);
    world.takeAll();
    expect(world.unread).to.equal(0);
  });

  it('is enough from 1 MiB on: who asked is told once, when there is room', () => {
    world.send(Buffer.alloc(2 * MiB));
    expect(world.outbox.isFull()).to.equal(true);
    world.takeAll();
    expect(world.rooms).to.equal(1);
    expect(world.outbox.isFull()).to.equal(false);
  });

  it('is not told of room when nobody asked', () => {
    world.send(Buffer.alloc(2 * MiB));
    world.takeAll();
    expect(world.rooms).to.equal(0);
  });

  it('is too much from 64 MiB on', () => {
    for (let sent = 0; sent < 64; sent++) world.send(Buffer.alloc(MiB));
    expect(world.outbox.isOverfull).to.equal(false);
    world.send(Buffer.alloc(1));
    expect(world.outbox.isOverfull).to.equal(true);
  });

  it('counts no longer when nothing is taken for a second, and again when something is', () => {
    world.send(Buffer.alloc(200 * KiB));
    world.nowMs = 1_000;
    expect(world.outbox.isAbandoned()).to.equal(false);
    expect(world.unread).to.equal(0);
    world.written.shift()?.take();
    expect(world.unread).to.equal(72 * KiB);
  });

  it('is for nobody when nothing is taken for 30 s', () => {
    world.send(Buffer.alloc(200 * KiB));
    world.nowMs = mostStandstillMs - 1;
    expect(world.outbox.isAbandoned()).to.equal(false);
    world.written.shift()?.take();
    world.nowMs = 2 * mostStandstillMs - 2;
    expect(world.outbox.isAbandoned()).to.equal(false);
    world.nowMs++;
    expect(world.outbox.isAbandoned()).to.equal(true);
    world.takeAll();
    expect(world.outbox.isAbandoned()).to.equal(false);
  });
});
