/** Which of this machine's addresses connections to a server come from: the one that others can dial back. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { HostPort } from '../../process/host-port.ts';

/** Asks the kernel's routing table: connecting a UDP socket picks the address and sends nothing. */
export async function localAddressTowards({ host, port }: HostPort): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
}
