/**
 * Envoy with one worker: static configuration, the router filter alone, statistics as they are out of the box. The one
 * that `install-peers.sh` installs, else one on the path.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts } from '../../../test/support/processes.ts';
import { startPinned } from '../pinned.ts';
import { waitUntilAnswering } from '../ready.ts';
import { type Peer, routeHeader, routeValue, type Setup } from './peer.ts';

const installed = join(import.meta.dirname, '../.peers/envoy');
const program = existsSync(installed) ? installed : 'envoy';

export const envoy: Peer = {
  name: 'Envoy',
  version: () => /\/(\d+\.\d+\.\d+)\//.exec(spawnSync(program, ['--version']).stdout?.toString() ?? '')?.[1],
  async start(setup) {
    const [port = 0] = await findFreePorts(1);
    const file = join(setup.processes.makeFolder(`envoy-${port}`), 'envoy.json');
    writeFileSync(file, JSON.stringify(proxyConfig(port, setup)));
    const flags = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'];
    const started = startPinned(setup.processes, [program, '-c', file, ...flags], { name: 'Envoy' });
    await waitUntilAnswering(started, port);
    const close = async () => {
      await started.kill();
    };
    return { port, measured: [started], close };
  },
};

function proxyConfig(port: number, { split, routes }: Setup) {
  const weights = split.map(({ weight }, index) => ({ name: clusterName(index), weight }));
  const route = { weighted_clusters: { clusters: weights } };
  const byHeader = Array.from({ length: routes }, (_, index) => ({
    match: { prefix: '/', headers: [{ name: routeHeader, string_match: { exact: routeValue(index) } }] },
    route,
  }));
  const connectionManager = {
    '@type': `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    codec_type: 'HTTP1',
    // It then appends to X-Forwarded-For, as the others do.
    use_remote_address: true,
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [...byHeader, { match: { prefix: '/' }, route }] }],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': `${types}.filters.http.router.v3.Router` } }],
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: addressOf(port),
          filter_chains: [{ filters: [{ name: 'http', typed_config: connectionManager }] }],
        },
      ],
      clusters: split.map((share, index) => ({
        name: clusterName(index),
        type: 'STATIC',
        load_assignment: {
          cluster_name: clusterName(index),
          endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(share.port) } }] }],
        },
      })),
    },
  };
}

const types = 'type.googleapis.com/envoy.extensions';
const clusterName = (index: number) => `b${index}`;
const addressOf = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
