/** A program that is run to its end for what it answers, such as a tool of the system. */
import { spawn } from 'node:child_process';

export interface ProgramResult {
  /** Of a program that a signal ended: 128 and more, as shells have it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves with undefined when there is no such program, or none that may be run. */
export type RunProgram = (command: readonly string[], input?: string) => Promise<ProgramResult | undefined>;

/** A tool of the system that has not answered by then hangs. */
const limitMs = 30_000;

export const runProgram: RunProgram = ([file = '', ...args], input = '') =>
  new Promise((resolve, reject) => {
    // Tools are asked in the language in which their words are understood here.
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: limitMs, env });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // It may end before it has read what it was given; its exit code says why.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', (cause) => {
      if ('code' in cause && (cause.code === 'ENOENT' || cause.code === 'EACCES')) resolve(undefined);
      else reject(cause);
    });
    child.once('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
  });
