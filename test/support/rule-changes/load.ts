/**
 * So many requests a second over kept connections, each of which is answered before the next goes out on it; everything
 * that comes back is looked at and remembered, in a few integers a request.
 */
import { connect, type Socket } from 'node:net';
import { bytesOf } from './requests.ts';

export interface LoadOptions {
  /** Of the agent, on loopback. */
  readonly port: number;
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** At most. */
  readonly requests: number;
  /** Names of those that may answer. */
  readonly instances: readonly string[];
}

/** What came back for one request. */
export interface Answer {
  readonly instance: string | undefined;
  /** The path that the instance has seen. */
  readonly path: 'as sent' | 'rewritten';
  /** The `x-asked` that the instance has seen and the `x-told` that came with the answer; 0: none. */
  readonly asked: number;
  readonly told: number;
  /** The revision that was known to be applied when the request was sent. */
  readonly known: number;
}

export class Load {
  readonly failures: string[] = [];
  closedConnections = 0;
  sent = 0;
  answered = 0;
  /** Counts up: a request that is sent from now on must not be routed by an older revision. */
  knownRevision = 0;
  readonly #options: LoadOptions;
  readonly #known: Uint32Array;
  readonly #instance: Int8Array;
  readonly #isRewritten: Uint8Array;
  readonly #asked: Uint32Array;
  readonly #told: Uint32Array;
  readonly #sockets: Socket[] = [];
  readonly #free: Connection[] = [];
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #ranMs = 0;
  #sentBefore = 0;
  #isOver = false;
  #onQuiet: () => void = () => {};

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#known = new Uint32Array(options.requests);
    this.#instance = new Int8Array(options.requests).fill(-1);
    this.#isRewritten = new Uint8Array(options.requests);
    this.#asked = new Uint32Array(options.requests);
    this.#told = new Uint32Array(options.requests);
  }

  /** Answers per second so far. */
  get rate(): number {
    const ms = this.#timer === undefined ? this.#ranMs : performance.now() - this.#startMs;
    return (1_000 * (this.answered - this.#sentBefore)) / ms;
  }

  async start(): Promise<void> {
    const { port, connections } = this.#options;
    const opened = Array.from({ length: connections }, () => connect({ port, host: '127.0.0.1', noDelay: true }));
    await Promise.all(opened.map((socket) => new Promise<void>((resolve) => socket.once('connect', resolve))));
    for (const socket of opened) {
      this.#sockets.push(socket);
      this.#free.push(new Connection(socket, this));
      socket.on('error', ({ message }) => this.failures.push(`a connection: ${message}`));
      socket.once('close', () => {
        if (!this.#isOver) this.closedConnections++;
      });
    }
    this.#sentBefore = this.sent;
    this.#startMs = performance.now();
    this.#timer = setInterval(() => this.#sendDue(), 1);
  }

  /** Resolves when what was sent is answered; rejects when that takes too long. The connections stay. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#ranMs = performance.now() - this.#startMs;
    this.#timer = undefined;
    if (this.#free.length === this.#options.connections) return;
    await new Promise<void>((resolve, reject) => {
      const missing = () => new Error(`${this.sent - this.answered} requests were not answered; ${this.failures[0]}`);
      const timer = setTimeout(() => reject(missing()), 20_000);
      this.#onQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  answer(id: number): Answer {
    return {
      instance: this.#options.instances[this.#instance[id] ?? -1],
      path: this.#isRewritten[id] === 1 ? 'rewritten' : 'as sent',
      asked: this.#asked[id] ?? 0,
      told: this.#told[id] ?? 0,
      known: this.#known[id] ?? 0,
    };
  }

  /** One of its connections has the whole answer to the request. */
  onAnswer(connection: Connection, id: number, head: string, body: string): void {
    this.answered++;
    const [, name = '', folder, path, asked] = /^(\S+) \/(\w)\/(\d+) (\d+)\n$/.exec(body) ?? [];
    const instance = this.#options.instances.indexOf(name);
    if (!head.startsWith('HTTP/1.1 200 ') || instance === -1 || Number(path) !== id) {
      this.failures.push(`request ${id}: ${head}\r\n\r\n${body}`);
    }
    this.#instance[id] = instance;
    this.#isRewritten[id] = folder === 'z' ? 1 : 0;
    this.#asked[id] = Number(asked);
    this.#told[id] = Number(/\r\nx-told: (\d+)/i.exec(head)?.[1] ?? 0);
    this.#free.push(connection);
    if (this.#timer !== undefined) this.#sendDue();
    else if (this.#free.length === this.#options.connections) this.#onQuiet();
  }

  #sendDue(): void {
    const { requestsPerSecond, requests } = this.#options;
    const due = this.#sentBefore + ((performance.now() - this.#startMs) * requestsPerSecond) / 1_000;
    while (this.sent < due && this.sent < requests) {
      const connection = this.#free.pop();
      if (connection === undefined) return;
      this.#known[this.sent] = this.knownRevision;
      connection.send(this.sent++);
    }
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #load: Load;
  #id = -1;
  #text = '';

  constructor(socket: Socket, load: Load) {
    this.#socket = socket;
    this.#load = load;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
  }

  send(id: number): void {
    this.#id = id;
    this.#socket.write(bytesOf(id), 'latin1');
  }

  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#text.slice(0, end);
    const bodyEnd = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#text.length < bodyEnd) return;
    const body = this.#text.slice(end + 4, bodyEnd);
    const id = this.#id;
    this.#id = -1;
    if (this.#text.length > bodyEnd || id === -1) this.#load.failures.push(`too much was answered: ${this.#text}`);
    this.#text = '';
    this.#load.onAnswer(this, id, head, body);
  }
}
