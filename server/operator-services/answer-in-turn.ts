/**
 * Streams on which each message is a question: they are answered one after the other. The next question is read when the
 * last answer has been taken, so one that asks and does not read costs no more than one answer.
 */
import { status } from '@grpc/grpc-js';
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

/** What is used of a ServerDuplexStream. */
export interface QuestionStream<Question, Answer> {
  on(event: 'data', listener: (received: Received<Question>) => void): unknown;
  on(event: string, listener: () => void): unknown;
  emit(event: 'error', error: ReturnType<typeof endingOf>): unknown;
  pause(): unknown;
  resume(): unknown;
  write(answer: Answer, onTaken: () => void): unknown;
  end(): unknown;
}

/** `onTaken`: called once for each answer, when it has been taken or nobody is left to take it. */
export function answerInTurn<Question, Answer>(
  call: QuestionStream<Question, Answer>,
  answer: (question: Question) => Promise<Answer> | Answer,
  log: Logger,
  onTaken: () => void = () => {},
): void {
  let isOver = false;
  let isUntaken = false;
  const take = () => {
    if (isUntaken) onTaken();
    isUntaken = false;
  };
  const onOver = () => {
    isOver = true;
    take();
  };
  const onQuestion = async (received: Received<Question>) => {
    try {
      const answered = await answer(questionIn(received));
      isUntaken = true;
      if (isOver) return take();
      call.write(answered, () => {
        take();
        call.resume();
      });
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
