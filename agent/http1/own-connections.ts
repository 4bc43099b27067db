/**
 * The connections that this process has begun, by both of their ends. Where packet rules bring one of them back here, they do not
 * leave alone what the agent sends: it would dial again, for ever.
 */
import type { Socket } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';

export class OwnConnections {
  readonly #open = new Set<string>();

  /** A socket that is being connected to an IP address, from the next turn on, when the kernel has given it a port. */
  note(socket: Socket, to: HostPort): void {
    process.nextTick(() => {
      const { localAddress, localPort } = socket;
      if (localAddress === undefined || localPort === undefined) return;
      const key = keyOf({ host: localAddress, port: localPort }, to);
      this.#open.add(key);
      socket.once('close', () => this.#open.delete(key));
    });
  }

  /** Whether a connection from there that was going there is one of them: no other can have the same two ends. */
  has(from: HostPort, to: HostPort): boolean {
    return this.#open.has(keyOf(from, to));
  }
}

function keyOf(from: HostPort, to: HostPort): string {
  return `${from.host} ${from.port} ${to.host} ${to.port}`;
}
