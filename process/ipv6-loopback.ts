/** Whether this machine, or its network namespace, has IPv6: rules redirect to the loopback address of a connection's family. */
import { networkInterfaces } from 'node:os';

export function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
}
