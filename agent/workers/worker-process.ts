/** One worker as the main process sees it. It answers what it is asked within a time, or is killed. */
import type { Clock } from '../../process/clock.ts';
import { type Fork, startFork } from '../../process/fork.ts';
import type { Logger } from '../../process/log.ts';
import { type FromWorker, parseFromWorker, type ToWorker } from './messages.ts';

export interface WorkerProcessOptions {
  /** Path of the module that it runs. */
  readonly program: string;
  /** Its number, from 1 on. */
  readonly worker: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly answerWithinMs: number;
  readonly onMessage: (from: WorkerProcess, message: FromWorker) => void;
  /** Once. */
  readonly onEnd: (of: WorkerProcess, how: string) => void;
}

type Answer = FromWorker['is'];

/** What each question is answered by. */
const answers: { readonly [Is in ToWorker['is']]?: Answer } = {
  start: 'serving',
  use: 'using',
  connection: 'accepted',
  report: 'report',
  'close-inbound': 'inbound-closed',
};

/** To load the program and to read all that is held, on a machine that does much else. */
const startWithinMs = 30_000;
/** Longer than requests under way get to finish. */
const closeWithinMs = 12_000;
const longer: { readonly [Of in Answer]?: number } = {
  loaded: startWithinMs,
  serving: startWithinMs,
  'inbound-closed': closeWithinMs,
};

export class WorkerProcess {
  readonly worker: number;
  /** - `loading`: has not been told anything; `starting`: is told what changes; `serving`: takes connections. */
  state: 'loading' | 'starting' | 'serving' = 'loading';
  /** Of clients, when it last said how many. */
  connections = 0;
  /** How many of the pool's changes it uses. */
  using = 0;
  readonly startedAtMs: number;
  readonly #options: WorkerProcessOptions;
  readonly #fork: Fork;
  /** What is to come; the oldest of a kind comes first. */
  readonly #owed: { readonly answer: Answer; readonly cancel: () => void }[] = [];

  constructor(options: WorkerProcessOptions) {
    const { program, worker, clock } = options;
    this.worker = worker;
    this.startedAtMs = clock.elapsed();
    this.#options = options;
    this.#fork = startFork(program, {
      onMessage: (message) => this.#onMessage(message),
      onEnd: (how) => {
        for (const { cancel } of this.#owed.splice(0)) cancel();
        options.onEnd(this, how);
      },
    });
    this.#expect('loaded');
  }

  get pid(): number | undefined {
    return this.#fork.pid;
  }

  send(message: ToWorker, handle?: object): void {
    const answer = answers[message.is];
    if (answer !== undefined) this.#expect(answer);
    this.#fork.send(message, handle);
  }

  /** Whether an answer of this kind is to come. */
  owes(answer: Answer): boolean {
    return this.#owed.some((owed) => owed.answer === answer);
  }

  kill(): void {
    this.#fork.kill();
  }

  #onMessage(received: unknown): void {
    const { log, worker, onMessage } = this.#options;
    let message: FromWorker;
    try {
      message = parseFromWorker(received);
    } catch (cause) {
      log.error({ err: cause, worker, workerPid: this.pid }, 'a worker said what it cannot say, and is killed');
      return this.kill();
    }
    const index = this.#owed.findIndex(({ answer }) => answer === message.is);
    if (index !== -1) for (const { cancel } of this.#owed.splice(index, 1)) cancel();
    onMessage(this, message);
  }

  #expect(answer: Answer): void {
    const { clock, log, worker, answerWithinMs } = this.#options;
    const withinMs = longer[answer] ?? answerWithinMs;
    const onOver = () => {
      log.error(
        { worker, workerPid: this.pid },
        `a worker did not answer within ${withinMs} ms (${answer}) and is killed`,
      );
      this.kill();
    };
    // In two halves: if it is this process that stood still, the answer is here already, and is read between them.
    let cancel = clock.after(withinMs / 2, () => {
      cancel = clock.after(withinMs / 2, onOver);
    });
    this.#owed.push({ answer, cancel: () => cancel() });
  }
}
