/** As many requests as come through: wrk, whose own CPU time is a few microseconds per request. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes } from '../../../test/support/processes.ts';
import { startBeside } from '../pinned.ts';

export interface Load {
  /** On loopback. */
  readonly port: number;
  /** Sent in turn. */
  readonly requests: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

export interface Saturated {
  readonly requests: number;
  readonly requestsPerSecond: number;
}

export function hasWrk(): boolean {
  return spawnSync('wrk', ['--version']).error === undefined;
}

/** Rejects when a request fails: figures of answers that are errors would look better than they are. */
export async function saturate(processes: Processes, load: Load): Promise<Saturated> {
  const script = join(processes.folder, 'requests.lua');
  // The escapes of JSON are escapes of Lua too, as all of it is ASCII.
  writeFileSync(
    script,
    `local requests = {${load.requests.map((text) => JSON.stringify(text)).join(',')}}
local sent = 0
request = function()
  sent = sent % #requests + 1
  return requests[sent]
end
`,
  );
  const flags = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '-s', script];
  const wrk = startBeside(processes, ['wrk', ...flags, `http://127.0.0.1:${load.port}/`], 'wrk');
  await wrk.ended;
  const [, requests, seconds, unit = 's'] = /(\d+) requests in ([\d.]+)(m?s)/.exec(wrk.stdout) ?? [];
  const faults = /Socket errors: .*|Non-2xx .*/g.exec(wrk.stdout)?.[0];
  if (requests === undefined || faults !== undefined) throw new Error(`wrk: ${faults ?? wrk.stdout}${wrk.stderr}`);
  const duration = unit === 'ms' ? Number(seconds) / 1000 : Number(seconds);
  return { requests: Number(requests), requestsPerSecond: Number(requests) / duration };
}
