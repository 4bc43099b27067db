/** What a worker's program does. It ends when the main process says so, or has ended itself. */
import { systemClock } from '../../process/clock.ts';
import { openLog } from '../../process/log.ts';
import { openParentChannel } from '../../process/parent-channel.ts';
import { giveBackProgramPages } from '../../process/program-pages.ts';
import { sluiceVersion } from '../../process/version.ts';
import { type FromWorker, parseToWorker, type Start } from './messages.ts';
import { Worker } from './worker.ts';

// Whoever signals the whole group means the agent: its main process first tells callers, and then ends its workers.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

// Here, since what is waited for in `start` would let the next message come before there is a worker.
const log = await openLog('agent', 'info');
let worker: Worker | undefined;

const channel = openParentChannel({
  onMessage: (message, handle) => on(message, handle),
  onEnd: () => {
    worker?.abandoned();
    void end();
  },
});
const tell = (message: FromWorker) => channel.send(message);
tell({ is: 'loaded', version: sluiceVersion });

function on(received: unknown, handle: object | undefined): void {
  const message = parseToWorker(received);
  if (message.is === 'close') void end();
  else if (message.is === 'cut-off') void endAtOnce();
  else if (message.is === 'start') void start(message);
  else worker?.on(message, handle);
}

async function start(message: Start): Promise<void> {
  const childLog = log.child({ worker: message.worker }, { level: message.logLevel });
  worker = new Worker(message, { clock: systemClock, random: Math.random, log: childLog, tell });
  await worker.listen();
  giveBackProgramPages();
}

async function endAtOnce(): Promise<void> {
  await worker?.cutOff();
  process.exit(0);
}

async function end(): Promise<void> {
  await worker?.close();
  process.exit(0);
}
