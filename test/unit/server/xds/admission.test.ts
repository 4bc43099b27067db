import { expect } from 'chai';
import { Admission, mostUnreadInAll, mostWaiting } from '../../../../server/xds/admission.ts';

class World {
  nowMs = 0;
  unread = 0;
  readonly turns: (() => void)[] = [];
  readonly opened: number[] = [];
  readonly admission = new Admission({
    clock: () => this.nowMs,
    unreadBytes: () => this.unread,
    defer: (run) => this.turns.push(run),
  });

  /** Opening it takes `ms`. */
  add(stream: number, ms = 0): (() => void) | undefined {
    return this.admission.add(() => {
      this.nowMs += ms;
      this.opened.push(stream);
    });
  }

  turn(): void {
    for (const run of this.turns.splice(0)) run();
  }
}

describe('the admission of streams', () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it('lets in at once who comes alone', () => {
    world.add(1);
    expect(world.opened).to.deep.equal([1]);
  });

  it('lets the event loop run between slices, in the order of arrival', () => {
    for (const stream of [1, 2, 3, 4, 5]) world.add(stream, 5);
    expect(world.opened).to.deep.equal([1]);
    world.turn();
    expect(world.opened).to.deep.equal([1, 2, 3]);
    world.turn();
    world.turn();
    expect(world.opened).to.deep.equal([1, 2, 3, 4, 5]);
    expect(world.admission.length).to.equal(0);
  });

  it('lets nobody in while too much lies unread, and goes on when it was taken', () => {
    world.unread = mostUnreadInAll;
    world.add(1);
    world.turn();
    world.turn();
    expect(world.opened).to.deep.equal([]);
    world.unread = 0;
    world.admission.onTaken();
    world.turn();
    expect(world.opened).to.deep.equal([1]);
  });

  it('forgets who has gone before its turn', () => {
    world.unread = mostUnreadInAll;
    world.add(1)?.();
    world.add(2);
    world.unread = 0;
    world.admission.onTaken();
    world.turn();
    expect(world.opened).to.deep.equal([2]);
  });

  it('does not take more than it can remember', () => {
    world.unread = mostUnreadInAll;
    for (let stream = 0; stream < mostWaiting; stream++) world.add(stream);
    expect(world.add(0)).to.equal(undefined);
  });
});
