/**
 * A whole mesh in this process: a real server, real agents with real applications behind them, on free loopback ports
 * and in a directory of its own. Everything it starts ends with `close`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgentSettings } from '../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../agent/start.ts';
import { systemClock } from '../../process/clock.ts';
import { formatHostPort } from '../../process/host-port.ts';
import { createLog } from '../../process/log.ts';
import { loadServerSettings } from '../../server/config.ts';
import { type RunningServer, startServer } from '../../server/main.ts';
import { ask } from './ask.ts';
import { CountingAgent } from './counting-agent.ts';
import { settingsSources } from './settings-sources.ts';

const log = createLog('test', 'silent');

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Applied {
  readonly status: number;
  readonly body: {
    readonly revision: number;
    readonly changes: readonly unknown[];
    readonly warnings: readonly { readonly message: string }[];
    readonly errors?: readonly { readonly message: string; readonly line?: number; readonly path: string }[];
    readonly rollout: {
      readonly agents: number;
      readonly applied: number;
      readonly pending: readonly { readonly id: string; readonly reason: string }[];
      readonly rejected: readonly { readonly id: string; readonly reason: string }[];
      readonly gone: readonly { readonly id: string; readonly reason: string }[];
    };
  };
}

/** An application that answers what it is, and may be told to do otherwise. */
export class App {
  readonly server: http.Server;
  requests = 0;
  onRequest: (request: http.IncomingMessage, response: http.ServerResponse) => void;

  constructor(text: string) {
    this.onRequest = (_request, response) => response.end(text);
    this.server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.requests++;
      this.onRequest(request, response);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** A caller with connections that it keeps, and a count of those that were closed on it. */
export class Caller {
  readonly agent: RunningAgent;
  readonly #connections = new CountingAgent(16);

  constructor(agent: RunningAgent) {
    this.agent = agent;
  }

  get closedConnections(): number {
    return this.#connections.closed;
  }

  async get(host: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    const at = formatHostPort(this.agent.addresses.outbound);
    const { body, ...answer } = await ask({ at, host, target: path, headers, agent: this.#connections });
    return { ...answer, text: body };
  }

  /** How often each answer came in so many requests, one after the other. */
  async count(times: number, host: string, path = '/', headers: Record<string, string> = {}) {
    const counts: Record<string, number> = {};
    for (let i = 0; i < times; i++) {
      const { status, text } = await this.get(host, path, headers);
      const key = status === 200 ? text : `${status} ${text}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }

  close(): void {
    this.#connections.destroy();
  }
}

export class Mesh {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  server!: RunningServer;
  readonly #closing: (() => unknown)[] = [];

  async startServer(flags: Record<string, unknown> = {}): Promise<void> {
    const defaults = { http: '127.0.0.1:0', grpc: '127.0.0.1:0', dataDir: join(this.folder, 'data') };
    const loaded = loadServerSettings(settingsSources({ flags: { ...defaults, ...flags } }));
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
    this.server = await startServer(loaded.settings, log);
  }

  /** Ends the server and starts it again on the same ports and data. */
  async restartServer(flags: Record<string, unknown> = {}): Promise<void> {
    const { http, grpc } = this.server;
    await this.server.close();
    await this.startServer({ http, grpc, ...flags });
  }

  async startAgent(flags: Record<string, unknown>): Promise<RunningAgent> {
    const listen = flags.app === undefined ? {} : { inbound: ['127.0.0.1:0'] };
    const defaults = {
      server: this.server.grpc,
      outbound: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      stateDir: join(this.folder, 'state', String(flags.id)),
      ...listen,
    };
    const loaded = loadAgentSettings(settingsSources({ flags: { ...defaults, ...flags } }));
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
    const agent = await startAgent(loaded.settings, { log, clock: systemClock, random: Math.random });
    this.#closing.push(() => agent.close());
    await agent.ready;
    return agent;
  }

  /** An application with its agent, passing; it answers "reviews v1". */
  async startInstance(
    service: string,
    version: string,
    id = `${service}-${version}`,
    text = `${service} ${version}`,
    flags: Record<string, unknown> = {},
  ) {
    const app = new App(text);
    const port = await app.listen();
    this.#closing.push(() => app.close());
    const agent = await this.startAgent({ service, version, id, app: [`127.0.0.1:${port}`], ...flags });
    await this.until(async () => (await this.instance(service, id))?.state === 'passing');
    return { app, agent, port };
  }

  async startCaller(service = 'web', id = `${service}-1`, flags: Record<string, unknown> = {}): Promise<Caller> {
    const caller = new Caller(await this.startAgent({ service, id, ...flags }));
    this.#closing.push(() => caller.close());
    return caller;
  }

  async apply(text: string, query = 'wait=10s', headers: Record<string, string> = {}): Promise<Applied> {
    return this.call('POST', `/apply?${query}`, text, { 'content-type': 'application/yaml', ...headers });
  }

  /** Resolves when the rollout of the revision is complete: what it takes away is gone. */
  async rolledOut(revision: number): Promise<void> {
    const phase = async () =>
      (await this.call<{ readonly phase: string }>('GET', `/revisions/${revision}/rollout`)).body.phase;
    while ((await phase()) !== 'complete') await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** A call of the REST API; the body is parsed. */
  async call<Body>(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<{ readonly status: number; readonly body: Body }> {
    const response = await fetch(`http://${this.server.http}/api/v1${path}`, {
      method,
      // A kept connection would be one to a server that a test has since ended.
      headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as Body };
  }

  async instance(service: string, id: string): Promise<{ readonly state: string } | undefined> {
    const { body } = await this.call<{ items?: { id: string; state: string }[] }>(
      'GET',
      `/services/${service}/instances`,
    );
    return body.items?.find((item) => item.id === id);
  }

  async agent(id: string): Promise<{ state: string; revision: { applied: number }; detail: string; names: string[] }> {
    const { body } = await this.call<{ state: string; revision: { applied: number }; detail: string; names: string[] }>(
      'GET',
      `/agents/${id}`,
    );
    return body;
  }

  /** Agents and clients of a service. */
  async agents(service: string): Promise<readonly { readonly id: string; readonly state: string }[]> {
    const { body } = await this.call<{ items: { id: string; service: string; state: string }[] }>('GET', '/agents');
    return body.items.filter((agent) => agent.service === service);
  }

  /** Asks again until it is so. For what has no event to wait for; the time-out of the test bounds it. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async close(): Promise<void> {
    for (const end of this.#closing.splice(0).reverse()) await end();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function startMesh(flags: Record<string, unknown> = {}): Promise<Mesh> {
  const mesh = new Mesh();
  await mesh.startServer(flags);
  return mesh;
}

/** A Route with one rule. */
export function route(service: string, weights: Record<string, number>, more = ''): string {
  const backends = Object.entries(weights).map(([subset, weight]) => `{ subset: ${subset}, weight: ${weight} }`);
  return `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, rules: [ { name: split, backends: [ ${backends.join(', ')} ] ${more} } ] }
`;
}
