/**
 * The application as a child of this process: its end is told as a shell tells it. It has our standard streams but its own
 * session, so that what it starts can be ended with it, and so that Ctrl-C at the terminal comes to us alone, who drain
 * first.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Clock } from './clock.ts';
import { accountOf } from './passwd.ts';
import { isGroupRunning, signalGroup } from './process-group.ts';

export interface Child {
  /** Its exit code; 128+n when signal n ended it; 127 when there is no such command, 126 when it cannot be run. */
  readonly ended: Promise<number>;
  /** To the child and what it started. Does nothing when all have ended. */
  signal(name: NodeJS.Signals): void;
  /** Signals all of them, kills those that are left after the grace, and resolves with the exit code when all have ended. */
  end(name: NodeJS.Signals, grace: { readonly clock: Clock; readonly graceMs: number }): Promise<number>;
}

export interface ChildOptions {
  /** Told in words when the command cannot be run. */
  readonly onFault?: (sentence: string) => void;
  /** Who it runs as; as this process when not given. */
  readonly runAs?: UserAndGroup | undefined;
}

export interface UserAndGroup {
  readonly uid: number;
  readonly gid: number;
}

/** How often to look whether what the child left behind has ended: nobody tells us. */
const lookMs = 20;

export function startChild([file = '', ...args]: readonly string[], { onFault, runAs }: ChildOptions = {}): Child {
  // Another user's files are not those of this one.
  const env = { ...process.env, ...(runAs && accountOf(runAs.uid)) };
  const child = spawn(file, args, { stdio: 'inherit', detached: true, env, ...runAs });
  const { pid } = child;
  // A number that was free once may be another group's soon: from then on it is left alone.
  let isGone = pid === undefined;
  const isRunning = () => {
    isGone ||= pid === undefined || !isGroupRunning(pid);
    return !isGone;
  };
  const signal = (name: NodeJS.Signals) => {
    if (!isGone && pid !== undefined) isGone = !signalGroup(pid, name);
  };
  const ended = new Promise<number>((resolve) => {
    child.once('error', (cause) => {
      onFault?.(faultOf(cause));
      resolve('code' in cause && cause.code === 'ENOENT' ? 127 : 126);
    });
    child.once('exit', (code, by) => {
      isRunning();
      resolve(code ?? signalExitCode(by));
    });
  });

  const end: Child['end'] = async (name, { clock, graceMs }) => {
    let isOver = false;
    signal(name);
    const cancel = clock.after(graceMs, () => {
      isOver = true;
      signal('SIGKILL');
    });
    const code = await ended;
    while (!isOver && isRunning()) await new Promise<void>((resolve) => clock.after(lookMs, resolve));
    cancel();
    return code;
  };
  return { ended, signal, end };
}

function faultOf(cause: Error & { readonly code?: unknown }): string {
  switch (cause.code) {
    case 'ENOENT':
      return 'there is no such command (ENOENT)';
    case 'EACCES':
      return 'it may not be executed (EACCES)';
    default:
      return cause.message;
  }
}

/** What a shell reports of a process that this signal ended. */
export function signalExitCode(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
