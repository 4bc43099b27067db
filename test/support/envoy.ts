/**
 * A real Envoy beside a mesh of the tests: started with what `sluice envoy-bootstrap` prints, on free ports, and strict: a field
 * that it does not know is a refusal. `scripts/install-test-packages.sh` installs it.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { envoyBootstrap } from '../../cli/envoy-bootstrap.ts';
import { parseHostPort } from '../../process/host-port.ts';
import { type Answered, type Asked, ask } from './ask.ts';
import { type Processes, top, waitUntilOk } from './processes.ts';
import type { TestProcess } from './test-process.ts';

const program = join(top, 'bench/proxy/.peers/envoy');

/** Says why tests are left out. CI installs Envoy: there it is a fault. */
export function skipUnlessEnvoy(context: Mocha.Context): void {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error('Envoy is not installed', { cause });
    console.log('      skipped: Envoy is not installed; scripts/install-test-packages.sh does that');
    context.skip();
  }
}

/** Whether Envoy takes the configuration, without running it: what it says if not. */
export function validate(processes: Processes, config: object): string {
  const file = join(processes.folder, 'validate.json');
  writeFileSync(file, JSON.stringify(config));
  try {
    execFileSync(program, ['--mode', 'validate', '-l', 'error', '-c', file], { stdio: 'pipe' });
    return '';
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  }
}

export interface EnvoyOptions {
  /** HOST:PORT of the control plane. */
  readonly server: string;
  readonly service?: string;
  readonly id?: string;
  readonly mode?: 'delta' | 'sotw';
  readonly zone?: string;
  /** HOST:PORT of the application beside it. */
  readonly app?: string;
  /** By `SERVICE[:PORT]`; port 0 takes a free one. */
  readonly upstreams?: Readonly<Record<string, string>>;
  readonly only?: readonly string[];
  /** A stream for each type in place of the aggregated one. */
  readonly hasOwnStreams?: boolean;
}

/** Ports that a running Envoy listens on, as it says itself. */
interface ListenerStatuses {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
  }[];
}

export class Envoy {
  readonly process: TestProcess;
  readonly admin: string;

  constructor(process: TestProcess, admin: string) {
    this.process = process;
    this.admin = admin;
  }

  /** HOST:PORT of the first listener whose name begins so; waits until there is one. */
  async listener(prefix: string): Promise<string> {
    for (;;) {
      const found = (await this.listeners()).find(({ name }) => name.startsWith(prefix));
      if (found) return found.at;
      await pause();
    }
  }

  async listeners(): Promise<{ readonly name: string; readonly at: string }[]> {
    const { listener_statuses: statuses = [] } = JSON.parse(
      await this.ask('/listeners?format=json'),
    ) as ListenerStatuses;
    return statuses.map(({ name, local_address: { socket_address: at } }) => ({
      name,
      at: `${at.address}:${at.port_value}`,
    }));
  }

  /** A request as the application sends it. */
  async get(host: string, target = '/', more: Partial<Asked> = {}): Promise<Answered> {
    return ask({ at: await this.outbound(), host, target, ...more });
  }

  #outbound: Promise<string> | undefined;

  outbound(): Promise<string> {
    this.#outbound ??= this.listener('outbound');
    return this.#outbound;
  }

  /** Of the admin port. */
  async ask(path: string): Promise<string> {
    const response = await fetch(`http://${this.admin}${path}`);
    return response.text();
  }

  /** Counters and gauges whose names match, added up. */
  async sum(pattern: RegExp): Promise<number> {
    const lines = (await this.ask('/stats')).split('\n').map((line) => line.split(': '));
    return lines.filter(([name = '']) => pattern.test(name)).reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Asks again until it is so; the time-out of the test bounds it. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await pause();
  }
}

/** Resolves when it is ready: it has its first configuration. */
export async function startEnvoy(processes: Processes, options: EnvoyOptions): Promise<Envoy> {
  const folder = processes.makeFolder('envoy');
  const { server, service = 'web', id = `${service}-1`, zone, app, upstreams = {}, only, mode = 'delta' } = options;
  const bootstrap = envoyBootstrap({
    service,
    id,
    namespace: 'default',
    zone,
    server: address(server),
    outbound: anyPort,
    inbound: app === undefined ? undefined : { at: anyPort, app: address(app) },
    upstreams: Object.fromEntries(Object.entries(upstreams).map(([name, at]) => [name, address(at)])),
    services: only,
    admin: anyPort,
    mode,
  });
  const config = options.hasOwnStreams ? withOwnStreams(bootstrap, mode) : bootstrap;
  const [file, adminFile] = [join(folder, 'envoy.json'), join(folder, 'admin')];
  writeFileSync(file, JSON.stringify(config));
  const strict = ['--reject-unknown-dynamic-fields', '--disable-hot-restart', '--concurrency', '2'];
  const more = ['--drain-time-s', '1', '-l', 'warning', '--admin-address-path', adminFile];
  const process = processes.start([program, '-c', file, ...strict, ...more], { name: `envoy ${id}` });
  const admin = await readWhenWritten(process, adminFile);
  await waitUntilOk(process, `http://${admin}/ready`);
  return new Envoy(process, admin);
}

/** Envoy writes the file before it serves. */
async function readWhenWritten(process: TestProcess, file: string): Promise<string> {
  while (process.isRunning) {
    const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    if (text !== '') return text;
    await pause();
  }
  throw new Error(`envoy ended. It wrote:\n${process.stderr}`);
}

function withOwnStreams(bootstrap: object, mode: 'delta' | 'sotw'): object {
  const source = {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: mode === 'delta' ? 'DELTA_GRPC' : 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'sluice' } }],
    },
  };
  return { ...bootstrap, dynamic_resources: { cds_config: source, lds_config: source } };
}

const anyPort = { host: '127.0.0.1', port: 0 };

/** HOST:PORT at which nothing listens: for what has to keep its address. */
export async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : '';
}

function address(text: string) {
  const found = parseHostPort(text);
  if (!found) throw new Error(`${text} is no address`);
  return found;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
