/**
 * The workers of an agent: so many at all times. One that ends is replaced, and the new one knows what the others know
 * before it is handed a connection; what happens to one does nothing to the others.
 */
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { sluiceVersion } from '../../process/version.ts';
import type { WorkerReport } from '../admin/agent-report.ts';
import { Conditions } from './conditions.ts';
import type { FromWorker, Start, Told, ToWorker } from './messages.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkerPoolOptions {
  /** Path of the module that each of them runs. */
  readonly program: string;
  readonly count: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a worker is told first, as things stand. */
  readonly start: (worker: number) => Start;
  /** What the pool itself has no use for, too. */
  readonly onMessage: (from: WorkerProcess, message: FromWorker) => void;
  /** `report`: the last one that it gave. */
  readonly onEnd: (worker: WorkerProcess, report: Told<'report'> | undefined) => void;
  /** How long a worker may take to answer before it is taken for hung. 10 s when not given. */
  readonly answerWithinMs?: number | undefined;
}

/** A place in the pool. */
interface Slot {
  readonly worker: number;
  process: WorkerProcess | undefined;
  restarts: number;
  /** Ends in a row, each soon after the start. */
  failures: number;
  report: Told<'report'> | undefined;
  cancelRestart: () => void;
}

const defaultAnswerWithinMs = 10_000;
/** Whoever has lived this long does not end of what it was started with. */
const healthyMs = 10_000;
const shortestPauseMs = 100;
const longestPauseMs = 5_000;
/** Longer than requests under way get to finish. */
const endWithinMs = 12_000;
const reportWithinMs = 1_000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: readonly Slot[];
  readonly #serving = new Set<WorkerProcess>();
  readonly #conditions = new Conditions();
  #changes = 0;
  /** Why the first start failed; undefined when nothing has. */
  #failure: string | undefined;
  #hasStarted = false;
  #isClosing = false;
  /** Requests that workers have cut off. */
  #cutOff = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      worker: index + 1,
      process: undefined,
      restarts: 0,
      failures: 0,
      report: undefined,
      cancelRestart: () => {},
    }));
  }

  /** Resolves when all serve. Rejects when one cannot be started; others may run then, until `close`. */
  async start(): Promise<void> {
    for (const slot of this.#slots) this.#startIn(slot);
    await this.#until(() => this.#failure !== undefined || this.#serving.size === this.#slots.length);
    if (this.#failure !== undefined) throw new Error(`a worker could not be started: ${this.#failure}`);
    this.#hasStarted = true;
  }

  get serving(): ReadonlySet<WorkerProcess> {
    return this.#serving;
  }

  /** Of each that is running, the latest report that it has given. */
  get reports(): readonly Told<'report'>[] {
    return this.#slots.flatMap(({ report }) => report ?? []);
  }

  get workers(): WorkerReport[] {
    return this.#slots.map(({ worker, process, restarts, report }) => ({
      worker,
      pid: process?.pid,
      state: process === undefined ? 'restarting' : process.state === 'serving' ? 'serving' : 'starting',
      connections: process?.connections ?? 0,
      rss: report?.memory.rss ?? 0,
      restarts,
    }));
  }

  /** To all that have been told how things stand; the others will be. */
  tell(message: ToWorker): void {
    for (const { process } of this.#slots) if (process?.state !== 'loading') process?.send(message);
  }

  use(mesh: Start['mesh']): void {
    this.#changes++;
    this.tell({ is: 'use', change: this.#changes, mesh });
  }

  /** Calls back when all that serve use what there is now. One that ends meanwhile is not waited for: its successor will. */
  onceInUse(then: () => void): void {
    const change = this.#changes;
    this.#conditions.once(() => this.#all(({ using }) => using >= change), then);
  }

  /** Resolves when all that serve have reported; after a second in any case. */
  async askForReports(): Promise<void> {
    for (const process of this.#serving) if (!process.owes('report')) process.send({ is: 'report' });
    let isTimeUp = false;
    const cancel = this.#options.clock.after(reportWithinMs, () => {
      isTimeUp = true;
      this.#conditions.look();
    });
    await this.#until(() => isTimeUp || this.#all((process) => !process.owes('report')));
    cancel();
  }

  /** Resolves when all that serve have no more inbound connections. */
  async closeInbound(): Promise<void> {
    this.tell({ is: 'close-inbound' });
    await this.#until(() => this.#all((process) => !process.owes('inbound-closed')));
  }

  /** Resolves when all have ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { cancelRestart, process } of this.#slots) {
      cancelRestart();
      process?.send({ is: 'close' });
    }
    const cancel = this.#options.clock.after(endWithinMs, () => this.kill());
    await this.#until(() => this.#slots.every(({ process }) => process === undefined));
    cancel();
  }

  /** Resolves when all have ended, at once; those that have not done so in time are killed. How many requests were under way. */
  async cutOff(withinMs: number): Promise<number> {
    this.#isClosing = true;
    for (const { cancelRestart, process } of this.#slots) {
      cancelRestart();
      process?.send({ is: 'cut-off' });
    }
    const cancel = this.#options.clock.after(withinMs, () => {
      for (const { worker, process } of this.#slots) {
        if (process === undefined) continue;
        this.#options.log.warn({ worker, workerPid: process.pid }, 'a worker does not end and is killed');
        process.kill();
      }
    });
    await this.#until(() => this.#slots.every(({ process }) => process === undefined));
    cancel();
    return this.#cutOff;
  }

  /** All at once. */
  kill(): void {
    for (const { process } of this.#slots) process?.kill();
  }

  #startIn(slot: Slot): void {
    const { program, clock, log, answerWithinMs = defaultAnswerWithinMs } = this.#options;
    slot.process = new WorkerProcess({
      program,
      worker: slot.worker,
      clock,
      log,
      answerWithinMs,
      onMessage: (from, message) => this.#onMessage(slot, from, message),
      onEnd: (of, how) => this.#onEnd(slot, of, how),
    });
  }

  #onMessage(slot: Slot, from: WorkerProcess, message: FromWorker): void {
    const { log } = this.#options;
    switch (message.is) {
      case 'loaded':
        return this.#onLoaded(slot, from, message.version);
      case 'serving':
        from.state = 'serving';
        this.#serving.add(from);
        if (this.#hasStarted) log.info({ worker: slot.worker, workerPid: from.pid }, 'a worker is there in its place');
        break;
      case 'using':
        from.using = message.change;
        break;
      case 'accepted':
      case 'connections':
        from.connections = message.connections;
        break;
      case 'report':
        from.connections = message.connections;
        slot.report = message;
        break;
      case 'cut-off':
        this.#cutOff += message.requests;
    }
    this.#options.onMessage(from, message);
    this.#conditions.look();
  }

  #onLoaded({ worker }: Slot, process: WorkerProcess, version: string): void {
    if (version !== sluiceVersion) {
      // What it would be told and would say may mean something else to it.
      this.#options.log.error(
        `version ${version} was installed over the running ${sluiceVersion}: start the agent anew`,
      );
      return process.kill();
    }
    process.state = 'starting';
    process.using = this.#changes;
    process.send(this.#options.start(worker));
  }

  #onEnd(slot: Slot, process: WorkerProcess, how: string): void {
    const { clock, log, onEnd } = this.#options;
    const { worker, report } = slot;
    slot.process = undefined;
    slot.report = undefined;
    this.#serving.delete(process);
    if (!this.#hasStarted) this.#failure ??= how;
    else if (!this.#isClosing) {
      slot.restarts++;
      slot.failures = clock.elapsed() - process.startedAtMs < healthyMs ? slot.failures + 1 : 0;
      const pauseMs = slot.failures === 0 ? 0 : Math.min(shortestPauseMs * 2 ** (slot.failures - 1), longestPauseMs);
      log.error({ worker, workerPid: process.pid, how, restartInMs: pauseMs }, 'a worker ended');
      slot.cancelRestart = clock.after(pauseMs, () => this.#startIn(slot));
    }
    onEnd(process, report);
    this.#conditions.look();
  }

  #all(isSo: (process: WorkerProcess) => boolean): boolean {
    return [...this.#serving].every(isSo);
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => this.#conditions.once(isSo, resolve));
  }
}
