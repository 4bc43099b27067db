/** Which addresses lie in a range such as 240.240.0.0/16. */
import { BlockList, isIPv4 } from 'node:net';

/** `cidr`: valid. No IPv6 address is in it. */
export function ipv4Range(cidr: string): (address: string) => boolean {
  const [network = '', bits] = cidr.split('/');
  const list = new BlockList();
  list.addSubnet(network, Number(bits), 'ipv4');
  return (address) => isIPv4(address) && list.check(address, 'ipv4');
}
