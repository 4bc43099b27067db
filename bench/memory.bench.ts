/** How much memory do a server with 1,000 services and 1,000 agents, an idle agent, and one with 1,000 services take? */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from './support/child.ts';
import { printTable } from './support/figures.ts';

const services = Number(process.env.SLUICE_BENCH_SERVICES ?? 1_000);
const agents = Number(process.env.SLUICE_BENCH_STREAMS ?? 1_000);
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const rows: Record<string, string>[] = [];

/** After a garbage collection, so that what counts is what is kept. */
async function note(what: string, child: Child): Promise<number> {
  for (let round = 0; round < 3; round++) await child.ask({ collect: true });
  const bytes = child.rssBytes();
  rows.push({ what, 'resident memory': `${(bytes / 1024 / 1024).toFixed(0)} MB` });
  return bytes;
}

async function put(url: string, service: number, instance: number): Promise<void> {
  const body = JSON.stringify({ address: `10.${service >> 8}.${service & 255}.${instance}`, port: 80, ttl: '1h' });
  await fetch(`${url}/services/service-${service}/instances/i${instance}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body,
  });
}

const server = await startChild('server', [join(folder, 'data')]);
const url = `http://${server.ready.http}/api/v1`;
const grpc = String(server.ready.grpc);
await note('server, empty', server);
for (let service = 0; service < services; service++) await Promise.all([1, 2].map((id) => put(url, service, id)));
const before = await note(`server, ${services} services with 2 instances each`, server);
const names = Array.from({ length: 20 }, (_, index) => `service-${index}.default`).join();
const swarm = await startChild('swarm', [grpc, String(agents), names]);
const after = await note(`the same with ${agents} agents that hold 20 services each`, server);
rows.push({
  what: 'that is, per agent stream',
  'resident memory': `${((after - before) / agents / 1024).toFixed(0)} KB`,
});
await swarm.end();
for (const count of [0, services]) {
  const agent = await startChild('agent', [grpc, join(folder, `agent-${count}`), String(count)]);
  await note(count === 0 ? 'agent, idle' : `agent, ${count} known services, each with a local port`, agent);
  await agent.end();
}
await server.end();
rmSync(folder, { recursive: true, force: true });
printTable('resident memory after garbage collection', rows);
