/** The application as a child of this process: it shares our terminal, and its end is told as a shell tells it. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

export interface Child {
  /** Its exit code; 128+n when signal n ended it; 127 when there is no such command, 126 when it cannot be run. */
  readonly ended: Promise<number>;
  /** Does nothing when it has ended. */
  signal(name: NodeJS.Signals): void;
}

export function startChild([file = '', ...args]: readonly string[]): Child {
  const child = spawn(file, args, { stdio: 'inherit' });
  const ended = new Promise<number>((resolve) => {
    child.once('error', (cause) => resolve('code' in cause && cause.code === 'ENOENT' ? 127 : 126));
    child.once('exit', (code, signal) => resolve(code ?? signalExitCode(signal)));
  });
  return { ended, signal: (name) => void child.kill(name) };
}

/** What a shell reports of a process that this signal ended. */
export function signalExitCode(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
