/** As much of curl as the pages of this project use, so that their commands run where curl is not installed. */
import { request } from 'node:http';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { silent: { type: 'boolean', short: 's' }, header: { type: 'string', short: 'H', multiple: true } },
});
const headers = Object.fromEntries((values.header ?? []).map((line) => line.split(/:\s*/, 2)));
const sent = request(positionals[0] ?? '', { headers }, (response) => response.pipe(process.stdout));
sent.once('error', () => {
  process.exitCode = 7;
});
sent.end();
