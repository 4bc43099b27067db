/**
 * Requests at a fixed rate, and how long each took. Every request has its time in a schedule. One that finds no free
 * connection waits, and its wait counts (no coordinated omission: a proxy that stalls is charged for all that it held up);
 * that the timer of this process, which is good for 1 ms, is late does not count.
 */
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import type { Load } from './saturate.ts';

export interface PacedLoad extends Load {
  readonly requestsPerSecond: number;
  /** A connection for every request. */
  readonly isFresh: boolean;
}

export interface Paced {
  readonly requests: number;
  /** Sorted, in milliseconds. */
  readonly latenciesMs: Float64Array;
}

/** Rejects when a request fails. */
export async function pace(load: PacedLoad): Promise<Paced> {
  const pacer = new Pacer(load);
  try {
    return await pacer.run();
  } finally {
    pacer.close();
  }
}

class Pacer {
  readonly #load: PacedLoad;
  readonly #requests: readonly Buffer[];
  readonly #latenciesMs: Float64Array;
  readonly #connections: Connection[];
  readonly #free: Connection[];
  #startMs = 0;
  #sent = 0;
  #answered = 0;
  #finish: (fault?: Error) => void = () => {};

  constructor(load: PacedLoad) {
    this.#load = load;
    this.#requests = load.requests.map((text) => Buffer.from(text));
    this.#latenciesMs = new Float64Array(Math.floor(load.requestsPerSecond * load.seconds));
    this.#connections = Array.from(
      { length: load.connections },
      () =>
        new Connection(
          load,
          (connection) => this.#onAnswer(connection),
          (fault) => this.#finish(fault),
        ),
    );
    this.#free = [...this.#connections];
  }

  async run(): Promise<Paced> {
    if (!this.#load.isFresh) await Promise.all(this.#connections.map((connection) => connection.open()));
    const done = new Promise<void>((resolve, reject) => {
      this.#finish = (fault) => (fault ? reject(fault) : resolve());
    });
    this.#startMs = performance.now();
    const timer = setInterval(() => this.#sendDue(false), 1);
    // Far behind its rate it is no measurement any more.
    const limit = setTimeout(() => this.#finish(this.#tooSlow()), this.#load.seconds * 1000 * 2 + 5_000);
    try {
      await done;
    } finally {
      clearInterval(timer);
      clearTimeout(limit);
    }
    return { requests: this.#answered, latenciesMs: this.#latenciesMs.sort() };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #onAnswer(connection: Connection): void {
    this.#latenciesMs[this.#answered++] = performance.now() - connection.sinceMs;
    const haveWaited = this.#free.length === 0;
    this.#free.push(connection);
    if (this.#answered === this.#latenciesMs.length) this.#finish();
    else this.#sendDue(haveWaited);
  }

  /** `haveWaited`: until now no connection was free, so that what is due has waited for one. */
  #sendDue(haveWaited: boolean): void {
    const nowMs = performance.now();
    for (;;) {
      const dueMs = this.#startMs + (this.#sent * 1000) / this.#load.requestsPerSecond;
      if (dueMs > nowMs || this.#sent === this.#latenciesMs.length) return;
      const connection = this.#free.pop();
      const request = this.#requests[this.#sent % this.#requests.length];
      if (connection === undefined || request === undefined) return;
      this.#sent++;
      connection.send(request, haveWaited ? dueMs : performance.now());
    }
  }

  #tooSlow(): Error {
    return new Error(`only ${this.#answered} of ${this.#latenciesMs.length} requests were answered in time`);
  }
}

/** All of them read into this: what is read is looked at before the next is. */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

class Connection {
  /** When the request that is under way began. */
  sinceMs = 0;
  readonly #load: PacedLoad;
  readonly #onAnswer: (connection: Connection) => void;
  readonly #onFault: (fault: Error) => void;
  #socket: Socket | undefined;
  #isClosed = false;

  constructor(load: PacedLoad, onAnswer: (connection: Connection) => void, onFault: (fault: Error) => void) {
    this.#load = load;
    this.#onAnswer = onAnswer;
    this.#onFault = onFault;
  }

  open(): Promise<void> {
    return new Promise((resolve) => this.#connect().once('connect', resolve));
  }

  send(request: Buffer, sinceMs: number): void {
    this.sinceMs = sinceMs;
    const socket = this.#load.isFresh ? this.#connect() : this.#socket;
    socket?.write(request);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const reader = new AnswerReader(() => {
      if (this.#load.isFresh) this.#drop();
      this.#onAnswer(this);
    });
    const onBytes = (count: number, bytes: Uint8Array): boolean => {
      try {
        reader.read(Buffer.from(bytes.buffer, 0, count));
      } catch (fault) {
        this.#onFault(new Error('not answered as expected', { cause: fault }));
      }
      return true;
    };
    const socket = connect({
      port: this.#load.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: shared, callback: onBytes },
    });
    this.#socket = socket;
    socket.on('error', (fault) => this.#onFault(fault));
    socket.on('close', () => {
      if (!this.#isClosed && this.#socket === socket) this.#onFault(new Error('the proxy closed a connection'));
    });
    return socket;
  }

  /** Closed by us, before the proxy does. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
