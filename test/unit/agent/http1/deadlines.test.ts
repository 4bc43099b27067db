import { expect } from 'chai';
import { Deadline, Deadlines } from '../../../../agent/http1/deadlines.ts';
import { FakeClock } from '../../process/fake-clock.ts';

describe('deadlines', () => {
  let clock: FakeClock;
  let deadlines: Deadlines;
  let calls: string[];
  const onFault = (error: unknown) => void calls.push(String(error));
  beforeEach(() => {
    clock = new FakeClock();
    deadlines = new Deadlines(clock, onFault);
    calls = [];
  });

  function named(name: string, onTimeUp = () => {}): Deadline {
    return new Deadline(() => {
      calls.push(name);
      onTimeUp();
    });
  }

  it('run out when their time is up, once', () => {
    const a = named('a');
    deadlines.set(a, 100);
    clock.advance(99);
    expect([calls, a.isSet]).to.deep.equal([[], true]);
    clock.advance(1);
    expect([calls, a.isSet]).to.deep.equal([['a'], false]);
    clock.advance(1_000);
    expect(calls).to.deep.equal(['a']);
  });

  it('run out in the order of their times, whatever their lengths', () => {
    deadlines.set(named('long'), 100);
    clock.advance(60);
    deadlines.set(named('longer'), 100);
    deadlines.set(named('short'), 30);
    clock.advance(100);
    expect(calls).to.deep.equal(['short', 'long', 'longer']);
  });

  it('need one timer for each length, however many there are', () => {
    for (let n = 0; n < 1_000; n++) {
      deadlines.set(named(`a${n}`), 100);
      deadlines.set(named(`b${n}`), 200);
    }
    expect(clock.waiting).to.deep.equal([100, 200]);
    clock.advance(200);
    expect(calls).to.have.length(2_000);
    expect(clock.waiting).to.deep.equal([]);
  });

  it('do not run out when they are called off', () => {
    const [a, b, c] = [named('a'), named('b'), named('c')];
    for (const each of [a, b, c]) deadlines.set(each, 100);
    b.clear();
    b.clear();
    expect(b.isSet).to.equal(false);
    clock.advance(100);
    expect(calls).to.deep.equal(['a', 'c']);
  });

  it('can all be called off, first, last and only one', () => {
    const each = [named('a'), named('b'), named('c')];
    for (const one of each) deadlines.set(one, 100);
    each[0]?.clear();
    each[2]?.clear();
    each[1]?.clear();
    clock.advance(1_000);
    expect(calls).to.deep.equal([]);
    deadlines.set(named('d'), 100);
    clock.advance(100);
    expect(calls).to.deep.equal(['d']);
  });

  it('begin anew when they are set again, to the same or another time', () => {
    const [a, b] = [named('a'), named('b')];
    deadlines.set(a, 100);
    deadlines.set(b, 100);
    clock.advance(60);
    deadlines.set(a, 100);
    deadlines.set(b, 10);
    clock.advance(10);
    expect(calls).to.deep.equal(['b']);
    clock.advance(89);
    expect(calls).to.deep.equal(['b']);
    clock.advance(1);
    expect(calls).to.deep.equal(['b', 'a']);
  });

  it('do not come early: the timer of one that was called off finds the next', () => {
    const a = named('a');
    deadlines.set(a, 100);
    clock.advance(50);
    deadlines.set(named('b'), 100);
    a.clear();
    clock.advance(99);
    expect(calls).to.deep.equal([]);
    clock.advance(1);
    expect(calls).to.deep.equal(['b']);
  });

  it('may set and clear others, and themselves, while they run out', () => {
    const b = named('b');
    const again: Deadline = named('again', () => void (calls.length < 4 && deadlines.set(again, 100)));
    deadlines.set(again, 100);
    deadlines.set(
      named('clears b', () => b.clear()),
      100,
    );
    deadlines.set(b, 100);
    clock.advance(1_000);
    expect(calls).to.deep.equal(['again', 'clears b', 'again', 'again']);
  });

  it('of lengths that nobody uses any more are forgotten', () => {
    for (let length = 1; length <= 1_000; length++) {
      const one = named(`${length}`);
      deadlines.set(one, length * 1_000);
      one.clear();
    }
    expect(clock.waiting.length).to.be.at.most(64);
  });

  it('are kept, however many lengths there are', () => {
    for (let length = 1; length <= 200; length++) deadlines.set(named(`${length}`), length);
    clock.advance(200);
    expect(calls).to.deep.equal(Array.from({ length: 200 }, (_, n) => `${n + 1}`));
  });

  it('are over when all is closed', () => {
    deadlines.set(named('a'), 100);
    deadlines.set(named('b'), 200);
    deadlines.close();
    clock.advance(1_000);
    expect([calls, clock.waiting]).to.deep.equal([[], []]);
  });
});
