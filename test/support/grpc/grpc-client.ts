/** A gRPC client in a process of its own: a library reads its bootstrap once. Two libraries, one set of commands. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type GrpcBootstrapOptions, grpcBootstrap } from '../../../cli/grpc-bootstrap.ts';

const scripts = join(import.meta.dirname, '../clients');

export interface Library {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
}

/** Debian's Python, which has Debian's packages, whatever stands first in the path. */
const python = '/usr/bin/python3';

export const grpcJs: Library = { name: 'grpc-js', command: [process.execPath, join(scripts, 'grpc-client.mjs')] };
export const grpcCore: Library = { name: 'gRPC C core', command: [python, join(scripts, 'grpc-client.py')] };

/** Whether the library is there. The gate installs what Debian has: there it is a fault if it is not. */
export function isInstalled(library: Library): boolean {
  if (library !== grpcCore) return true;
  try {
    execFileSync(python, ['-c', 'import grpc'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env.CI !== undefined) throw new Error('python3-grpcio is not installed', { cause: error });
    return false;
  }
}

export interface Calls {
  /** `xds:///reviews.default:9080`. */
  readonly target: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly times?: number;
  readonly parallel?: number;
  /** Whether a call waits for an instance that can be reached; true unless given. */
  readonly waitForReady?: boolean;
  /** 10 s unless given; 0: no deadline. */
  readonly timeoutMs?: number;
}

/** How often what happened. */
export interface Outcome {
  readonly peers: Readonly<Record<string, number>>;
  /** By gRPC status: "0" is OK. */
  readonly codes: Readonly<Record<string, number>>;
  readonly texts: Readonly<Record<string, number>>;
}

/** The C core looks at its connections every 5 s as long as there is no call. */
const quick = { GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS: '50' };

export class GrpcClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #next = 1;

  constructor(library: Library, bootstrapFile: string) {
    const [program, ...args] = library.command;
    const environment = { ...process.env, GRPC_XDS_BOOTSTRAP: bootstrapFile, ...quick };
    this.#child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      const { id, ...outcome } = JSON.parse(line);
      this.#waiting.get(id)?.(outcome);
      this.#waiting.delete(id);
    });
  }

  calls(calls: Calls): Promise<Outcome> {
    return this.#ask({ do: 'calls', ...calls });
  }

  /** Calls without a pause until `stop`. */
  async load(calls: Calls): Promise<{ stop(): Promise<Outcome> }> {
    const name = String(this.#next);
    await this.#ask({ do: 'load', name, ...calls });
    return { stop: () => this.#ask({ do: 'stop', name }) };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #ask(command: object): Promise<Outcome> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
    });
  }
}

/** Starts a client with the bootstrap that `sluice grpc-bootstrap` prints. */
export function startGrpcClient(library: Library, folder: string, options: GrpcBootstrapOptions): GrpcClient {
  const file = join(folder, `${options.id}.json`);
  writeFileSync(file, JSON.stringify(grpcBootstrap(options)));
  return new GrpcClient(library, file);
}
