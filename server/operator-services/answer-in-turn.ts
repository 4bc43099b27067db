/**
 * Calls on which each message is a question: they are answered one after the other. The next question is read when the
 * last answer has been taken, so one that asks and does not read costs no more than one answer.
 */
import { MeshError } from '../../model/errors.ts';
import type { Logger } from '../../process/log.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { StatusError, status } from '../grpc/status.ts';

/** How questions are answered. */
export interface Answering<Question, Answer> {
  /** A StatusError ends the call with that. */
  readonly answer: (question: Question) => Promise<Answer> | Answer;
  readonly log: Logger;
  /** Called once for each answer, when it has been taken or nobody is left to take it. */
  readonly onTaken?: () => void;
}

/** Until the client has no more questions. */
export function answerInTurn<Question, Answer>(
  call: ServerCall<Question, Answer>,
  answering: Answering<Question, Answer>,
): void {
  call.onMessage = (question) => {
    call.pause();
    void answerOne(call, question, answering).then((isAnswered) => isAnswered && call.resume());
  };
}

/** Of a method with one question and one answer. */
export function answerOnce<Question, Answer>(
  call: ServerCall<Question, Answer>,
  answering: Answering<Question, Answer>,
): void {
  call.onMessage = (question) => {
    call.pause();
    void answerOne(call, question, answering).then((isAnswered) => isAnswered && call.end());
  };
  call.onHalfClose = () => call.end(status.INVALID_ARGUMENT, 'no question came');
}

/** Resolves when the answer has been taken, or never will; with false when the call has ended in its place. */
async function answerOne<Question, Answer>(
  call: ServerCall<Question, Answer>,
  question: Question,
  { answer, log, onTaken }: Answering<Question, Answer>,
): Promise<boolean> {
  try {
    const answered = await answer(question);
    await new Promise<void>((resolve) => call.write(answered, resolve));
    onTaken?.();
    return true;
  } catch (error) {
    if (error instanceof StatusError) call.end(error.code, error.message);
    else {
      log.error({ err: MeshError.from(error) }, 'a question of a tool could not be answered');
      call.end(status.INTERNAL, 'the question could not be answered; the log of the server says why');
    }
    return false;
  }
}
