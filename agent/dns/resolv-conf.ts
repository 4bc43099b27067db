/** Reads who resolves names for this machine from the text of resolv.conf(5). Search lists are the client's business. Pure. */
import { isIP } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';

/** libc asks the first three; a file with more means them all, and this bounds how long one question may take. */
const mostServers = 8;

/** Lines that libc does not understand are skipped, as it does. An IPv6 address may name its interface (`fe80::1%eth0`). */
export function readResolvConf(text: string): HostPort[] {
  const hosts = text.split('\n').flatMap((line) => {
    const [, host = ''] = /^\s*nameserver\s+([^\s#;]+)/.exec(line) ?? [];
    return isIP(host.replace(/%[\w.-]+$/, '')) === 0 ? [] : [host];
  });
  return [...new Set(hosts)].slice(0, mostServers).map((host) => ({ host, port: 53 }));
}
