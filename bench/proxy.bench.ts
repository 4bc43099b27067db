/**
 * Question: what does it cost to forward a request, beside HAProxy, nginx, Envoy and a plain node:http forwarder? Each is
 * bound to one core, has the same backends and the same 90/10 split, and is measured in the same run.
 */
import { Processes } from '../test/support/processes.ts';
import { startBackends } from './proxy/backends.ts';
import { hasWrk } from './proxy/load/saturate.ts';
import type { Effort } from './proxy/measure.ts';
import { envoy } from './proxy/peers/envoy.ts';
import { haproxy } from './proxy/peers/haproxy.ts';
import { nginx } from './proxy/peers/nginx.ts';
import { nodeHttp } from './proxy/peers/node-http.ts';
import type { Peer } from './proxy/peers/peer.ts';
import { sluice, sluiceWithWorkers } from './proxy/peers/sluice.ts';
import { takeCores } from './proxy/pinned.ts';
import { bodyScenarios } from './proxy/scenarios/bodies.ts';
import { idleScenarios } from './proxy/scenarios/idle.ts';
import { requestScenarios } from './proxy/scenarios/requests.ts';
import type { Outcome, Scenario } from './proxy/scenarios/scenario.ts';
import { summaryOf } from './proxy/table.ts';
import { printTable } from './support/figures.ts';

const allPeers: readonly Peer[] = [sluice, haproxy, nginx, envoy, nodeHttp];
/** Only when named. */
const morePeers: readonly Peer[] = [sluiceWithWorkers];
const allScenarios: readonly Scenario[] = [...requestScenarios, ...bodyScenarios, ...idleScenarios];
const isFull = process.env.SLUICE_BENCH_FULL === '1';
const effort: Effort = isFull
  ? { rounds: 5, seconds: 3, warmUpSeconds: 4, idleSeconds: 30 }
  : { rounds: 3, seconds: 2, warmUpSeconds: 3, idleSeconds: 10 };
const wantedScenarios = namesOf('SLUICE_BENCH_SCENARIOS') ?? (isFull ? undefined : ['get-100', 'routes-1000']);
const wantedPeers = namesOf('SLUICE_BENCH_PEERS');

function namesOf(variable: string): string[] | undefined {
  return process.env[variable]?.toLowerCase().split(',');
}

function isWanted(name: string, wanted: readonly string[] | undefined): boolean {
  return wanted?.includes(name.toLowerCase()) ?? true;
}

if (!hasWrk()) throw new Error('the load is made by wrk: bench/proxy/install-peers.sh installs it');
const processes = new Processes();
// What it has started ends with it, whatever ends it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void processes.close().finally(() => process.exit(130)));
}
await takeCores();

const peers = [
  ...allPeers.filter(({ name }) => isWanted(name, wantedPeers)),
  ...morePeers.filter(({ name }) => isWanted(name, wantedPeers ?? [])),
];
const installed = peers.filter((peer) => peer.version() !== undefined);
for (const peer of peers) process.stdout.write(`${peer.name}: ${peer.version() ?? 'missing, not measured'}\n`);

const outcomes: { scenario: Scenario; outcome: Outcome }[] = [];
try {
  const { split } = await startBackends(processes);
  for (const scenario of allScenarios.filter(({ name }) => isWanted(name, wantedScenarios))) {
    const outcome = await scenario.run(installed, { processes, split, effort });
    printTable(`\`${scenario.name}\`: ${scenario.what}`, outcome.rows);
    outcomes.push({ scenario, outcome });
  }
  printTable('how many times the CPU time of others ours is', summaryOf(outcomes));
} finally {
  await processes.close();
}
