/**
 * The processes of the demo. All of them end with it: when it ends in order they are told to and waited for, and when
 * it is killed they notice by their standard input (process/parent.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exitWithParent } from '../../process/parent.ts';
import { CommandError } from '../context.ts';

/** One line of a log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface DemoChild {
  readonly name: string;
  /** The first log line for which `find` has an answer. Rejects when the process ends without one. */
  line<Found>(find: (line: LogLine) => Found | undefined): Promise<Found>;
}

const endGraceMs = 8_000;
const keptLines = 20;

// In a checkout that is run by tsx the entry is main.ts, and the loader has to be handed on.
const isSource = import.meta.url.endsWith('.ts');
const extension = isSource ? 'ts' : 'js';
const top = new URL('../../', import.meta.url);

export const programs = {
  sluice: fileURLToPath(new URL(`cli/main.${extension}`, top)),
  reviews: fileURLToPath(new URL(`examples/reviews/reviews.${extension}`, top)),
} as const;

export class Children {
  readonly #running = new Map<ChildProcess, string>();
  readonly #onDeath: (what: string) => void;
  #isEnding = false;

  /** `onDeath` is told when a process ends that should not. */
  constructor(onDeath: (what: string) => void) {
    this.#onDeath = onDeath;
    // The last resort, for ends that nobody could wait for.
    process.once('exit', () => this.#signalAll('SIGKILL'));
  }

  start(name: string, program: string, args: readonly string[]): DemoChild {
    const loader = isSource ? process.execArgv : [];
    const watch = new URL(`process/parent.${extension}`, top).href;
    const child = spawn(process.execPath, [...loader, '--import', watch, program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...withoutSettings(process.env), [exitWithParent]: '1' },
      // Its own process group: Ctrl-C comes to the demo alone, which ends the others in order.
      detached: true,
    });
    this.#running.set(child, name);
    const log = readLines(child);
    child.once('close', (code, signal) => {
      this.#running.delete(child);
      const what = `${name} ended with ${signal ?? `exit code ${code}`}:\n${log.newest().join('\n')}`;
      log.end(what);
      if (!this.#isEnding) this.#onDeath(what);
    });
    child.once('error', (error) => this.#onDeath(`${name} could not be started: ${error.message}`));
    return { name, line: (find) => log.find(find) };
  }

  /** Resolves when all of them have ended. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const ended = [...this.#running.keys()].map(
      (child) => new Promise<void>((resolve) => child.once('close', () => resolve())),
    );
    this.#signalAll('SIGTERM');
    const impatient = setTimeout(() => this.#signalAll('SIGKILL'), endGraceMs);
    await Promise.all(ended);
    clearTimeout(impatient);
  }

  #signalAll(signal: NodeJS.Signals): void {
    for (const child of this.#running.keys()) child.kill(signal);
  }
}

/** Settings of the user's own mesh are not the demo's. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SLUICE_')));
}

interface Log {
  find<Found>(find: (line: LogLine) => Found | undefined): Promise<Found>;
  newest(): readonly string[];
  end(why: string): void;
}

/** Lines of both outputs as they come; the first ones are kept too, for those who ask late. */
function readLines(child: ChildProcess): Log {
  const parsed: LogLine[] = [];
  const newest: string[] = [];
  const waiting = new Set<(line: LogLine) => boolean>();
  let reasonOfEnd: string | undefined;
  const rejections = new Set<(error: Error) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (text) => {
      newest.push(text);
      if (newest.length > keptLines) newest.shift();
      const line = parseLine(text);
      if (line === undefined) return;
      if (parsed.length < keptLines) parsed.push(line);
      for (const look of waiting) if (look(line)) waiting.delete(look);
    });
  }
  return {
    newest: () => newest,
    end(why) {
      reasonOfEnd = why;
      for (const reject of rejections) reject(new CommandError(why));
    },
    find: (find) =>
      new Promise((resolve, reject) => {
        const look = (line: LogLine): boolean => {
          const found = find(line);
          if (found !== undefined) resolve(found);
          return found !== undefined;
        };
        if (parsed.some(look)) return;
        if (reasonOfEnd !== undefined) return reject(new CommandError(reasonOfEnd));
        waiting.add(look);
        rejections.add(reject);
      }),
  };
}

function parseLine(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
