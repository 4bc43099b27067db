/**
 * Streams on which each message is a question: they are answered one after the other. The next question is read when the
 * last answer has been taken, so one that asks and does not read costs no more than one answer.
 */
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { MeshError } from '../../model/errors.ts';
import type { Logger } from '../../process/log.ts';
import type { Received } from '../../proto/services.ts';

/** Why a question is not answered; the call ends with it. */
export class RefusedQuestion extends Error {
  readonly code: status;

  constructor(code: status, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

/** What to end a call with. What is no refusal is a fault of this server, for its log. */
export function endingOf(error: unknown, log: Logger): { readonly code: status; readonly details: string } {
  if (error instanceof RefusedQuestion) return { code: error.code, details: error.message };
  log.error({ err: MeshError.from(error) }, 'a question of a tool could not be answered');
  return { code: status.INTERNAL, details: 'the question could not be answered; the log of the server says why' };
}

/** The message, or a refusal of what is none. */
export function questionIn<Question>(received: Received<Question>): Question {
  if ('message' in received) return received.message;
  throw new RefusedQuestion(status.INVALID_ARGUMENT, `a message cannot be decoded: ${received.fault}`);
}

export function answerInTurn<Question, Answer>(
  call: ServerDuplexStream<Received<Question>, Answer>,
  answer: (question: Question) => Promise<Answer> | Answer,
  log: Logger,
): void {
  let isOver = false;
  const onOver = () => {
    isOver = true;
  };
  const onQuestion = async (received: Received<Question>) => {
    try {
      const answered = await answer(questionIn(received));
      if (!isOver) call.write(answered, () => call.resume());
    } catch (error) {
      if (!isOver) call.emit('error', endingOf(error, log));
    }
  };
  call.on('data', (received: Received<Question>) => {
    call.pause();
    void onQuestion(received);
  });
  call.on('end', () => call.end());
  for (const event of ['cancelled', 'close', 'error']) call.on(event, onOver);
}
