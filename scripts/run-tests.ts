/**
 * All tests, in two runs of mocha: those that need nothing but a core, two files at a time; then those that start processes, measure
 * or ask for the whole machine, one file after the other. The last line adds up both. Arguments go to mocha: `npm test -- --grep NACK`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  readonly passes: number;
  readonly failures: number;
  readonly pending: number;
}

const top = join(import.meta.dirname, '..');
const mocha = join(top, 'node_modules/mocha/bin/mocha.js');
const runs = [
  ['--parallel', '--jobs', '2', 'test/{unit,contract,golden}/**/*.test.ts'],
  ['--ignore', 'test/{unit,contract,golden}/**', 'test/**/*.test.ts'],
];

const folder = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
try {
  // The second run tells its own story, whatever the first one found.
  const results = runs.map((args, index) => run(args, join(folder, `${index}.json`)));
  const sum = (of: keyof Counts) => results.reduce((total, { counts }) => total + counts[of], 0);
  const skipped = sum('pending') > 0 ? `, ${sum('pending')} skipped` : '';
  process.stdout.write(`${sum('passes')} passed, ${sum('failures')} failed${skipped}\n`);
  process.exitCode = results.find(({ code }) => code !== 0)?.code ?? 0;
} finally {
  rmSync(folder, { recursive: true });
}

/** `file`: where the reporter leaves its counts. A run that ends without has to be seen as one that failed. */
function run(args: readonly string[], file: string): { readonly code: number; readonly counts: Counts } {
  const report = ['--reporter-option', `counts=${file}`];
  const command = [mocha, ...report, ...args, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, command, { cwd: top, stdio: 'inherit' });
  return { code: status ?? 1, counts: readCounts(file) };
}

function readCounts(file: string): Counts {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passes: 0, failures: 1, pending: 0 };
  }
}
