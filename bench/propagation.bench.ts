/**
 * How long from `apply` until every client has, and has acknowledged, what it changes? Beside it, in the same run: a plain
 * grpc-js server that writes the same bytes to as many streams, which no control plane on grpc-js can undercut.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { typeUrls } from '../proto/type-urls.ts';
import { type Child, startChild } from './support/child.ts';
import { median, percentile, printTable } from './support/figures.ts';

const rounds = Number(process.env.SLUICE_BENCH_ROUNDS ?? 15);
const warmUps = 3;
const settleSeconds = 4;

/** Own agents subscribe on demand, 20 services each; the others to everything. */
type Clients = 'agents' | 'delta' | 'sotw';

interface Case {
  readonly clients: Clients;
  readonly streams: number;
  readonly services: number;
}

const isClients = (text: string | undefined): text is Clients => ['agents', 'delta', 'sotw'].includes(text ?? '');

/** `agents:1000x100` is 1,000 streams and 100 services. */
function parseCase(text: string): Case {
  const [, clients, streams, services] = /^(\w+):(\d+)x(\d+)$/.exec(text) ?? [];
  if (!isClients(clients)) throw new Error(`"${text}" is no case such as delta:1000x1000`);
  return { clients, streams: Number(streams), services: Number(services) };
}

const usual = 'agents:1x20,agents:100x100,agents:1000x100,delta:1000x100,delta:1000x1000';
const full = `${usual},sotw:1000x100,sotw:1000x1000,agents:5000x100,agents:10000x100,delta:5000x100,delta:10000x100`;
const cases = (process.env.SLUICE_BENCH_CASES ?? (process.env.SLUICE_BENCH_FULL === '1' ? full : usual))
  .split(',')
  .map(parseCase);

const nameOf = (index: number) => `service-${index}`;

const route = (service: string, weight: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: v2, weight: 7 } ] } ] }
`;

interface Round {
  readonly restMs: number;
  readonly times: readonly number[];
  readonly bytes: readonly string[];
  readonly bytesPerClient: number;
  readonly answer: { readonly rollout?: { readonly applied: number; readonly agents: number } };
}

async function measure({ clients, streams, services }: Case): Promise<Record<string, string>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const server = await startChild('server', [dataDir]);
  const names = Array.from({ length: services }, (_, index) => nameOf(index));
  const url = `http://${server.ready.http}/api/v1/apply?wait=30s`;
  for (let from = 0; from < services; from += 500) {
    const body = names
      .slice(from, from + 500)
      .map((name) => route(name, 1))
      .join('---');
    const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/yaml' } });
    if (!answer.ok) throw new Error(await answer.text());
  }
  await server.ask({});
  const before = server.rssBytes();
  const keys = names.map((name) => `${name}.default`).join();
  const swarm = await startChild('swarm', [String(server.ready.grpc), String(streams), keys, clients]);
  const completeMs = Number(swarm.ready.ms);
  // What the rush left behind goes back to the system within some seconds.
  for (let second = 0; second < settleSeconds; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await server.ask({});
  }
  const perStream = (server.rssBytes() - before) / streams;
  const own: Round[] = [];
  let cpuMs = server.cpuMs();
  for (let round = 0; round < rounds + warmUps; round++) {
    if (round === warmUps) cpuMs = server.cpuMs();
    own.push((await swarm.ask({ url, document: route(nameOf(0), round + 2) })) as unknown as Round);
  }
  const cpuPerRound = (server.cpuMs() - cpuMs) / rounds;
  const counted = own.slice(warmUps);
  for (const { answer } of counted) {
    if (answer.rollout?.applied !== streams) throw new Error(`not all applied: ${JSON.stringify(answer.rollout)}`);
  }
  await swarm.end();
  await server.end();
  rmSync(dataDir, { recursive: true, force: true });
  const floor = await measureFloor(streams, clients, own.at(-1)?.bytes ?? []);
  const all = counted.map(({ restMs }) => restMs);
  const each = counted.flatMap(({ times }) => times);
  return {
    clients,
    streams: String(streams),
    services: String(services),
    'all complete after': `${(completeMs / 1_000).toFixed(1)} s`,
    'apply to client p50': `${percentile(each, 50).toFixed(1)} ms`,
    p99: `${percentile(each, 99).toFixed(1)} ms`,
    'all applied p50': `${median(all).toFixed(1)} ms`,
    max: `${Math.max(...all).toFixed(1)} ms`,
    'plain broadcast p50': `${floor.ms.toFixed(1)} ms`,
    ratio: (median(all) / floor.ms).toFixed(2),
    'CPU of server': `${cpuPerRound.toFixed(0)} ms`,
    'of plain broadcast': `${floor.cpuMs.toFixed(0)} ms`,
    'bytes per stream': (median(counted.map(({ bytesPerClient }) => bytesPerClient)) | 0).toString(),
    'memory per stream': `${(perStream / 1024).toFixed(0)} KB`,
  };
}

async function measureFloor(
  streams: number,
  clients: Clients,
  messages: readonly string[],
): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const server: Child = await startChild('broadcast-server');
  const last = clients === 'agents' ? typeUrls.mark : typeUrls.routeConfiguration;
  const swarm = await startChild('swarm', [String(server.ready.grpc), String(streams), '', 'floor', last]);
  const times: number[] = [];
  let cpuMs = 0;
  for (let round = 0; round < rounds + warmUps; round++) {
    if (round === warmUps) cpuMs = server.cpuMs();
    const { ms } = await server.ask({ messages });
    times.push(Number(ms));
  }
  const cpuPerRound = (server.cpuMs() - cpuMs) / rounds;
  await swarm.end();
  await server.end();
  return { ms: median(times.slice(warmUps)), cpuMs: cpuPerRound };
}

const rows = [];
for (const each of cases) {
  rows.push(await measure(each));
  printTable('apply until all clients have applied it', rows.slice(-1));
}
printTable('apply until all clients have applied it', rows);
