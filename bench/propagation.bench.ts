/**
 * How long from `apply` until every agent routes by it? Beside it, in the same run: a plain grpc-js server that writes
 * the same bytes to as many streams, which no control plane on grpc-js can undercut.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from './support/child.ts';
import { median, percentile, printTable } from './support/figures.ts';

const sizes = (process.env.SLUICE_BENCH_AGENTS ?? '1,100,1000').split(',').map(Number);
const rounds = Number(process.env.SLUICE_BENCH_ROUNDS ?? 15);
const support = (name: string) => join(import.meta.dirname, 'support', name);

const route = (weight: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: v2, weight: 7 } ] } ] }
`;

interface Round {
  readonly restMs: number;
  readonly times: readonly number[];
  readonly bytes: readonly string[];
  readonly answer: { readonly rollout?: { readonly applied: number; readonly agents: number } };
}

async function measure(agents: number): Promise<Record<string, string>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const server = await startChild(support('server.ts'), [dataDir]);
  const url = `http://${server.ready.http}/api/v1/apply?wait=30s`;
  await fetch(url, { method: 'POST', body: route(1), headers: { 'content-type': 'application/yaml' } });
  const before = server.rssBytes();
  const swarm = await startChild(support('swarm.ts'), [String(server.ready.grpc), String(agents), 'reviews.default']);
  const perStream = (server.rssBytes() - before) / agents;
  const own: Round[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    own.push((await swarm.ask({ url, document: route(round + 2) })) as unknown as Round);
  }
  const counted = own.slice(3);
  for (const { answer } of counted) {
    if (answer.rollout?.applied !== agents) throw new Error(`not all applied: ${JSON.stringify(answer.rollout)}`);
  }
  await swarm.end();
  await server.end();
  rmSync(dataDir, { recursive: true, force: true });
  const floor = await measureFloor(agents, own.at(-1)?.bytes ?? []);
  const all = counted.map(({ restMs }) => restMs);
  const each = counted.flatMap(({ times }) => times);
  return {
    agents: String(agents),
    'apply to mark p50': `${percentile(each, 50).toFixed(1)} ms`,
    p99: `${percentile(each, 99).toFixed(1)} ms`,
    'apply --wait p50': `${median(all).toFixed(1)} ms`,
    max: `${Math.max(...all).toFixed(1)} ms`,
    'plain broadcast p50': `${floor.toFixed(1)} ms`,
    ratio: (median(all) / floor).toFixed(2),
    'memory per stream': `${(perStream / 1024).toFixed(0)} KB`,
  };
}

async function measureFloor(agents: number, messages: readonly string[]): Promise<number> {
  const server: Child = await startChild(support('broadcast-server.ts'));
  const swarm = await startChild(support('swarm.ts'), [String(server.ready.grpc), String(agents), '', 'floor']);
  const times: number[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    const { ms } = await server.ask({ messages });
    times.push(Number(ms));
  }
  await swarm.end();
  await server.end();
  return median(times.slice(3));
}

const rows = [];
for (const agents of sizes) rows.push(await measure(agents));
printTable('apply until all agents have applied it', rows);
