/** The agent's DNS server in a process of its own. Arguments: names of services (comma list), and the port of a resolver on loopback. */
import { randomBytes } from 'node:crypto';
import { startDnsServer } from '../../agent/dns/dns-server.ts';
import type { VirtualName } from '../../agent/dns/name-directory.ts';
import { systemClock } from '../../process/clock.ts';

const [services = '', resolver = ''] = process.argv.slice(2);
const known = new Map(
  services.split(',').map((service, index): [string, VirtualName] => {
    const name = `${service}.default.mesh.local`;
    const addresses = [`240.240.${index >> 8}.${index & 255}`];
    return [name, { is: 'virtual', name, addresses, ports: [{ name: 'http', port: 80 }] }];
  }),
);
const server = await startDnsServer({
  listen: [{ host: '127.0.0.1', port: 0 }],
  domain: 'mesh.local',
  namespace: 'default',
  directory: { find: (name) => known.get(name) ?? 'unknown', nameOf: () => 'foreign' },
  upstreams: () => [{ host: '127.0.0.1', port: Number(resolver) }],
  clock: systemClock,
  randomBytes,
});
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.stdout.write(`port ${server.addresses[0]?.port}\n`);
