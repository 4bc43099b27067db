/** Questions over UDP: a socket, and an answer to wherever the question came from. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';
import type { DnsCounters } from './counters.ts';
import type { Responder } from './responder.ts';

export interface UdpDoor {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects when the address is taken or not ours. */
export async function openUdpDoor(
  { host, port }: HostPort,
  { responder, counters }: { readonly responder: Responder; readonly counters: DnsCounters },
): Promise<UdpDoor> {
  const family = isIPv6(host) ? 6 : 4;
  const socket = createSocket({
    type: `udp${family}`,
    ipv6Only: family === 6,
    // Addresses only: what is answered to needs no name server, nor a turn of the event loop for each answer.
    lookup: (address, _options, found) => found(null, address, family),
  });
  await bound(socket, { host, port });
  let isOpen = true;
  socket.on('message', (message, { address, port: from }) => {
    counters.udpMessages++;
    responder.answer(message, 'udp', (answer) => {
      // Without a callback nobody is told of errors: who has gone, or takes nothing, asks again.
      if (isOpen && from > 0) socket.send(answer, from, address);
    });
  });
  // Errors of single datagrams (somebody's port was closed): the socket goes on.
  socket.on('error', ignore);
  return {
    port: socket.address().port,
    close: () => {
      isOpen = false;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}

function ignore(): void {}

function bound(socket: Socket, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}
