/** Accepts the connections of clients, so many at a time, and sees them end. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import type { Deadlines } from './deadlines.ts';
import { type RequestHandler, ServerConnection } from './server-connection.ts';

export interface HttpListenerOptions {
  /** Port 0 takes a free one. */
  readonly listen: HostPort;
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Those beyond it are closed at once. */
  readonly mostConnections: number;
  readonly createHandler: (connection: ServerConnection) => RequestHandler;
  /** A connection was closed because there are too many. */
  readonly onTooMany: () => void;
}

export interface HttpListener {
  /** With the port that port 0 became. */
  readonly address: HostPort;
  readonly connections: number;
  /**
   * Stops accepting and ends idle connections at once; each other one when its request under way is answered, or when
   * `graceMs` have passed.
   */
  close(graceMs: number): Promise<void>;
}

/** Rejects when it cannot listen. */
export async function startHttpListener(options: HttpListenerOptions): Promise<HttpListener> {
  const { listen, clock, mostConnections, onTooMany } = options;
  const connections = new Set<ServerConnection>();
  let onEmpty = () => {};
  const onClosed = (connection: ServerConnection) => {
    connections.delete(connection);
    if (connections.size === 0) onEmpty();
  };
  const connectionOptions = { ...options, onClosed };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    if (connections.size >= mostConnections) {
      socket.destroy();
      return onTooMany();
    }
    connections.add(new ServerConnection(socket, connectionOptions));
  });
  server.listen({ host: listen.host, port: listen.port, backlog: 4_096 });
  await once(server, 'listening');
  // One connection could not be accepted (no descriptor left, or gone already): the next may be.
  server.on('error', () => {});
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return {
    address: { host: listen.host, port },
    get connections() {
      return connections.size;
    },
    async close(graceMs) {
      server.close();
      const callOff = clock.after(graceMs, () => {
        for (const connection of connections) connection.transport.destroy();
      });
      for (const connection of connections) connection.drain();
      if (connections.size > 0) {
        await new Promise<void>((resolve) => {
          onEmpty = resolve;
        });
      }
      callOff();
    },
  };
}
