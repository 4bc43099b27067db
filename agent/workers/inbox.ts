/** Connections that the main process hands over, by the port to which they came: what a worker has in place of ports. */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import type { OpenPort } from '../http1/port.ts';
import { closeHandle, type SocketHandle } from '../http1/socket-handle.ts';

export class ConnectionInbox {
  readonly #receivers = new Map<string, (handle: SocketHandle) => void>();

  readonly open: OpenPort = async (address, onConnection) => {
    const port = formatHostPort(address);
    this.#receivers.set(port, onConnection);
    return { address, close: () => void this.#receivers.delete(port) };
  };

  /** A port that was closed meanwhile takes none: the connection ends. */
  take(port: HostPort, handle: SocketHandle): void {
    const receive = this.#receivers.get(formatHostPort(port));
    if (receive === undefined) closeHandle(handle);
    else receive(handle);
  }
}
