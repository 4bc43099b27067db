/** GET requests at a given rate over connections that are kept, by a reader so plain that thousands a second cost little. */
import { connect, type Socket } from 'node:net';

export interface PlainLoadOptions {
  /** HOST:PORT. */
  readonly at: string;
  readonly host: string;
  readonly connections: number;
  readonly perSecond: number;
}

const tickMs = 1;

export class PlainLoad {
  answered = 0;
  /** Connections that the other side has closed. */
  closed = 0;
  /** How often what came in place of status 200. */
  readonly failures: Record<string, number> = {};
  readonly #options: PlainLoadOptions;
  readonly #sockets: Socket[] = [];
  readonly #free: Socket[] = [];
  readonly #request: Buffer;
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #sent = 0;

  constructor(options: PlainLoadOptions) {
    this.#options = options;
    this.#request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${options.host}\r\n\r\n`);
  }

  /** Answers per second since the start. */
  get rate(): number {
    return Math.round((this.answered * 1_000) / (performance.now() - this.#startMs));
  }

  start(): void {
    for (let index = 0; index < this.#options.connections; index++) this.#open();
    this.#startMs = performance.now();
    this.#timer = setInterval(() => this.#send(), tickMs);
  }

  /** Resolves when all have been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#free.length + this.closed < this.#sockets.length) await new Promise(setImmediate);
    for (const socket of this.#sockets) socket.removeAllListeners('close').destroy();
  }

  #send(): void {
    const due = ((performance.now() - this.#startMs) * this.#options.perSecond) / 1_000;
    while (this.#sent < due) {
      // A connection has one request at a time: those that are late make the rate fall.
      const socket = this.#free.shift();
      if (socket === undefined) return;
      this.#sent++;
      socket.write(this.#request);
    }
  }

  #open(): void {
    const [, hostname = '', port] = /^(.*):(\d+)$/.exec(this.#options.at) ?? [];
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      const end = endOf(received);
      if (end === undefined) return;
      this.answered++;
      const status = received.slice(9, 12);
      if (status !== '200' || end < received.length) this.#fail(received.slice(0, 200));
      received = '';
      this.#free.push(socket);
    });
    socket.on('error', ({ message }) => this.#fail(message));
    socket.on('close', () => this.closed++);
    this.#sockets.push(socket);
    this.#free.push(socket);
  }

  #fail(text: string): void {
    this.failures[text] = (this.failures[text] ?? 0) + 1;
  }
}

/** Where the answer ends that begins there; undefined as long as it is not complete. */
function endOf(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return undefined;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  const end = head + 4 + Number(length);
  return text.length >= end ? end : undefined;
}
