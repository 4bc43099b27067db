/** One process that a test has started: what it says, and its end. */
import type { ChildProcess } from 'node:child_process';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of a log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How long a test waits for a process to say or do something. */
export const patienceMs = 20_000;
/** An agent drains for 10 s at most. */
const endGraceMs = 15_000;

export class TestProcess {
  readonly name: string;
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  readonly #log: LogLine[] = [];
  #restOfLine = '';
  #ending: Ending | undefined;

  constructor(child: ChildProcess, name: string) {
    this.name = name;
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#tell();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      const lines = (this.#restOfLine + text).split('\n');
      this.#restOfLine = lines.pop() ?? '';
      for (const line of lines) this.#log.push(...parseLine(line));
      this.#tell();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`${name} could not be started`, { cause })));
      child.once('close', (code, signal) => {
        this.#ending = { code, signal };
        this.#tell();
        resolve(this.#ending);
      });
    });
    // Whoever waits for something of it gets to know; nobody has to wait for the end.
    this.ended.catch(() => {});
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#ending === undefined;
  }

  /** All log lines so far. */
  get log(): readonly LogLine[] {
    return this.#log;
  }

  /** The first log line, past or to come, with this message. */
  logged(message: string): Promise<LogLine> {
    return this.until(`log "${message}"`, () => this.log.find(({ msg }) => msg === message));
  }

  /** Resolves when what it has written, past or to come, matches. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(`write ${pattern}`, () => pattern.exec(this.stdout) ?? pattern.exec(this.stderr) ?? undefined);
  }

  /** Asked whenever it writes something. Rejects when it ends without, or takes too long. */
  until<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined && this.isRunning) return;
        finish();
        if (found === undefined) reject(this.#failed(`ended and did not ${what}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        reject(this.#failed(`did not ${what} within ${patienceMs} ms`));
      }, patienceMs);
      const finish = () => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** To its standard input, if that was not given and closed at the start. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(name: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(name);
  }

  /** Asks it to end and waits; a process that does not is killed. */
  async end(name: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.signal(name);
    const timer = setTimeout(() => this.killGroup(), endGraceMs);
    const ending = await this.ended;
    clearTimeout(timer);
    return ending;
  }

  /** As a power cut ends it. */
  kill(): Promise<Ending> {
    return this.end('SIGKILL');
  }

  /** With everything that it started. */
  killGroup(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // Nobody of the group is there any more.
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #failed(what: string): Error {
    const { code, signal } = this.#ending ?? {};
    const ending = this.isRunning ? 'it is still running' : `it ended with ${signal ?? `exit code ${code}`}`;
    return new Error(
      `${this.name} ${what}; ${ending}. It wrote:\n${this.stdout.slice(-2_000)}${this.stderr.slice(-4_000)}`,
    );
  }
}

function parseLine(text: string): LogLine[] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? [{ ...value }] : [];
  } catch {
    return [];
  }
}
