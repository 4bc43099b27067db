/**
 * What all proxies forward to: two servers of one nginx, v1 and v2, which answer `/100` and `/10k` with so many bytes and
 * take whatever body comes. Each says which it is in a header, so that the split can be counted.
 */
import { findFreePorts, type Processes } from '../../test/support/processes.ts';
import type { TestProcess } from '../../test/support/test-process.ts';
import { nginxCommand, nginxVersion } from './peers/nginx.ts';
import type { Share } from './peers/peer.ts';
import { startBeside } from './pinned.ts';
import { waitUntilAnswering } from './ready.ts';

export interface Backends {
  /** 90 parts to v1, 10 to v2. */
  readonly split: readonly Share[];
  readonly process: TestProcess;
}

export async function startBackends(processes: Processes): Promise<Backends> {
  if (nginxVersion() === undefined)
    throw new Error('the backends are an nginx: bench/proxy/install-peers.sh installs it');
  const [v1 = 0, v2 = 0] = await findFreePorts(2);
  const command = nginxCommand(processes, 'backends', [serverOf(v1, 'v1'), serverOf(v2, 'v2')].join('\n'));
  const started = startBeside(processes, command, 'backends');
  await waitUntilAnswering(started, v1);
  const split = [
    { port: v1, weight: 90 },
    { port: v2, weight: 10 },
  ];
  return { split, process: started };
}

/** In pieces, as nginx takes no word of a configuration that is longer than 4 KiB. */
const kibibyte = 'k'.repeat(1024);

function serverOf(port: number, version: string): string {
  return `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    add_header X-Version ${version};
    set $kibibyte ${kibibyte};
    location = /100 { return 200 ${'b'.repeat(100)}; }
    location = /10k { return 200 ${'$kibibyte'.repeat(10)}; }
  }`;
}
