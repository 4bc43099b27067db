/** Where gRPC connections come in: a socket of our own in place of that of grpc-js. */
import { createServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';

/** Connections that wait to be accepted; Linux has 4,096 by itself (net.core.somaxconn). */
const mostUnaccepted = 4_096;

/** Whoever scans ports is told of once in so long. */
const tellEveryMs = 10_000;

export interface DoorOptions {
  readonly listen: HostPort;
  readonly log: Logger;
  /** A connection was cut, for what came on it is no HTTP/2. */
  readonly onBroken: () => void;
}

/**
 * Listens in place of grpc-js, whose queue of connections that wait to be accepted has Node's 511 places: when a mesh comes back
 * to a server that was started again, those that find none try again after 1, 3, 7 … 31 seconds.
 */
export async function openDoor(
  server: Server,
  { listen: { host, port }, log, onBroken }: DoorOptions,
): Promise<{ readonly port: number; close(): void }> {
  const { injectConnection } = server.createConnectionInjector(ServerCredentials.createInsecure());
  const broken = new BrokenConnections(log);
  const door = createServer({ noDelay: true }, (socket) => {
    const peer = peerOf(socket);
    socket.on('error', (error) => {
      if (!isGarbage(error)) return;
      onBroken();
      broken.tell(peer, error.message);
    });
    injectConnection(socket);
  });
  await new Promise<void>((resolve, reject) => {
    door.once('error', (error) => {
      reject(new Error(`cannot listen on ${formatHostPort({ host, port })} for gRPC: ${error.message}`));
    });
    door.listen({ host, port, backlog: mostUnaccepted }, resolve);
  });
  const address = door.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => {
      broken.close();
      door.close();
    },
  };
}

/** Node ends a connection with an error of its own when it cannot read it; all others are of the network. */
function isGarbage(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_HTTP2');
}

/** While it is there: a socket forgets its peer when it ends. */
function peerOf({ remoteAddress: host = '', remotePort: port = 0 }: Socket): string {
  return formatHostPort({ host, port });
}

/** Tells of one connection at once, and of those in the 10 s after it together. */
export class BrokenConnections {
  readonly #log: Pick<Logger, 'warn'>;
  #timer: NodeJS.Timeout | undefined;
  /** Since one was told of. */
  #more = 0;

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** `peer`: HOST:PORT of whoever connected. */
  tell(peer: string, reason: string): void {
    if (this.#timer !== undefined) {
      this.#more++;
      return;
    }
    this.#log.warn({ peer, reason }, 'a connection to the gRPC port was cut: it does not speak HTTP/2');
    this.#timer = setTimeout(() => this.#tellMore(), tellEveryMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #tellMore(): void {
    this.#timer = undefined;
    const connections = this.#more;
    this.#more = 0;
    if (connections > 0) this.#log.warn({ connections }, 'more connections to the gRPC port were cut likewise');
  }
}
