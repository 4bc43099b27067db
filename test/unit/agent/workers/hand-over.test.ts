import { expect } from 'chai';
import { HandOver, type Taker } from '../../../../agent/workers/hand-over.ts';
import { FakeClock } from '../../process/fake-clock.ts';

const port = { host: '127.0.0.1', port: 15_001 };

/** A connection as it is here: open, or closed. */
class Handle {
  isOpen = true;
  close(): void {
    this.isOpen = false;
  }
}

class FakeTaker implements Taker {
  connections: number;
  readonly taken: object[] = [];

  constructor(connections = 0) {
    this.connections = connections;
  }

  send(_message: unknown, handle: object): void {
    this.taken.push(handle);
  }
}

describe('handing connections to workers', () => {
  let clock: FakeClock;
  let workers: FakeTaker[];
  let handOver: HandOver;
  beforeEach(() => {
    clock = new FakeClock();
    workers = [];
    handOver = new HandOver({ clock, serving: () => workers });
  });

  /** They say that they have the last one they were handed. */
  function accept(...by: FakeTaker[]): void {
    for (const worker of by) {
      worker.connections++;
      handOver.accepted(worker);
    }
  }

  function take(count: number): Handle[] {
    const handles = Array.from({ length: count }, () => new Handle());
    for (const handle of handles) handOver.take(port, handle);
    return handles;
  }

  it('goes to the one with the fewest', () => {
    const [few, many] = [new FakeTaker(3), new FakeTaker(5)];
    workers = [many, few];
    take(1);
    accept(few);
    take(1);
    accept(few);
    take(1);
    expect([few.taken.length, many.taken.length]).to.deep.equal([2, 1]);
  });

  it('gives nobody another one before it has the last: who is stopped holds up one at most', () => {
    const [stopped, busy] = [new FakeTaker(), new FakeTaker(100)];
    workers = [stopped, busy];
    const handles = take(5);
    clock.advance(20);
    for (let times = 0; times < 4; times++) accept(busy);
    expect(stopped.taken).to.deep.equal(handles.slice(0, 1));
    expect(busy.taken).to.deep.equal(handles.slice(1));
  });

  it('waits 20 ms for one that has clearly fewer, so that a burst is shared out', () => {
    const [slow, quick] = [new FakeTaker(), new FakeTaker()];
    workers = [slow, quick];
    take(20);
    const takenByQuick = () => {
      while (quick.taken.length > quick.connections) accept(quick);
      return quick.taken.length;
    };
    expect(takenByQuick(), 'no more than 2 beyond the other').to.equal(4);
    clock.advance(10);
    accept(slow);
    expect(slow.taken).to.have.lengthOf(2);
    expect(takenByQuick()).to.equal(5);
    clock.advance(19);
    expect(quick.taken).to.have.lengthOf(5);
    clock.advance(20);
    expect(takenByQuick(), 'the other one hangs').to.equal(18);
    expect(slow.taken).to.have.lengthOf(2);
  });

  it('does not wait for a small difference among many', () => {
    const [few, many] = [new FakeTaker(800), new FakeTaker(900)];
    workers = [few, many];
    take(2);
    expect([few.taken.length, many.taken.length]).to.deep.equal([1, 1]);
    expect(clock.waiting).to.deep.equal([]);
  });

  it('closes its own side when the worker has it, and not before', () => {
    workers = [new FakeTaker()];
    const [handle] = take(1);
    expect(handle?.isOpen).to.equal(true);
    accept(...workers);
    expect(handle?.isOpen).to.equal(false);
  });

  it('gives another one what a worker did not say that it has when it ended, before those that came later', () => {
    const [dying, other] = [new FakeTaker(), new FakeTaker(1)];
    workers = [dying, other];
    const handles = take(3);
    workers = [other];
    handOver.gone(dying);
    expect(handles[0]?.isOpen).to.equal(true);
    accept(other);
    accept(other);
    expect(other.taken).to.deep.equal([handles[1], handles[0], handles[2]]);
  });

  it('keeps connections while there is nobody, in order', () => {
    const handles = take(2);
    const late = new FakeTaker();
    workers = [late];
    handOver.handOn();
    accept(late);
    expect(late.taken).to.deep.equal(handles);
  });

  it('closes those for which nobody came within 5 s', () => {
    const [first] = take(1);
    clock.advance(3_000);
    const [second] = take(1);
    clock.advance(2_000);
    expect([first?.isOpen, second?.isOpen, handOver.dropped]).to.deep.equal([false, true, 1]);
    clock.advance(5_000);
    expect([second?.isOpen, handOver.dropped]).to.deep.equal([false, 2]);
    expect(clock.waiting).to.deep.equal([]);
  });

  it('closes those beyond 4,096', () => {
    const handles = take(4_097);
    expect(handles.filter(({ isOpen }) => !isOpen)).to.deep.equal(handles.slice(4_096));
  });

  it('closes all that wait when it is closed', () => {
    const handles = take(2);
    handOver.close();
    expect(handles.map(({ isOpen }) => isOpen)).to.deep.equal([false, false]);
    expect(clock.waiting).to.deep.equal([]);
  });
});
