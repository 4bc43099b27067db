import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { pino } from 'pino';
import { answerInTurn } from '../../../../server/operator-services/answer-in-turn.ts';

describe('a stream of questions', () => {
  let call: Duplex;
  let written: string[];
  let taken: number;
  /** Lets the client take the oldest answer that it has not taken. */
  let take: () => void;
  let answerWith: (answer: string) => void;
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    const untaken: (() => void)[] = [];
    const unanswered: ((answer: string) => void)[] = [];
    written = [];
    taken = 0;
    take = () => untaken.shift()?.();
    answerWith = (answer) => unanswered.shift()?.(answer);
    call = new Duplex({
      objectMode: true,
      read: () => {},
      write: (answer: string, _encoding, done) => {
        written.push(answer);
        untaken.push(done);
      },
    });
    const answer = (_question: string) => new Promise<string>((resolve) => unanswered.push(resolve));
    answerInTurn(call, answer, pino({ level: 'silent' }), () => taken++);
  });

  it('has an answer untaken until the client takes it, and asks no further until then', async () => {
    for (const message of ['a', 'b']) call.push({ message });
    await turn();
    answerWith('A');
    answerWith('B');
    await turn();
    expect([written, taken]).to.deep.equal([['A'], 0]);
    take();
    await turn();
    expect(taken).to.equal(1);
    answerWith('B');
    await turn();
    expect([written, taken]).to.deep.equal([['A', 'B'], 1]);
  });

  it('has nothing untaken when the client has gone, before its answer or after', async () => {
    call.push({ message: 'a' });
    await turn();
    answerWith('A');
    await turn();
    call.emit('cancelled');
    call.destroy();
    await turn();
    expect(taken).to.equal(1);
  });

  it('has nothing untaken when the client goes while its answer is made', async () => {
    call.push({ message: 'a' });
    await turn();
    call.emit('cancelled');
    expect(taken).to.equal(0);
    answerWith('A');
    await turn();
    expect([written, taken]).to.deep.equal([[], 1]);
  });
});
