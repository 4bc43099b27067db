/** Addresses in settings: `HOST:PORT`, with IPv6 addresses in brackets (`[::1]:80`). */
import { isIP, isIPv6 } from 'node:net';
import { isDnsName } from '../model/names.ts';

export interface HostPort {
  /** An IP address without brackets, or a DNS name in lower case. */
  readonly host: string;
  readonly port: number;
}

/** Undefined when the text is no address. Port 0 parses; the schemas of `address-settings.ts` decide whether it makes sense. */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain?.toLowerCase() ?? '';
  const port = Number(digits);
  if (digits === undefined || port > 65_535 || !isHost(host, bracketed !== undefined)) return undefined;
  return { host, port };
}

/** The text that `parseHostPort` reads. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether connections to this address stay on the machine. `localhost` does; other names are not looked up. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : /^::ffff:127\./i.test(host);
}

/** Whether this address stands for all of the machine's addresses. */
export function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function isHost(host: string, isBracketed: boolean): boolean {
  if (isBracketed) return isIPv6(host);
  // All digits and dots is meant as an IPv4 address: `256.1.1.1` is no DNS name.
  return /^[\d.]+$/.test(host) ? isIP(host) === 4 : isDnsName(host);
}
