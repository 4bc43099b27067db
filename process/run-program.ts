/** A program that is run to its end for what it answers, such as a tool of the system. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface ProgramResult {
  /** Of a program that a signal ended: 128 and more, as shells have it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves with undefined when there is no such program, or none that may be run; rejects when none can be run now. */
export type RunProgram = (command: readonly string[], input?: string) => Promise<ProgramResult | undefined>;

/** A tool of the system that has not answered by then hangs. */
const limitMs = 30_000;

export const runProgram: RunProgram = ([file = '', ...args], input = '') =>
  new Promise((resolve, reject) => {
    // Tools are asked in the language in which their words are understood here.
    const env = { ...process.env, LC_ALL: 'C' };
    const child: ChildProcess = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    // Node's own limit would go on for what was never started.
    const limit = setTimeout(() => child.kill(), limitMs);
    // Before all else: where no descriptor is left it has no streams, and only says that it was not started.
    child.once('error', (cause) => {
      clearTimeout(limit);
      if ('code' in cause && (cause.code === 'ENOENT' || cause.code === 'EACCES')) resolve(undefined);
      else reject(cause);
    });
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // It may end before it has read what it was given; its exit code says why.
    child.stdin?.on('error', () => {}).end(input);
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ code: code ?? 128, stdout, stderr });
    });
  });
