/** Which name servers' questions are taken when nobody has said, by what resolv.conf says. Pure. */
import { parseCidr } from './cidr.ts';

/**
 * All, unless this host has a resolver of its own (systemd-resolved, dnsmasq, Docker): then only questions to that one.
 * What it asks others itself must not come back to it through the agent, which asks it in turn.
 */
export function nameServersToTake(resolvConf: string): 'all' | string[] {
  const servers = [...resolvConf.matchAll(/^[ \t]*nameserver[ \t]+([^\s%#;]+)/gm)].map(([, address = '']) => address);
  const own = [...new Set(servers)].filter(isOnLoopback);
  return own.length > 0 ? own : 'all';
}

function isOnLoopback(text: string): boolean {
  const address = parseCidr(text)?.address ?? '';
  return address === '::1' || address.startsWith('127.');
}
