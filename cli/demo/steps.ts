/** What the demo shows: four rule files, each applied under traffic, its split counted and held against the wanted one. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { changedAnswer } from '../../dashboard-api/answers.ts';
import { formatProblem } from '../../model/problem.ts';
import type { ApiClient } from '../api-client.ts';
import { isComplete } from '../change.ts';
import type { Context } from '../context.ts';
import { count, paint } from '../render.ts';
import type { Counts, Traffic } from './traffic.ts';

interface Measurement {
  readonly who: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Percent by version. */
  readonly wanted: Counts;
}

export interface Step {
  readonly title: string;
  readonly file: string;
  readonly measurements: readonly Measurement[];
}

const everybody = (wanted: Counts): Measurement => ({ who: 'everybody', headers: {}, wanted });

export const steps: readonly Step[] = [
  { title: '10 % of the requests to v2', file: '01-90-10.yaml', measurements: [everybody({ v1: 90, v2: 10 })] },
  {
    title: 'beta users to v2, 10 % of the others',
    file: '02-beta-users.yaml',
    measurements: [
      { who: 'x-beta: 1', headers: { 'x-beta': '1' }, wanted: { v2: 100 } },
      { who: 'the others', headers: {}, wanted: { v1: 90, v2: 10 } },
    ],
  },
  { title: 'half and half', file: '03-50-50.yaml', measurements: [everybody({ v1: 50, v2: 50 })] },
  { title: 'everything to v2', file: '04-v2.yaml', measurements: [everybody({ v2: 100 })] },
];

/** Requests per measurement: a multiple of every split's period, so that the exact count is known. */
const measured = 200;
/** From the exact share, per agent: what the split promises. */
const tolerance = 1;

/** Whether it went as promised: applied everywhere, split exactly, no request failed. */
export async function showStep(step: Step, client: ApiClient, traffic: Traffic, context: Context): Promise<boolean> {
  const { out, clock } = context;
  const say = (text: string): void => out.write(`${text}\n`);
  const path = join(canaryFolder(), step.file);
  say(`\n${paint(out, 'bold', step.title)}   ${paint(out, 'dim', relative(process.cwd(), path))}`);

  const failedBefore = traffic.failed;
  const files = [{ name: step.file, text: await readFile(path, 'utf8') }];
  const query = { wait: '10s', message: step.title };
  const startedMs = clock();
  const { value } = await client.ask({
    method: 'POST',
    path: '/api/v1/apply',
    query,
    body: { files },
    answer: changedAnswer,
  });
  const tookMs = Math.round(clock() - startedMs);
  const { rollout, revision } = value;
  let isGood = rollout !== null && isComplete(rollout);
  say(`  revision ${revision} applied on ${count(rollout?.applied ?? 0, 'agent')} in ${tookMs} ms`);
  for (const { message, path } of value.warnings) say(`  warning: ${formatProblem({ path, message })}`);
  for (const { id, reason } of [...(rollout?.pending ?? []), ...(rollout?.rejected ?? [])])
    say(`  not on ${id}: ${reason}`);

  for (const { who, headers, wanted } of step.measurements) {
    const counts = await traffic.measure(measured, headers);
    const isExact = isClose(counts, wanted);
    const mark = isExact ? paint(out, 'green', 'exact') : paint(out, 'red', 'off');
    say(`  ${who.padEnd(10)}  wanted ${shares(wanted, measured / 100)}   measured ${shares(counts, 1)}   ${mark}`);
    isGood &&= isExact;
  }
  const failed = traffic.failed - failedBefore;
  const failedText = failed === 0 ? '0' : paint(out, 'red', `${failed} (${traffic.firstFailure})`);
  say(`  failed requests: ${failedText}`);
  return isGood && failed === 0;
}

export function isClose(counts: Counts, wanted: Counts): boolean {
  const versions = new Set([...Object.keys(counts), ...Object.keys(wanted)]);
  return [...versions].every((version) => {
    const exact = ((wanted[version] ?? 0) * measured) / 100;
    return Math.abs((counts[version] ?? 0) - exact) <= tolerance;
  });
}

/** `v1 180, v2 20`. */
export function shares(counts: Counts, factor: number): string {
  const sorted = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([version, number]) => `${version} ${number * factor}`).join(', ') || 'nothing';
}

/** Beside the sources, beside what is compiled of them, or in the checkout around `dist`. */
export function canaryFolder(): string {
  const candidates = ['../../examples/canary', '../../../examples/canary'].map((path) =>
    join(import.meta.dirname, path),
  );
  return candidates.find((path) => existsSync(join(path, steps[0]?.file ?? ''))) ?? candidates[0] ?? '';
}
