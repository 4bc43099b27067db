/**
 * What all proxies forward to: two servers of one nginx, v1 and v2, which answer `/100` and `/10k` with so many bytes, `/large` with 64 MiB, and
 * take whatever body comes. Each says which it is in a header, so that the split can be counted.
 */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  const folder = processes.makeFolder('documents');
  writeFileSync(join(folder, 'large'), '');
  truncateSync(join(folder, 'large'), largeBytes);
  const servers = [serverOf(v1, 'v1', folder), serverOf(v2, 'v2', folder)];
  const command = nginxCommand(processes, 'backends', servers.join('\n'));
  const started = startBeside(processes, command, 'backends');
  await waitUntilAnswering(started, v1);
  const split = [
    { port: v1, weight: 90 },
    { port: v2, weight: 10 },
  ];
  return { split, process: started };
}

const largeBytes = 64 * 1024 * 1024;
/** In pieces, as nginx takes no word of a configuration that is longer than 4 KiB. */
const kibibyte = 'k'.repeat(1024);

function serverOf(port: number, version: string, folder: string): string {
  return `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    add_header X-Version ${version};
    set $kibibyte ${kibibyte};
    location = /100 { return 200 ${'b'.repeat(100)}; }
    location = /large { root ${folder}; sendfile on; }
    location = /10k { return 200 ${'$kibibyte'.repeat(10)}; }
  }`;
}
