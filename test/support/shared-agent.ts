/** A shared agent as a real process, with the file that it reads its entries from. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkNamespace } from './network-namespaces.ts';
import { type Processes, programs, type ServerProcess, startSluice } from './processes.ts';
import type { LogLine, TestProcess } from './test-process.ts';

export interface SharedAgentOptions {
  readonly server: Pick<ServerProcess, 'grpc'>;
  /** The list of the file, each as YAML in braces. */
  readonly entries: readonly string[];
  readonly flags?: readonly string[];
  /** Where it runs; on this host when not given. */
  readonly inside?: NetworkNamespace;
}

export class SharedAgentProcess {
  readonly process: TestProcess;
  readonly file: string;
  /** `HOST:PORT`. */
  readonly admin: string;

  private constructor(started: TestProcess, file: string, admin: string) {
    this.process = started;
    this.file = file;
    this.admin = admin;
  }

  /** Resolves when it is ready. */
  static async start(
    processes: Processes,
    { server, entries, flags = [], inside }: SharedAgentOptions,
  ): Promise<SharedAgentProcess> {
    const file = join(processes.folder, 'agent.yaml');
    writeFileSync(file, textOf(entries));
    const args = ['agent', '--config', file, '--server', server.grpc, '--admin', '127.0.0.1:0', ...flags];
    const command = [process.execPath, programs.sluice, ...args];
    const started = inside === undefined ? startSluice(processes, args) : processes.start(inside.inside(command));
    const { admin } = await started.logged('serving several applications');
    // The last one to be said, of all together.
    await started.until('become ready', () =>
      started.log.find(({ msg, entry }) => entry === undefined && isReady(msg)),
    );
    return new SharedAgentProcess(started, file, String(admin));
  }

  /** Where the entry listens: what it said last. */
  addressesOf(entry: string): { readonly outbound: string; readonly inbound: readonly string[] } {
    const line = this.process.log.findLast((each) => each.entry === entry && each.msg === 'listening');
    const { outbound, inbound } = line ?? {};
    return { outbound: String(outbound), inbound: Array.isArray(inbound) ? inbound.map(String) : [] };
  }

  /** Resolves when the entry, as it has been started last, is ready. */
  async isReady(entry: string): Promise<void> {
    await this.process.until(`make ${entry} ready`, () => {
      const own = this.process.log.filter((line) => line.entry === entry);
      const started = own.findLastIndex(({ msg }) => msg === 'listening');
      return started >= 0 && own.slice(started).some(({ msg }) => isReady(msg)) ? true : undefined;
    });
  }

  /** These entries from now on: by the file, and SIGHUP. Resolves with what is said of it, when all are ready. */
  async change(entries: readonly string[]): Promise<LogLine> {
    const said = await this.says('entries have changed', () => {
      this.replaceFile(entries);
      this.process.signal('SIGHUP');
    });
    for (const id of [said.added, said.changed].flat()) await this.isReady(String(id));
    return said;
  }

  /** Another file in place of this one, as editors and deployments do it. */
  replaceFile(entries: readonly string[] | string): void {
    writeFileSync(`${this.file}.new`, typeof entries === 'string' ? entries : textOf(entries));
    renameSync(`${this.file}.new`, this.file);
  }

  /** What the agent says of the file the next time, when `change` has been made. */
  async says(message: string, change: () => void): Promise<LogLine> {
    const before = this.process.log.length;
    change();
    return this.process.until(`log "${message}"`, () =>
      this.process.log.slice(before).find(({ msg }) => msg === message),
    );
  }

  /** JSON of the admin port. */
  async ask<Body>(path: string, init?: RequestInit): Promise<{ readonly status: number; readonly body: Body }> {
    const response = await fetch(`http://${this.admin}${path}`, init);
    const body: Body = JSON.parse(await response.text());
    return { status: response.status, body };
  }
}

function isReady(message: unknown): boolean {
  return typeof message === 'string' && message.startsWith('ready');
}

function textOf(entries: readonly string[]): string {
  return `entries:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;
}
