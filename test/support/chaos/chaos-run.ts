/**
 * A mesh in which everybody misbehaves: real processes of a server and two agents; instances that do the worst to requests,
 * behind an agent and without one; clients that do the worst, and honest ones among them, who check what they see.
 */

import { join } from 'node:path';
import { type AgentProcess, type Processes, type ServerProcess, startAgent, startServer } from '../processes.ts';
import { AgentProbe } from './agent-probe.ts';
import { type DeedName, deedNames, silentDeeds } from './deeds.ts';
import { endingsSeenAs } from './endings.ts';
import { complaintOf, HonestClient, type Wish } from './honest-client.ts';
import { type HostileUpstream, startHostileUpstream } from './hostile-upstream.ts';
import { LogLedger } from './log-ledger.ts';
import { rudeClientNames, rudeClients } from './rude-clients.ts';

export interface ChaosOptions {
  readonly processes: Processes;
  /** Between the octets of slow instances. */
  readonly slowMs: number;
  readonly random: () => number;
}

const rules = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: strict }
spec: { ports: [ { name: http, port: 80, protocol: http } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: strict }
spec: { service: strict, rules: [ { backends: [ { subset: v1 } ], timeout: TIMEOUT } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: inner }
spec: { service: inner, rules: [ { backends: [ { service: inner } ], timeout: TIMEOUT } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: wild }
spec:
  service: wild
  rules:
    - match: [ { headers: { x-rule: { exact: retried } } } ]
      backends: [ { subset: v1 } ]
      timeout: 1s
      retry: { attempts: 2, on: [ connect-failure, reset, "500", "503" ], perTryTimeout: 200ms }
    - match: [ { headers: { x-rule: { exact: copied } } } ]
      backends: [ { subset: v1 } ]
      timeout: 500ms
      mirror: [ { subset: shadow, percent: 100 } ]
    - match: [ { headers: { x-rule: { exact: delayed } } } ]
      backends: [ { subset: v1 } ]
      timeout: 500ms
      fault: { delay: { duration: 50ms, percent: 50 }, abort: { status: 418, percent: 20 } }
      headers: { request: { set: { x-set: "1" } }, response: { add: { x-added: "1" }, remove: [ date ] } }
    - backends: [ { subset: v1 } ]
      timeout: 500ms
---
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: wild }
spec:
  service: wild
  loadBalancer: { policy: least-request }
  connectionPool: { maxConnections: 20, maxPendingRequests: 10, maxRequests: 30, retryBudget: { percent: 50, minRetries: 5 } }
  outlierDetection: { consecutive5xx: 3, interval: 1s, baseEjectionTime: 1s, maxEjectionPercent: 70 }
`;

const forEver = 'it waits for ever';
const services = ['strict', 'inner', 'wild'] as const;
const wildRules = ['retried', 'copied', 'delayed', 'plain'] as const;

export class ChaosRun {
  readonly complaints: string[] = [];
  /** How often honest clients saw what. */
  readonly seen: Record<string, number> = {};
  rudeActs = 0;
  readonly #options: ChaosOptions;
  readonly #upstreams: HostileUpstream[] = [];
  readonly #clients: HonestClient[] = [];
  #web!: AgentProcess;
  readonly #ledger: LogLedger;
  #probes: readonly AgentProbe[] = [];
  #names = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
    const { processes } = options;
    this.#ledger = new LogLedger(logOf(processes, 'web'), logOf(processes, 'inner'));
  }

  get probes(): readonly AgentProbe[] {
    return this.#probes;
  }

  async start(): Promise<void> {
    const { processes, slowMs } = this.#options;
    const server = await startServer(processes);
    const app = await this.#startUpstream();
    const inner = await startAgent(processes, {
      server,
      args: ['--service', 'inner', '--id', 'inner-1', '--app', `127.0.0.1:${app.port}`, ...logged(processes, 'inner')],
    });
    for (let n = 0; n < 3; n++) await this.#register(server, 'strict', `strict-${n}`, { version: 'v1' });
    for (let n = 0; n < 4; n++) await this.#register(server, 'wild', `wild-${n}`, { version: 'v1' });
    await this.#register(server, 'wild', 'shadow-1', { version: 'shadow' });
    this.#web = await startAgent(processes, {
      server,
      args: [
        '--service',
        'web',
        '--id',
        'web-1',
        '--upstream',
        'strict=127.0.0.1:0',
        '--upstream',
        'wild=127.0.0.1:0',
        ...logged(processes, 'web'),
      ],
    });
    // Longer than any instance takes that answers, however slowly.
    await this.#call(server, 'POST', '/apply?wait=10s', rules.replaceAll('TIMEOUT', `${slowMs * 20 + 2_500}ms`));
    this.#probes = [new AgentProbe(this.#web), new AgentProbe(inner)];
    await this.#askAll();
  }

  /** Chaos for so long; resolves when everybody has done what was begun. */
  async rage(ms: number, { honest, rude }: { readonly honest: number; readonly rude: number }): Promise<void> {
    const endMs = performance.now() + ms;
    const isOver = () => performance.now() > endMs;
    await Promise.all([
      ...Array.from({ length: honest }, () => this.#beHonest(isOver)),
      ...Array.from({ length: rude }, () => this.#beRude(isOver)),
    ]);
  }

  /**
   * Lets go of all connections, and waits until the agents have done so too; what is left then is told, by agent.
   * `sockets`: those that each had before.
   */
  async settle(sockets?: readonly number[]): Promise<readonly unknown[]> {
    for (const client of this.#clients.splice(0)) client.close();
    const endMs = performance.now() + 20_000;
    for (;;) {
      const left = await Promise.all(
        this.#probes.map(async (probe, place) => ({
          ...(await probe.underWay()),
          ...moreThan(sockets?.[place], probe.sockets),
        })),
      );
      if (performance.now() > endMs || left.every((each) => Object.keys(each).length === 0)) return left;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** What the access logs say that is not so, or do not say; when all is settled. */
  async checkLogs(): Promise<readonly string[]> {
    for (const probe of this.#probes) await probe.hasLogged();
    return await this.#ledger.check();
  }

  /** Lines of the caller's agent, by their endings. */
  get logged(): Readonly<Record<string, number>> {
    return this.#ledger.endings;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#upstreams.map((upstream) => upstream.close()));
  }

  /** One of each, so that everything is known and loaded that will be. */
  async #askAll(): Promise<void> {
    const deeds = deedNames.filter((deed) => !silentDeeds.has(deed));
    for (const service of services) {
      const client = this.#newClient(this.#ports[0] ?? 0);
      for (const deed of deeds) await this.#ask(client, { service, deed, method: 'GET', size: 0, bodySize: 0 });
    }
  }

  async #beHonest(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const port = this.#pick(this.#ports);
      const client = this.#newClient(port);
      for (let n = 0; n < 50 && !isOver(); n++) await this.#ask(client, this.#newWish(this.#serviceAt(port)));
      client.close();
    }
  }

  async #beRude(isOver: () => boolean): Promise<void> {
    const { random } = this.#options;
    while (!isOver()) {
      const port = this.#pick(this.#ports);
      // What is expected of the wild ones is not known.
      const service = this.#serviceAt(port);
      const name = this.#pick(rudeClientNames);
      const target = { port, service, random, ledger: this.#ledger, isUndeclared: port === this.#ports[2] };
      const complaint = await this.#inTime(rudeClients[name](target), forEver);
      this.rudeActs++;
      if (complaint !== '' && (service !== 'wild' || complaint === forEver))
        this.complaints.push(`a client that ${name}: ${complaint}`);
    }
  }

  async #ask(client: HonestClient, wish: Wish): Promise<void> {
    const id = client.nextId;
    const outcome = await this.#inTime(client.ask(wish), `lost: ${forEver}`);
    const { service } = wish;
    this.#ledger.add(id, {
      title: `honest ${wish.method} ${service} "${wish.deed}", saw "${outcome}"`,
      endings: endingsSeenAs(outcome, service),
      ...(service === 'inner' && { seenThroughInner: outcome }),
    });
    const key = `${wish.service} ${outcome.slice(0, 40)}`;
    this.seen[key] = (this.seen[key] ?? 0) + 1;
    const complaint = complaintOf(wish, outcome);
    if (complaint !== '') this.complaints.push(complaint);
  }

  /** What it resolves with, or this when it does not. */
  async #inTime(promise: Promise<string>, otherwise: string): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<string>((resolve) => {
      // Five requests in a row, each answered an octet at a time, take the longest.
      timer = setTimeout(() => resolve(otherwise), this.#options.slowMs * 60 + 10_000);
    });
    const result = await Promise.race([promise, tooLong]);
    clearTimeout(timer);
    return result;
  }

  #newWish(service: Wish['service']): Wish {
    const { random } = this.#options;
    const method = this.#pick(['GET', 'GET', 'GET', 'PUT', 'POST'] as const);
    const rule = service === 'wild' ? this.#pick(wildRules) : '';
    const deed = this.#pick(deedNames);
    // A copy that nobody answers is given up after 15 s: there would be more to wait for than to see.
    const bearable: DeedName = rule === 'copied' && silentDeeds.has(deed) ? 'answer' : deed;
    return {
      service,
      deed: bearable,
      method,
      size: this.#pick([0, 100, 5_000, 200_000]),
      bodySize: this.#pick([0, 100, 5_000, 100_000]),
      headers: {
        ...(rule !== '' && { 'x-rule': rule }),
        ...(rule !== '' && method !== 'GET' && random() < 0.2 && { 'x-early': '1' }),
      },
    };
  }

  #newClient(port: number): HonestClient {
    const client = new HonestClient(port, `honest-${this.#names++}`);
    this.#clients.push(client);
    return client;
  }

  /** Of the agent: for all services, and one each for two of them. */
  get #ports(): readonly number[] {
    const { outbound, upstreams } = this.#web;
    return [outbound, ...upstreams].map((address) => Number(address.split(':').at(-1)));
  }

  #serviceAt(port: number): string {
    const [, strict, wild] = this.#ports;
    return port === strict ? 'strict' : port === wild ? 'wild' : this.#pick(services);
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#options.random() * items.length)];
    if (item === undefined) throw new Error('there is nothing to choose from');
    return item;
  }

  async #startUpstream(): Promise<HostileUpstream> {
    const upstream = await startHostileUpstream(this.#options.slowMs);
    this.#upstreams.push(upstream);
    return upstream;
  }

  async #register(server: ServerProcess, service: string, id: string, labels: Record<string, string>): Promise<void> {
    const { port } = await this.#startUpstream();
    const instance = { address: '127.0.0.1', port, labels, ttl: '1h' };
    await this.#call(
      server,
      'PUT',
      `/services/${service}/instances/${id}`,
      JSON.stringify(instance),
      'application/json',
    );
  }

  async #call(
    server: ServerProcess,
    method: string,
    path: string,
    body: string,
    type = 'application/yaml',
  ): Promise<void> {
    const response = await fetch(`${server.api}/api/v1${path}`, { method, body, headers: { 'content-type': type } });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  }
}

function moreThan(before: number | undefined, now: number): Record<string, number> {
  return before !== undefined && now > before ? { sockets: now - before } : {};
}

function logOf(processes: Processes, agent: string): string {
  return join(processes.folder, `${agent}.jsonl`);
}

function logged(processes: Processes, agent: string): readonly string[] {
  return ['--access-log', logOf(processes, agent)];
}
