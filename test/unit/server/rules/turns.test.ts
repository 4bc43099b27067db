import { expect } from 'chai';
import { Turns } from '../../../../server/rules/turns.ts';

describe('tasks that take turns', () => {
  /** What waits for the next turn of the event loop. */
  let deferred: (() => void)[];
  let begun: string[];
  let turns: Turns;

  beforeEach(() => {
    deferred = [];
    begun = [];
    turns = new Turns((run) => deferred.push(run));
  });

  const take = (name: string) => turns.take(async () => void begun.push(name));

  const nextTurn = async () => {
    for (const run of deferred.splice(0)) run();
    await new Promise((resolve) => setImmediate(resolve));
  };

  it('begin each in a turn of its own, so that what came meanwhile has its place', async () => {
    void take('first');
    void take('second').then(() => take('second again'));
    const seen: string[] = [];
    for (let turn = 0; turn < 5; turn++) {
      await nextTurn();
      seen.push(begun.join(', '));
      if (turn === 1) void take('third'); // Before the second has ended.
    }
    expect(seen).to.deep.equal([
      '',
      'first',
      'first, second',
      'first, second, third',
      'first, second, third, second again',
    ]);
  });

  it('go on after one that failed, which its caller alone is told', async () => {
    const failing = turns.take(() => Promise.reject(new Error('no room')));
    const next = take('next');
    const told = failing.then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    while (begun.length === 0) await nextTurn();
    await next;
    expect(await told).to.equal('no room');
  });
});
