/** Accepts connections, so many at a time, and sees them end. What is spoken on them is their maker's business. */
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { type OpenPort, openPort } from './port.ts';
import { closeHandle, type SocketHandle } from './socket-handle.ts';

/** A connection that was accepted. */
export interface Accepted {
  /** End with the next answer, which says so; nothing when there are no answers. Who just sends a request has it answered. */
  retire?(): void;
  /** Begin nothing new, and end when what is under way is over. */
  drain(): void;
  /** End at once: when it returns what was under way has ended, and `onClosed` is going to come. */
  destroy(): void;
}

/** How many connections there may be. */
export interface ConnectionLimits {
  /** Whether there may be one more; it counts then until it is released. */
  tryAcquireConnection(): boolean;
  releaseConnection(): void;
}

export interface ConnectionListenerOptions {
  /** Port 0 takes a free one. */
  readonly listen: HostPort;
  /** How connections come. This process listens when not given. */
  readonly open?: OpenPort | undefined;
  readonly clock: Clock;
  /** Those beyond it are closed at once. */
  readonly mostConnections: number;
  /** Likewise, where several listeners have a limit in common. */
  readonly limits?: ConnectionLimits;
  /** Takes the connection over. `onClosed` is called once it has ended, and not before this has returned. */
  readonly accept: (handle: SocketHandle, onClosed: (connection: Accepted) => void) => Accepted;
  /** Told what `accept` throws; the connection is closed. */
  readonly onFault: (error: unknown) => void;
  /** A connection was closed because there are too many. */
  readonly onTooMany: () => void;
}

export interface ConnectionListener {
  /** With the port that port 0 became. */
  readonly address: HostPort;
  readonly connections: number;
  /** Stops accepting. Connections go on, and end as their clients get answers; `close` follows. */
  retire(): void;
  /**
   * Stops accepting and ends idle connections at once; each other one when what is under way is over, or when `graceMs`
   * have passed.
   */
  close(graceMs: number): Promise<void>;
  /** Stops accepting and ends all connections at once, also when it is closing already. */
  cutOff(): void;
}

/** Rejects when it cannot listen. */
export async function startConnectionListener(options: ConnectionListenerOptions): Promise<ConnectionListener> {
  const { listen, open = openPort, clock, mostConnections, limits, accept, onFault, onTooMany } = options;
  const connections = new Set<Accepted>();
  let onEmpty = () => {};
  const onClosed = (connection: Accepted) => {
    connections.delete(connection);
    limits?.releaseConnection();
    if (connections.size === 0) onEmpty();
  };
  const port = await open(listen, (handle) => {
    if (connections.size >= mostConnections || limits?.tryAcquireConnection() === false) {
      closeHandle(handle);
      return onTooMany();
    }
    try {
      connections.add(accept(handle, onClosed));
    } catch (error) {
      limits?.releaseConnection();
      closeHandle(handle);
      onFault(error);
    }
  });
  const destroyAll = () => {
    for (const connection of connections) connection.destroy();
  };
  return {
    address: port.address,
    get connections() {
      return connections.size;
    },
    retire() {
      port.close();
      for (const connection of connections) connection.retire?.();
    },
    async close(graceMs) {
      port.close();
      const callOff = clock.after(graceMs, destroyAll);
      for (const connection of connections) connection.drain();
      if (connections.size > 0) {
        await new Promise<void>((resolve) => {
          onEmpty = resolve;
        });
      }
      callOff();
    },
    cutOff() {
      port.close();
      destroyAll();
    },
  };
}
