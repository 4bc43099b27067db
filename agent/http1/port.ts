/** Where connections come from: a port that this process listens on, or whoever hands over what it has accepted. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';
import { onEachConnection, type SocketHandle } from './socket-handle.ts';

export interface Port {
  /** With the number that port 0 became. */
  readonly address: HostPort;
  /** No more connections. Those that came live on. */
  close(): void;
}

/** Nobody reads a connection yet that `onConnection` is called with. Rejects when the address cannot be listened on. */
export type OpenPort = (listen: HostPort, onConnection: (handle: SocketHandle) => void) => Promise<Port>;

export const openPort: OpenPort = async (listen, onConnection) => {
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  server.listen({ host: listen.host, port: listen.port, backlog: 4_096 });
  await once(server, 'listening');
  // One connection could not be accepted (no descriptor left, or gone already): the next may be.
  server.on('error', () => {});
  onEachConnection(server, onConnection);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return { address: { host: listen.host, port }, close: () => void server.close() };
};
