/** nginx as a reverse proxy: one process, kept connections on both sides, bodies streamed and not spooled to disk. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts, type Processes } from '../../../test/support/processes.ts';
import type { TestProcess } from '../../../test/support/test-process.ts';
import { startPinned } from '../pinned.ts';
import { waitUntilAnswering } from '../ready.ts';
import { type Peer, routeHeader, routeValue, type Setup } from './peer.ts';

export const nginx: Peer = {
  name: 'nginx',
  version: nginxVersion,
  async start(setup) {
    const [port = 0] = await findFreePorts(1);
    const command = nginxCommand(setup.processes, `proxy-${port}`, proxyConfig(port, setup));
    const started = startPinned(setup.processes, command, { name: 'nginx' });
    await waitUntilAnswering(started, port);
    return { port, measured: [started], close: () => end(started) };
  },
};

export function nginxVersion(): string | undefined {
  // It writes it to standard error.
  return /nginx\/(\S+)/.exec(spawnSync('nginx', ['-v']).stderr?.toString() ?? '')?.[1];
}

/** Starts nginx in the foreground as one process; what stands in `http` is the caller's. */
export function nginxCommand(processes: Processes, name: string, http: string): string[] {
  const folder = processes.makeFolder(name);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const config = `
daemon off;
master_process off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off;
  # Out of the box it closes a client's connection after 1,000 requests and 75 idle seconds; the others do not.
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 0;
  ${temporary.join('\n  ')}
${http}
}
`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, config);
  return ['nginx', '-c', file, '-p', folder, '-e', 'stderr'];
}

function proxyConfig(port: number, { split, routes }: Setup): string {
  const servers = split.map((share) => `    server 127.0.0.1:${share.port} weight=${share.weight};`);
  const variable = `$http_${routeHeader.replaceAll('-', '_')}`;
  const map = `  map_hash_max_size 8192;
  map ${variable} $target {
    default split;
${Array.from({ length: routes }, (_, index) => `    ${routeValue(index)} split;`).join('\n')}
  }`;
  return `
  upstream split {
${servers.join('\n')}
    keepalive 64;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
${routes > 0 ? map : ''}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://${routes > 0 ? '$target' : 'split'};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }`;
}

async function end(process: TestProcess): Promise<void> {
  await process.kill();
}
