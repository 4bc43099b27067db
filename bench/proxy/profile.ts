/**
 * Where our agent spends its time and its garbage in one scenario: the 25 functions with the most CPU time of their own,
 * then those that allocate the most, each per request.
 *
 *     npx tsx bench/proxy/profile.ts [scenario, get-100 unless given]
 *
 * The profiles themselves stay in a temporary folder, for Chrome's developer tools.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Processes } from '../../test/support/processes.ts';
import { startBackends } from './backends.ts';
import { saturate } from './load/saturate.ts';
import { createSluice } from './peers/sluice.ts';
import { takeCores } from './pinned.ts';
import { type RequestLoad, requestLoads } from './scenarios/shapes.ts';
import { allocationCosts, cpuCosts, type SelfCost } from './self-cost.ts';

const seconds = 5;
const warmUpSeconds = 4;
const connections = 32;
const shown = 25;

interface Kind {
  readonly name: 'cpu' | 'allocations';
  readonly unit: string;
  readonly costs: (profile: unknown) => SelfCost[];
}

const kinds: readonly Kind[] = [
  { name: 'cpu', unit: 'µs', costs: cpuCosts },
  { name: 'allocations', unit: 'bytes', costs: allocationCosts },
];

const [wanted = 'get-100'] = process.argv.slice(2);
const scenario = requestLoads.find(({ name }) => name === wanted);
if (scenario === undefined) throw new Error(`scenarios are ${requestLoads.map(({ name }) => name).join(', ')}`);
const processes = new Processes();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void processes.close().finally(() => process.exit(130)));
}
await takeCores();
const folder = mkdtempSync(join(tmpdir(), 'sluice-profile-'));
for (const kind of kinds) await profile(scenario, kind);
process.stdout.write(`\nprofiles: ${folder}\n`);

async function profile(scenario: RequestLoad, kind: Kind): Promise<void> {
  const into = join(folder, kind.name);
  mkdirSync(into);
  try {
    const { split } = await startBackends(processes);
    const profiler = pathToFileURL(join(import.meta.dirname, 'programs/profiler.mjs')).href;
    const environment = { NODE_OPTIONS: `--import=${profiler}`, PROFILE_KIND: kind.name, PROFILE_FOLDER: into };
    const { port, measured } = await createSluice({ environment }).start({ processes, split, routes: scenario.routes });
    const load = { port, requests: scenario.requests, connections };
    await saturate(processes, { ...load, seconds: warmUpSeconds });
    const signal = () => measured.forEach(({ pid }) => void process.kill(-pid, 'SIGUSR2'));
    signal();
    await sleep(200);
    const { requests } = await saturate(processes, { ...load, seconds });
    signal();
    for (const { pid } of measured) await untilWritten(join(into, `${pid}.json`));
    for (const file of readdirSync(into)) {
      const costs = kind.costs(JSON.parse(readFileSync(join(into, file), 'utf8')));
      print(`${kind.name} of ${file}, ${scenario.name}, ${requests} requests`, costs, { requests, unit: kind.unit });
    }
  } finally {
    await processes.close();
  }
}

function print(
  title: string,
  costs: readonly SelfCost[],
  { requests, unit }: { requests: number; unit: string },
): void {
  const sum = costs.reduce((total, { cost }) => total + cost, 0);
  const lines = costs.slice(0, shown).map(({ place, cost }) => {
    const share = `${((cost / sum) * 100).toFixed(1)} %`.padStart(7);
    return `${share} ${(cost / requests).toFixed(2).padStart(9)} ${unit}  ${place}`;
  });
  const total = `${(sum / requests).toFixed(1)} ${unit} per request`;
  process.stdout.write([`\n${title}: ${total}`, ...lines, ''].join('\n'));
}

async function untilWritten(file: string): Promise<void> {
  for (let attempt = 0; !existsSync(file); attempt++) {
    if (attempt > 200) throw new Error(`${file} was not written`);
    await sleep(50);
  }
}
