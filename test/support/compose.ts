/**
 * Runs the services of a compose file as processes on loopback: the same commands, in the order of `depends_on`, with
 * what a container would have been given put in their place: a free port for each port of each network, a folder for each volume.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { findFreePorts, type Processes, programs, top } from './processes.ts';
import type { TestProcess } from './test-process.ts';

const words = z.array(z.string());

const serviceSchema = z.object({
  entrypoint: words.optional(),
  command: words,
  network_mode: z.templateLiteral(['service:', z.string()]).optional(),
  volumes: words.default([]),
  healthcheck: z.object({ test: words.optional(), disable: z.boolean().optional() }),
  depends_on: z
    .record(
      z.string(),
      z.object({ condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']) }),
    )
    .default({}),
});

export type ComposeService = z.output<typeof serviceSchema>;

const composeSchema = z.object({ services: z.record(z.string(), serviceSchema) });

/** The services by name, with merges and anchors resolved. */
export function readServices(text: string): Readonly<Record<string, ComposeService>> {
  return composeSchema.parse(parse(text, { merge: true })).services;
}

const entrypoint = ['sluice'];
/** Ports that an agent takes without being told to stand in no command. */
const agentDefaults = { SLUICE_OUTBOUND: 15_001, SLUICE_ADMIN: 15_000 } as const;
const healthLimitMs = 30_000;
const askAgainMs = 100;

export class ComposeRun {
  readonly #services: Readonly<Record<string, ComposeService>>;
  readonly #processes: Processes;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #running = new Map<string, Promise<TestProcess>>();

  private constructor(
    services: Readonly<Record<string, ComposeService>>,
    processes: Processes,
    ports: ReadonlyMap<string, number>,
  ) {
    this.#services = services;
    this.#processes = processes;
    this.#ports = ports;
  }

  static async prepare(text: string, processes: Processes): Promise<ComposeRun> {
    const services = readServices(text);
    const named = new Set(Object.entries(services).flatMap(([name, service]) => portsOf(name, service, services)));
    const free = await findFreePorts(named.size);
    return new ComposeRun(services, processes, new Map([...named].map((port, index) => [port, free[index] ?? 0])));
  }

  /** Resolves when all are as far as the file wants them: healthy, or ended if they are to run once. */
  async up(): Promise<void> {
    const names = Object.keys(this.#services);
    await Promise.all(names.map((name) => this.#start(name)));
    await Promise.all(
      names.filter((name) => this.#services[name]?.healthcheck.test).map((name) => this.#healthy(name)),
    );
  }

  process(name: string): Promise<TestProcess> {
    return this.#start(name);
  }

  /** Where the port of a service is: `HOST:PORT`. */
  address(service: string, port: number): string {
    const found = this.#ports.get(`${networkOf(service, this.#services)}:${port}`);
    if (found === undefined) throw new Error(`${service} has no port ${port}`);
    return `127.0.0.1:${found}`;
  }

  #start(name: string): Promise<TestProcess> {
    const running = this.#running.get(name) ?? this.#startAfterOthers(name);
    this.#running.set(name, running);
    return running;
  }

  async #startAfterOthers(name: string): Promise<TestProcess> {
    const service = this.#service(name);
    await Promise.all(
      Object.entries(service.depends_on).map(async ([other, { condition }]) => {
        const started = await this.#start(other);
        if (condition === 'service_healthy') await this.#healthy(other);
        if (condition === 'service_completed_successfully') await started.ended;
      }),
    );
    return this.#processes.start(this.#commandLine(name, [...(service.entrypoint ?? entrypoint), ...service.command]), {
      name,
      cwd: top,
      environment: service.command[0] === 'agent' ? this.#defaultsOf(name) : {},
    });
  }

  #defaultsOf(name: string): Record<string, string> {
    return Object.fromEntries(
      Object.entries(agentDefaults).map(([variable, port]) => [variable, this.address(name, port)]),
    );
  }

  /** By the health check that the file gives it. */
  async #healthy(name: string): Promise<void> {
    const [kind, ...command] = this.#service(name).healthcheck.test ?? [];
    if (kind !== 'CMD') throw new Error(`the health check of ${name} is no CMD`);
    const service = await this.#start(name);
    const endMs = Date.now() + healthLimitMs;
    for (;;) {
      const check = this.#processes.start(this.#commandLine(name, command), { cwd: top, input: '' });
      if ((await check.ended).code === 0) return;
      if (!service.isRunning || Date.now() > endMs) throw new Error(`${name} is not healthy:\n${service.stderr}`);
      await sleep(askAgainMs);
    }
  }

  #commandLine(name: string, command: readonly string[]): string[] {
    const [program = '', ...rest] = command.map((word) => this.#substitute(name, word));
    if (program === 'node') return [process.execPath, ...rest];
    if (program === 'sluice') return [process.execPath, programs.sluice, ...rest];
    throw new Error(`${name} starts ${program}, which is not in the image`);
  }

  #substitute(name: string, word: string): string {
    const volumes = this.#service(name).volumes.map((volume) => volume.split(':'));
    const moved = volumes.reduce(
      (text, [volume = '', path = '']) => text.replaceAll(path, this.#processes.makeFolder(volume)),
      word,
    );
    return replaceAddresses(name, this.#services, moved, (key, host) => {
      const port = String(this.#ports.get(key));
      return host === undefined ? port : `127.0.0.1:${port}`;
    });
  }

  #service(name: string): ComposeService {
    const service = this.#services[name];
    if (service === undefined) throw new Error(`there is no service ${name}`);
    return service;
  }
}

/** Services that share a network have one set of ports. */
function networkOf(name: string, services: Readonly<Record<string, ComposeService>>): string {
  return services[name]?.network_mode?.slice('service:'.length) ?? name;
}

function portsOf(name: string, service: ComposeService, services: Readonly<Record<string, ComposeService>>): string[] {
  const found: string[] = [];
  for (const word of [...service.command, ...(service.healthcheck.test ?? [])]) {
    replaceAddresses(name, services, word, (key) => {
      found.push(key);
      return '';
    });
  }
  const defaults = service.command[0] === 'agent' ? Object.values(agentDefaults) : [];
  return [...found, ...defaults.map((port) => `${networkOf(name, services)}:${port}`)];
}

/** Every `HOST:PORT` in a word, or the whole word if it is a port; HOST is a service, or the service's own network. */
function replaceAddresses(
  name: string,
  services: Readonly<Record<string, ComposeService>>,
  word: string,
  replace: (key: string, host: string | undefined) => string,
): string {
  if (/^\d{4,5}$/.test(word)) return replace(`${networkOf(name, services)}:${word}`, undefined);
  return word.replace(/\b([\w.-]+):(\d{4,5})\b/g, (all, host: string, port: string) => {
    const isOwn = ['0.0.0.0', '127.0.0.1'].includes(host);
    if (!isOwn && !(host in services)) return all;
    return replace(`${networkOf(isOwn ? name : host, services)}:${port}`, host);
  });
}
