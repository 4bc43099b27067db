/**
 * The connections that listeners of this process have begun, by both of their ends. One that comes back, because packet rules bring it or
 * because a port of the agent is where it was sent, would be dialled again, for ever.
 */
import type { Socket } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';
import { arrivedAt, callerOf } from './redirected.ts';
import type { SocketHandle } from './socket-handle.ts';

export class OwnConnections {
  readonly #open = new Set<string>();

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

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

/** Whether a connection that comes is one that any of these have begun: where it arrived then. */
export function arrivedFrom(of: readonly OwnConnections[], handle: SocketHandle): HostPort | undefined {
  if (of.every(({ isEmpty }) => isEmpty)) return undefined;
  const [from, to] = [callerOf(handle), arrivedAt(handle)];
  if (from === undefined || to === undefined) return undefined;
  return of.some((each) => each.has(from, to)) ? to : undefined;
}

function keyOf(from: HostPort, to: HostPort): string {
  return `${hostOf(from)} ${from.port} ${hostOf(to)} ${to.port}`;
}

/** A socket for both families has IPv4 addresses in IPv6, and who dials no address in particular reaches loopback. */
function hostOf({ host }: HostPort): string {
  return anywhere.get(host) ?? host.replace(/^::ffff:/, '');
}

const anywhere: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);
