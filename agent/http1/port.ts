/** Where connections come from: a port that this process listens on, or whoever hands over what it has accepted. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';
import { hasIpv6Loopback } from '../../process/ipv6-loopback.ts';
import { onEachConnection, type SocketHandle } from './socket-handle.ts';

export interface Port {
  /** With the number that port 0 became. */
  readonly address: HostPort;
  /** No more connections. Those that came live on. */
  close(): void;
}

/** Nobody reads a connection yet that `onConnection` is called with. Rejects when the address cannot be listened on. */
export type OpenPort = (listen: HostPort, onConnection: (handle: SocketHandle) => void) => Promise<Port>;

export const openPort: OpenPort = (listen, onConnection) => openServer({ ...listen, isIpv6Only: false }, onConnection);

/**
 * For connections that packet rules bring: on an address of this machine, or on all of them, also on its IPv6 counterpart, where
 * there is IPv6. Rules redirect to an address of the connection's own family.
 */
export const openForBothFamilies: OpenPort = async (listen, onConnection) => {
  const port = await openPort(listen, onConnection);
  const host = counterparts.get(listen.host);
  if (host === undefined || !hasIpv6Loopback()) return port;
  try {
    const twin = await openServer({ host, port: port.address.port, isIpv6Only: true }, onConnection);
    const close = () => {
      port.close();
      twin.close();
    };
    return { address: port.address, close };
  } catch (cause) {
    port.close();
    throw cause;
  }
};

const counterparts: ReadonlyMap<string, string> = new Map([
  ['127.0.0.1', '::1'],
  ['0.0.0.0', '::'],
]);

async function openServer(
  { host, port: wanted, isIpv6Only }: HostPort & { readonly isIpv6Only: boolean },
  onConnection: (handle: SocketHandle) => void,
): Promise<Port> {
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  server.listen({ host, port: wanted, backlog: 4_096, ipv6Only: isIpv6Only });
  await once(server, 'listening');
  // One connection could not be accepted (no descriptor left, or gone already): the next may be.
  server.on('error', () => {});
  onEachConnection(server, onConnection);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wanted;
  return { address: { host, port }, close: () => void server.close() };
}
