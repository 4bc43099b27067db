/** Connections to the gRPC port that speak something else. */
import type { Socket } from 'node:net';
import { formatHostPort } from '../../process/host-port.ts';
import type { Logger } from '../../process/log.ts';

/** Whoever scans ports is told of once in so long. */
const tellEveryMs = 10_000;

/** Tells of one connection at once, and of those in the 10 s after it together. */
export class BrokenConnections {
  readonly #log: Pick<Logger, 'warn'>;
  readonly #onBroken: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Since one was told of. */
  #more = 0;

  /** `onBroken`: for counting. */
  constructor(log: Pick<Logger, 'warn'>, onBroken: () => void) {
    this.#log = log;
    this.#onBroken = onBroken;
  }

  watch(socket: Socket): void {
    // While it is there: a socket forgets its peer when it ends.
    const { remoteAddress: host = '', remotePort: port = 0 } = socket;
    socket.on('error', (error) => {
      if (isGarbage(error)) this.note(formatHostPort({ host, port }), error.message);
    });
  }

  /** `peer`: HOST:PORT of whoever connected. */
  note(peer: string, reason: string): void {
    this.#onBroken();
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

/** Node ends a connection with an error of its own when it cannot read it; all others are of the network. */
function isGarbage(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_HTTP2');
}
