/** Random rule changes under a heavy load, with real processes, which the tests and the soak share. */
import { join } from 'node:path';
import { expect } from 'chai';
import { seededRandom } from '../../unit/routing/resources.ts';
import { type AgentProcess, type Processes, type ServerProcess, startAgent, startServer, top } from '../processes.ts';
import { Load } from './load.ts';
import { firstRules, randomChange } from './random-change.ts';
import {
  concernsCallers,
  type Instance,
  policyDocument,
  policyName,
  type Rules,
  routeDocument,
  serviceDocument,
} from './rules.ts';
import { judge } from './verdict.ts';

export interface RuleChanges {
  readonly changes: number;
  readonly everyMs: number;
  readonly requestsPerSecond: number;
}

/** The first stands behind an agent. */
const instances: readonly Instance[] = [
  { id: 'reviews-1', labels: { version: 'v1', track: 'stable' } },
  { id: 'reviews-2', labels: { version: 'v1', track: 'stable' } },
  { id: 'reviews-3', labels: { version: 'v2', track: 'next' } },
  { id: 'reviews-4', labels: { version: 'v2', track: 'stable' } },
  { id: 'reviews-5', labels: { version: 'v3', track: 'next' } },
];

const ids = instances.map(({ id }) => id);

/** Answers with the rate that was reached, in requests per second. */
export async function changeRulesUnderLoad(processes: Processes, options: RuleChanges): Promise<number> {
  const { changes, everyMs, requestsPerSecond } = options;
  const seed = Number(process.env.SLUICE_RULES_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = seededRandom(seed);
  const mesh = await Mesh.start(processes);
  // A slow machine takes longer for its changes: then there are more requests.
  const requests = Math.ceil((requestsPerSecond * (changes * everyMs + 60_000)) / 1_000);
  const load = new Load({ port: mesh.port, connections: 64, requestsPerSecond, requests, instances: ids });
  try {
    let rules = firstRules;
    const inForce = [{ revision: await mesh.begin(rules), rules }];
    load.knownRevision = inForce[0]?.revision ?? 0;
    await load.start();
    const beganMs = performance.now();
    for (let number = 0; number < changes; number++) {
      await untilMs(beganMs + number * everyMs);
      const next = randomChange(rules, 2 + number, random);
      const revision = await mesh.apply(rules, next);
      if (concernsCallers(rules, next)) load.knownRevision = revision;
      rules = next;
      inForce.push({ revision, rules });
    }
    await untilMs(beganMs + changes * everyMs);
    const { rate } = load;
    await load.stop();
    const verdict = await mesh.withLogOf(load.sent, (file) => judge({ file, load, instances, inForce }));
    const { splitRequests, splitsLookedAt, worst, faults } = verdict;
    console.log(
      `      ${load.answered} requests, ${Math.round(rate)}/s; ${inForce.length - 1} revisions; splits of ${splitRequests} requests, ` +
        `looked at ${splitsLookedAt} times: off by ${worst.toFixed(3)} at most (seed ${seed})`,
    );
    expect({ failures: load.failures, closed: load.closedConnections, faults }, `seed ${seed}`).to.deep.equal({
      failures: [],
      closed: 0,
      faults: [],
    });
    expect(new Set(inForce.map(({ revision }) => revision)).size).to.equal(changes + 1);
    expect(splitRequests).to.be.greaterThan(load.answered / 3);
    return rate;
  } finally {
    load.close();
  }
}

class Mesh {
  readonly #server: ServerProcess;
  readonly #web: AgentProcess;
  readonly #log: string;

  private constructor(server: ServerProcess, web: AgentProcess, log: string) {
    this.#server = server;
    this.#web = web;
    this.#log = log;
  }

  static async start(processes: Processes): Promise<Mesh> {
    const server = await startServer(processes);
    const program = join(top, 'test/support/rule-changes/instances.mjs');
    const started = processes.start([process.execPath, program, ...ids], { name: 'instances' });
    const [text] = await started.says(/^\{.*\}\n/);
    const ports = new Map(Object.entries(JSON.parse(text) as Record<string, number>));
    const log = join(processes.folder, 'web.jsonl');
    const web = await startAgent(processes, {
      server,
      args: ['--service', 'web', '--id', 'web-1', '--upstream', 'reviews=127.0.0.1:0', '--access-log', log],
    });
    const mesh = new Mesh(server, web, log);
    for (const [place, { id, labels }] of instances.entries()) {
      const port = ports.get(id) ?? 0;
      if (place > 0) await mesh.#register(id, port, labels);
      else {
        const given = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
        const args = ['--service', 'reviews', '--id', id, ...given, '--app', `127.0.0.1:${port}`];
        await startAgent(processes, { server, args });
      }
    }
    return mesh;
  }

  /** Where applications send their requests. */
  get port(): number {
    return portOf(this.#web.outbound);
  }

  /** The first rules; answers with their revision, when requests find their way by them. */
  async begin(rules: Rules): Promise<number> {
    const documents = [serviceDocument(rules), ...(rules.route === undefined ? [] : [routeDocument(rules.route)])];
    return await this.#revise('POST', '/apply', documents);
  }

  /** Answers with the revision, when all agents use it. */
  async apply(before: Rules, rules: Rules): Promise<number> {
    if (rules.route === undefined && before.route !== undefined)
      return await this.#revise('DELETE', '/routes/reviews', []);
    const deleted = Object.keys(before.policies).find((subset) => rules.policies[subset] === undefined);
    if (deleted !== undefined) return await this.#revise('DELETE', `/trafficpolicies/${policyName(deleted)}`, []);
    const policies = Object.entries(rules.policies).map(([subset, policy]) => policyDocument(subset, policy));
    const route = rules.route === undefined ? [] : [routeDocument(rules.route)];
    return await this.#revise('POST', '/apply', [serviceDocument(rules), ...route, ...policies]);
  }

  /** The access log, when it has so many lines: they are written a little after the requests. */
  async withLogOf<Result>(lines: number, use: (file: string) => Promise<Result>): Promise<Result> {
    const endMs = performance.now() + 20_000;
    while (performance.now() < endMs && (await this.#linesWritten()) < lines) await untilMs(performance.now() + 50);
    return await use(this.#log);
  }

  async #linesWritten(): Promise<number> {
    const metrics = await (await fetch(`http://${this.#web.admin}/metrics`)).text();
    return Number(/^sluice_agent_access_log_lines_total (\d+)/m.exec(metrics)?.[1] ?? 0);
  }

  async #register(id: string, port: number, labels: Readonly<Record<string, string>>): Promise<void> {
    await this.#call('PUT', `/services/reviews/instances/${id}`, { address: '127.0.0.1', port, labels, ttl: '1h' });
  }

  async #revise(method: string, path: string, documents: readonly unknown[]): Promise<number> {
    const body = documents.map((document) => JSON.stringify(document)).join('\n---\n');
    const { revision, rollout } = await this.#call(method, `${path}?wait=20s`, body);
    expect([...rollout.pending, ...rollout.rejected], body).to.deep.equal([]);
    return revision;
  }

  async #call(method: string, path: string, body: unknown): Promise<Applied> {
    const isText = typeof body === 'string';
    const response = await fetch(`${this.#server.api}/api/v1${path}`, {
      method,
      headers: { 'content-type': isText ? 'application/yaml' : 'application/json' },
      ...(method !== 'DELETE' && { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}\n${body}`);
    return JSON.parse(text) as Applied;
  }
}

interface Applied {
  readonly revision: number;
  readonly rollout: { readonly pending: readonly unknown[]; readonly rejected: readonly unknown[] };
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

async function untilMs(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - performance.now())));
}
