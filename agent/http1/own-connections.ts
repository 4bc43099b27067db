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
  /** Port -> how many of them go there. */
  readonly #ports = new Map<number, number>();

  /** Whether one of them goes to such a port, of whatever host. */
  hasTo(port: number): boolean {
    return this.#ports.has(port);
  }

  /** A socket that is being connected to an IP address, from the next turn on, when the kernel has given it a port. */
  note(socket: Socket, to: HostPort): void {
    process.nextTick(() => {
      const { localAddress, localPort } = socket;
      if (localAddress === undefined || localPort === undefined) return;
      const key = keyOf({ host: localAddress, port: localPort }, to);
      this.#open.add(key);
      this.#count(to.port, 1);
      socket.once('close', () => {
        this.#open.delete(key);
        this.#count(to.port, -1);
      });
    });
  }

  /** Whether a connection from there that was going there is one of them: no other can have the same two ends. */
  has(from: HostPort, to: HostPort): boolean {
    return this.#open.has(keyOf(from, to));
  }

  #count(port: number, by: 1 | -1): void {
    const count = (this.#ports.get(port) ?? 0) + by;
    if (count === 0) this.#ports.delete(port);
    else this.#ports.set(port, count);
  }
}

/**
 * Whether a connection that comes to this port is one that any of these have begun: where it arrived then. The kernel is asked only when
 * they have begun some to such a port, which is next to never.
 */
export function arrivedFrom(of: readonly OwnConnections[], handle: SocketHandle, port: number): HostPort | undefined {
  if (!of.some((each) => each.hasTo(port))) return undefined;
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
