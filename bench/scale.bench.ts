/**
 * What does a large mesh cost a server: how long does it take to start with it, and does the change of one instance, or of one
 * rule, cost more than in a small one?
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from './support/child.ts';
import { median, printTable } from './support/figures.ts';

const sizes = (process.env.SLUICE_BENCH_SERVICES ?? '100,1000,10000').split(',').map(Number);
const instances = 5;
const agents = 20;
const changes = 200;
const rounds = 5;

const documents = (service: number, weight = 1) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: service-${service} }
spec: { service: service-${service}, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: v2, weight: 7 } ] } ] }
`;

async function call(url: string, method: string, body: string, type: string): Promise<void> {
  const answer = await fetch(url, { method, body, headers: { 'content-type': type } });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

const apply = (api: string, body: string) => call(`${api}/apply`, 'POST', body, 'application/yaml');

function putInstance(api: string, service: number, instance: number, weight = 1): Promise<void> {
  const address = `10.${service >> 8}.${service & 255}.${instance + 1}`;
  const labels = { version: instance % 2 === 0 ? 'v1' : 'v2' };
  const body = JSON.stringify({ address, port: 80, ttl: '1h', weight, labels });
  return call(`${api}/services/service-${service}/instances/i${instance}`, 'PUT', body, 'application/json');
}

async function populate(api: string, services: number): Promise<void> {
  const all = Array.from({ length: services }, (_, index) => index);
  for (let from = 0; from < services; from += 500) {
    const some = all.slice(from, from + 500);
    await apply(api, some.map((service) => documents(service)).join('---'));
    for (let instance = 0; instance < instances; instance++) {
      for (let at = 0; at < some.length; at += 50) {
        await Promise.all(some.slice(at, at + 50).map((service) => putInstance(api, service, instance)));
      }
    }
  }
}

/** CPU time of the server for one call, in milliseconds: the median of the rounds. */
async function cpuOf(server: Child, act: (turn: number) => Promise<void>): Promise<number> {
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = server.cpuMs();
    for (let turn = 0; turn < changes; turn++) await act(turn);
    costs.push((server.cpuMs() - before) / changes);
  }
  return median(costs);
}

async function measure(services: number) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const first = await startChild('server', [folder]);
  await populate(`http://${first.ready.http}/api/v1`, services);
  await first.end();
  const startedMs = performance.now();
  const server = await startChild('server', [folder]);
  const readyMs = performance.now() - startedMs;
  const api = `http://${server.ready.http}/api/v1`;
  const names = Array.from({ length: 40 }, (_, index) => `service-${index}.default`).join();
  const swarm = await startChild('swarm', [String(server.ready.grpc), String(agents), names, 'agents']);
  const instanceMs = await cpuOf(server, (turn) => putInstance(api, 0, 0, 1 + (turn % 2)));
  const ruleMs = await cpuOf(server, (turn) => apply(api, documents(0, 2 + (turn % 2))));
  const rss = server.rssBytes();
  await swarm.end();
  await server.end();
  rmSync(folder, { recursive: true, force: true });
  return { services, readyMs, instanceMs, ruleMs, rss };
}

const measured = [];
for (const services of sizes) measured.push(await measure(services));
const [base] = measured;
printTable(
  `a server with ${instances} instances a service, a Route for each, and ${agents} agents of 20 services`,
  measured.map(({ services, readyMs, instanceMs, ruleMs, rss }) => ({
    services: String(services),
    'start until it serves': `${(readyMs / 1_000).toFixed(1)} s`,
    'CPU of an instance change': `${instanceMs.toFixed(2)} ms`,
    'to the first': (instanceMs / (base?.instanceMs ?? 1)).toFixed(2),
    'CPU of a rule change': `${ruleMs.toFixed(2)} ms`,
    'to the first ': (ruleMs / (base?.ruleMs ?? 1)).toFixed(2),
    memory: `${(rss / 1024 / 1024).toFixed(0)} MB`,
  })),
);
