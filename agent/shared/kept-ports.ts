/**
 * Ports that pass from one listener to its successor and are open all the while: who opens one that is open already has the
 * connections that come from then on; those before stay with whom they came to.
 */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { type OpenPort, openForBothFamilies, openPort, type Port } from '../http1/port.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import type { PortOpeners } from '../listeners.ts';

type OnConnection = (handle: SocketHandle) => void;

interface KeptPort {
  readonly by: OpenPort;
  readonly port: Port;
  /** Who has opened it; the last one has what comes. Never empty. */
  readonly takers: { readonly onConnection: OnConnection }[];
}

export class KeptPorts implements PortOpeners {
  readonly #open = new Map<string, KeptPort>();

  readonly plain: OpenPort = (listen, onConnection) => this.#take(openPort, listen, onConnection);
  readonly redirected: OpenPort = (listen, onConnection) => this.#take(openForBothFamilies, listen, onConnection);

  async #take(by: OpenPort, listen: HostPort, onConnection: OnConnection): Promise<Port> {
    const kept = this.#open.get(formatHostPort(listen));
    // Port 0 is another one for everybody. Who opens in another way than was done is told that the port is in use.
    if (listen.port === 0 || (kept !== undefined && kept.by !== by)) return by(listen, onConnection);
    return this.#share(kept ?? (await this.#openAs(by, listen)), onConnection);
  }

  async #openAs(by: OpenPort, listen: HostPort): Promise<KeptPort> {
    const takers: KeptPort['takers'] = [];
    const port = await by(listen, (handle) => takers.at(-1)?.onConnection(handle));
    const kept = { by, port, takers };
    this.#open.set(formatHostPort(listen), kept);
    return kept;
  }

  #share({ port, takers }: KeptPort, onConnection: OnConnection): Port {
    const own = { onConnection };
    takers.push(own);
    const close = () => {
      if (!takers.includes(own)) return;
      takers.splice(takers.indexOf(own), 1);
      if (takers.length > 0) return;
      this.#open.delete(formatHostPort(port.address));
      port.close();
    };
    return { address: port.address, close };
  }
}
