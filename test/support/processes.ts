/**
 * Real processes for tests: started, listened to, ended. Their home, state and data lie in one temporary folder; none
 * of them outlives the tests, however these end.
 *
 *     const processes = useProcesses();
 *     it('…', async () => {
 *       const server = await startServer(processes);
 *       const agent = await startAgent(processes, { server, args: ['--service', 'web'] });
 *       expect(await runSluice(processes, ['status', '--api', server.api])).to.deep.include({ code: 0 });
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Ending, patienceMs, TestProcess } from './test-process.ts';

/** Of the checkout. */
export const top = join(import.meta.dirname, '../..');

/** What `npx sluice` and the examples are: built by `npm run build`, which `npm test` does first. */
export const programs = {
  sluice: join(top, 'dist/cli/main.js'),
  reviews: join(top, 'dist/examples/reviews/reviews.js'),
} as const;

export interface ProcessOptions {
  /** In error messages. */
  readonly name?: string;
  /** The temporary folder unless given. */
  readonly cwd?: string;
  /** Added to the environment of the tests, without their own settings of Sluice. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Standard input, which is then closed. Without it, the end of the tests ends the process. */
  readonly input?: string;
}

export class Processes {
  #started: TestProcess[] = [];
  #folder: string | undefined;

  /** Home, state and data of all of them. */
  get folder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'sluice-test-'));
    return this.#folder;
  }

  start([file = '', ...args]: readonly string[], options: ProcessOptions = {}): TestProcess {
    const child = spawn(file, args, {
      cwd: options.cwd ?? this.folder,
      env: { ...this.#environment(), ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: what it starts can be ended with it, and Ctrl-C is for the tests alone.
      detached: true,
    });
    // It may end before it has read what it was sent.
    child.stdin.on('error', () => {});
    if (options.input !== undefined) child.stdin.end(options.input);
    // The last resort, when the tests end before `close`.
    if (this.#started.length === 0) process.once('exit', this.#killAll);
    const started = new TestProcess(child, options.name ?? [file, ...args].join(' '));
    this.#started.push(started);
    return started;
  }

  /** A folder below the temporary one, created. */
  makeFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /**
   * Kills all that are running and removes the folder; what is started afterwards gets a new one. A test that is about
   * how a process ends calls `end`.
   */
  async close(): Promise<void> {
    this.#killAll();
    await Promise.all(this.#started.map(({ ended }) => ended.catch(() => {})));
    process.off('exit', this.#killAll);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#started = [];
    this.#folder = undefined;
  }

  readonly #killAll = (): void => {
    for (const each of this.#started) each.killGroup();
  };

  #environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^SLUICE_|^XDG_STATE_HOME$/.test(name));
    return { ...Object.fromEntries(inherited), HOME: this.folder };
  }
}

/** Processes for the tests of one `describe`: what a test starts is ended after it. */
export function useProcesses(): Processes {
  const processes = new Processes();
  afterEach(() => processes.close());
  return processes;
}

/** Answers as `sluice` does for the command line. */
export interface CommandResult extends Ending {
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs to its end, such as `['apply', '-f', '-', '--wait']`. */
export async function runSluice(
  processes: Processes,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<CommandResult> {
  const started = processes.start([process.execPath, programs.sluice, ...args], { input: '', ...options });
  const ending = await started.ended;
  return { ...ending, stdout: started.stdout, stderr: started.stderr };
}

/** A command that runs until it is ended: `server`, `agent`, `demo`. It ends with the tests, too. */
export function startSluice(processes: Processes, args: readonly string[], options: ProcessOptions = {}): TestProcess {
  return startProgram(processes, programs.sluice, args, { name: `sluice ${args[0]}`, ...options });
}

export interface ServerProcess {
  readonly process: TestProcess;
  readonly http: string;
  readonly grpc: string;
  /** For `--api`. */
  readonly api: string;
  readonly dataDir: string;
}

/** Resolves when it serves. On free ports and with a data directory of its own unless `args` say otherwise. */
export async function startServer(
  processes: Processes,
  { dataDir = processes.makeFolder('server'), args = [] }: { dataDir?: string; args?: readonly string[] } = {},
): Promise<ServerProcess> {
  const ports = ['--http', freePort, '--grpc', freePort];
  const started = startSluice(processes, ['server', ...ports, '--data-dir', dataDir, ...args]);
  const { http, grpc } = await started.logged('serving');
  return { process: started, http: String(http), grpc: String(grpc), api: `http://${http}`, dataDir };
}

export interface AgentProcess {
  readonly process: TestProcess;
  readonly outbound: string;
  readonly admin: string;
  /** As they are logged: `HOST:PORT`, or `NAME=HOST:PORT` of a port with a name. */
  readonly inbound: readonly string[];
  readonly upstreams: readonly string[];
}

export interface AgentOptions {
  readonly server: Pick<ServerProcess, 'grpc'>;
  /** `--service` and what else there is to say; an application after `--`. */
  readonly args: readonly string[];
  /** Resolves when it listens, not when it is ready. */
  readonly isReadyLater?: boolean;
}

/** Resolves when it is ready. On free ports unless `args` say otherwise. */
export async function startAgent(
  processes: Processes,
  { server, args, isReadyLater = false }: AgentOptions,
): Promise<AgentProcess> {
  const hasApp = args.includes('--app') && !args.includes('--inbound');
  const ports = ['--outbound', freePort, '--admin', freePort, ...(hasApp ? ['--inbound', freePort] : [])];
  const started = startSluice(processes, ['agent', '--server', server.grpc, ...ports, ...args]);
  const { outbound, admin, inbound, upstreams } = await started.logged('listening');
  if (!isReadyLater) await waitUntilOk(started, `http://${admin}/ready`);
  return {
    process: started,
    outbound: String(outbound),
    admin: String(admin),
    inbound: textsOf(inbound),
    upstreams: textsOf(upstreams),
  };
}

/** The example application; resolves with its `HOST:PORT`. */
export async function startReviews(
  processes: Processes,
  { version, instance = version }: { version: string; instance?: string },
): Promise<{ readonly process: TestProcess; readonly address: string }> {
  const args = ['--port', '0', '--version', version, '--instance', instance];
  const started = startProgram(processes, programs.reviews, args, { name: `reviews ${instance}` });
  const port = await started.until('listen', () => /"port":(\d+)/.exec(started.stdout)?.[1]);
  return { process: started, address: `127.0.0.1:${port}` };
}

/** Resolves when the URL answers with a status of success; rejects when the process ends or takes too long. */
export async function waitUntilOk(of: TestProcess, url: string): Promise<void> {
  const endMs = Date.now() + patienceMs;
  for (let said = 'nothing'; ; await sleep(askAgainMs)) {
    try {
      const response = await fetch(url);
      said = `${response.status}: ${await response.text()}`;
      if (response.ok) return;
    } catch (cause) {
      said = String(cause);
    }
    if (!of.isRunning) throw new Error(`${of.name} ended. It wrote:\n${of.stderr}`);
    if (Date.now() > endMs) throw new Error(`${url} did not become ready, it last answered ${said}\n${of.stderr}`);
  }
}

/**
 * Ports on loopback that nobody listens on, below those that the kernel gives to outgoing connections. For programs that
 * cannot say which port they took; all others take port 0.
 */
export async function findFreePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const bound = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, '127.0.0.1');
  const wasFree = await bound;
  if (wasFree) await new Promise((resolve) => server.close(resolve));
  return wasFree;
}

const freePort = '127.0.0.1:0';
const askAgainMs = 25;

function startProgram(
  processes: Processes,
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): TestProcess {
  if (!existsSync(program)) throw new Error(`${program} is missing: \`npm run build\` makes it`);
  // When the tests are killed nobody is left to end it, but its standard input closes.
  const watch = ['--import', pathToFileURL(join(top, 'dist/process/parent.js')).href];
  const environment = { SLUICE_EXIT_WITH_PARENT: '1', ...options.environment };
  return processes.start([process.execPath, ...watch, program, ...args], { ...options, environment });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
