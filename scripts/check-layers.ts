/**
 * `npm run check:layers`: fails on an import cycle and on every arrow that scripts/layers/table.ts does not allow.
 * Looks at this project, or at the folder that it is given. `--unused` lists the values that nobody imports instead.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findFaults, findUnusedExports } from './layers/check.ts';
import { readSources } from './layers/sources.ts';

const { values, positionals } = parseArgs({ options: { unused: { type: 'boolean' } }, allowPositionals: true });
const sources = readSources(positionals[0] ?? join(import.meta.dirname, '..'));
const faults = values.unused ? findUnusedExports(sources) : findFaults(sources);
for (const { file, line, message } of faults) process.stderr.write(`${file}:${line}: ${message}\n`);
process.stdout.write(`${faults.length === 1 ? '1 fault' : `${faults.length} faults`} in ${sources.size} files\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
