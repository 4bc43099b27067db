/**
 * Where a connection was going before a packet rule redirected it here: what netfilter keeps of it, by
 * getsockopt(SO_ORIGINAL_DST), which Node does not offer. Linux only.
 */
import { isIPv6 } from 'node:net';
import koffi from 'koffi';
import type { HostPort } from './host-port.ts';

/** Of linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: both are option 80 of their level. */
const SO_ORIGINAL_DST = 80;
const SOL_IP = 0;
const SOL_IPV6 = 41;

/** Of `sockaddr_in6`; a `sockaddr_in` has 16 bytes of it. */
const addressBytes = 28;

interface Functions {
  readonly getsockopt: (fd: number, level: number, name: number, value: Buffer, length: Buffer) => number;
}

let functions: Functions | undefined;
const value = Buffer.alloc(addressBytes);
const length = Buffer.alloc(4);

/**
 * `descriptor`: of an accepted connection; `local`: its address on this side. Undefined when it was not redirected: its
 * destination is this very socket, or netfilter knows nothing of it.
 */
export function originalDestination(descriptor: number, local: HostPort): HostPort | undefined {
  functions ??= { getsockopt: koffi.load(null).func('int getsockopt(int, int, int, uint8_t *, uint8_t *)') };
  length.writeUInt32LE(addressBytes);
  const level = isIPv6(local.host) && !local.host.startsWith('::ffff:') ? SOL_IPV6 : SOL_IP;
  if (functions.getsockopt(descriptor, level, SO_ORIGINAL_DST, value, length) !== 0) return undefined;
  const port = value.readUInt16BE(2);
  const host = level === SOL_IP ? value.subarray(4, 8).join('.') : ipv6Text(value.subarray(8, 24));
  const isHere = port === local.port && host === local.host.replace(/^::ffff:/, '');
  return isHere || port === 0 ? undefined : { host, port };
}

/** In its shortest form. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
