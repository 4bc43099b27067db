import { expect } from 'chai';
import { pino } from 'pino';
import { StatusError, status } from '../../../../server/grpc/status.ts';
import { answerInTurn, answerOnce } from '../../../../server/operator-services/answer-in-turn.ts';
import { FakeCall } from '../../../support/fake-call.ts';

const log = pino({ level: 'silent' });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a stream of questions', () => {
  let call: FakeCall<string, string>;
  let taken: number;
  let answerWith: (answer: string) => Promise<unknown>;

  beforeEach(() => {
    const unanswered: ((answer: string) => void)[] = [];
    taken = 0;
    answerWith = (answer) => {
      unanswered.shift()?.(answer);
      return turn();
    };
    call = new FakeCall();
    const answer = () => new Promise<string>((resolve) => unanswered.push(resolve));
    answerInTurn(call, { answer, log, onTaken: () => taken++ });
  });

  it('has an answer untaken until the client takes it, and asks no further until then', async () => {
    call.say('a');
    await answerWith('A');
    expect([call.written, taken, call.isPaused]).to.deep.equal([['A'], 0, true]);
    call.take();
    await turn();
    expect([taken, call.isPaused]).to.deep.equal([1, false]);
    call.say('b');
    await answerWith('B');
    expect([call.written, taken, call.isPaused]).to.deep.equal([['A', 'B'], 1, true]);
  });

  it('has nothing untaken when the client has gone', async () => {
    call.say('a');
    await answerWith('A');
    call.leave();
    await turn();
    expect(taken).to.equal(1);
  });

  it('has nothing untaken when the client goes while its answer is made', async () => {
    call.say('a');
    call.leave();
    expect(taken).to.equal(0);
    await answerWith('A');
    expect([call.written, taken]).to.deep.equal([[], 1]);
  });
});

describe('a single question', () => {
  const ask = (answer: () => string) => {
    const call = new FakeCall<string, string>();
    answerOnce(call, { answer, log });
    return call;
  };

  it('ends with its answer', async () => {
    const call = ask(() => 'A');
    call.say('a');
    await turn();
    call.take();
    await turn();
    expect([call.written, call.ends]).to.deep.equal([['A'], [{ code: 'OK', details: '' }]]);
  });

  for (const { how, answer, code } of [
    {
      how: 'its refusal',
      answer: () => {
        throw new StatusError(status.NOT_FOUND, 'there is none');
      },
      code: 'NOT_FOUND',
    },
    {
      how: 'INTERNAL when the answer could not be made',
      answer: () => {
        throw new Error('a secret of the server');
      },
      code: 'INTERNAL',
    },
  ]) {
    it(`ends with ${how}`, async () => {
      const call = ask(answer);
      call.say('a');
      await turn();
      expect(call.ends.map((end) => end.code)).to.deep.equal([code]);
      expect(call.ends[0]?.details).not.to.contain('secret');
    });
  }

  it('that never comes is refused', () => {
    const call = ask(() => 'A');
    call.onHalfClose();
    expect(call.ends).to.deep.equal([{ code: 'INVALID_ARGUMENT', details: 'no question came' }]);
  });
});
