/** HAProxy: one process with one thread, connections to backends shared by all clients. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts } from '../../../test/support/processes.ts';
import { startPinned } from '../pinned.ts';
import { waitUntilAnswering } from '../ready.ts';
import { type Peer, routeHeader, routeValue, type Setup } from './peer.ts';

export const haproxy: Peer = {
  name: 'HAProxy',
  version: () => /version (\d+\.\d+\.\d+)/.exec(spawnSync('haproxy', ['-v']).stdout?.toString() ?? '')?.[1],
  async start(setup) {
    const [port = 0] = await findFreePorts(1);
    const folder = setup.processes.makeFolder(`haproxy-${port}`);
    const file = join(folder, 'haproxy.cfg');
    const map = join(folder, 'routes.map');
    writeFileSync(map, Array.from({ length: setup.routes }, (_, index) => `${routeValue(index)} split\n`).join(''));
    writeFileSync(file, proxyConfig(port, map, setup));
    const started = startPinned(setup.processes, ['haproxy', '-db', '-f', file], { name: 'haproxy' });
    await waitUntilAnswering(started, port);
    const close = async () => {
      await started.kill();
    };
    return { port, measured: [started], close };
  },
};

function proxyConfig(port: number, map: string, { split, routes }: Setup): string {
  const servers = split.map((share, index) => `  server b${index} 127.0.0.1:${share.port} weight ${share.weight}`);
  return `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:${port} backlog 4096
${routes > 0 ? `  use_backend %[req.hdr(${routeHeader}),map(${map},split)]` : ''}
  default_backend split
backend split
  balance roundrobin
${servers.join('\n')}
`;
}
