/**
 * What Node's own parser (llhttp, strict) reads in bytes, by the public interface of node:http: a server and a client are
 * given a stream of the test's in place of a socket. The oracle of the differential tests.
 */
import { createServer, type IncomingMessage, type Server, request as startRequest } from 'node:http';
import { Duplex } from 'node:stream';

export interface ReadMessage {
  /** `METHOD TARGET`, or `STATUS REASON`. */
  readonly start: string;
  readonly version: string;
  /** In their order, names as they are written. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

export interface Reading {
  /** Those that are complete. */
  readonly messages: readonly ReadMessage[];
  /** Statuses of heads before the final one. */
  readonly interim: readonly number[];
  /** Why it went no further, as Node calls it; '' when it was content, or waits for more. */
  readonly fault: string;
  /** A message has begun and is not complete. */
  readonly isUnderWay: boolean;
}

/** Reads nothing and takes everything, as a socket would. */
class FakeSocket extends Duplex {
  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  // What node:http asks of sockets besides.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): void {}
  unref(): void {}
  destroySoon(): void {
    this.destroy();
  }
}

/** More than the engine takes, so that it is never this that refuses a head. */
const maxHeaderSize = 1024 * 1024;

class Recorder {
  readonly messages: ReadMessage[] = [];
  readonly interim: number[] = [];
  fault = '';
  #begun = 0;

  record(message: IncomingMessage, start: string): void {
    this.#begun++;
    let body = '';
    message.on('data', (part: Buffer) => {
      body += part.toString('latin1');
    });
    message.on('error', () => {});
    message.on('end', () => {
      if (!message.complete) return;
      this.messages.push({
        start,
        version: message.httpVersion,
        headers: pairs(message.rawHeaders),
        body,
        trailers: pairs(message.rawTrailers),
      });
    });
  }

  fail(error: NodeJS.ErrnoException): void {
    this.fault ||= error.code ?? error.message;
  }

  get reading(): Reading {
    const { messages, interim, fault } = this;
    return { messages, interim, fault, isUnderWay: this.#begun > messages.length };
  }
}

/** Reads requests as node:http does behind a proxy. */
export class NodeServerParser {
  readonly #server: Server;
  /** Each connection is read in one go, so only one is under way when an event comes. */
  #present = new Recorder();
  readonly #bySocket = new WeakMap<Duplex, Recorder>();

  constructor() {
    const record = (message: IncomingMessage) =>
      this.#present.record(message, `${message.method ?? ''} ${message.url ?? ''}`);
    this.#server = createServer({ maxHeaderSize, connectionsCheckingInterval: 2 ** 30 });
    this.#server.maxHeadersCount = 0;
    this.#server.on('request', record);
    this.#server.on('checkContinue', record);
    this.#server.on('checkExpectation', record);
    this.#server.on('clientError', (error, socket) => {
      this.#bySocket.get(socket)?.fail(error);
      socket.destroy();
    });
  }

  async read(bytes: Buffer): Promise<Reading> {
    const recorder = new Recorder();
    const socket = new FakeSocket();
    this.#bySocket.set(socket, recorder);
    this.#present = recorder;
    this.#server.emit('connection', socket);
    socket.emit('data', bytes);
    await nextTurn();
    const { reading } = recorder;
    socket.destroy();
    return reading;
  }

  close(): void {
    this.#server.close();
  }
}

/** Reads the response to one request as node:http does before a proxy. `ends`: the connection ends behind the bytes. */
export async function readResponse(
  bytes: Buffer,
  { method, ends }: { readonly method: string; readonly ends: boolean },
): Promise<Reading> {
  const recorder = new Recorder();
  const socket = new FakeSocket();
  const request = startRequest({ createConnection: () => socket, method, path: '/', maxHeaderSize });
  request.maxHeadersCount = 0;
  request.on('information', ({ statusCode }) => recorder.interim.push(statusCode));
  request.on('response', (message) => recorder.record(message, startOf(message)));
  request.on('upgrade', (message) => recorder.record(message, startOf(message)));
  request.on('error', (error) => recorder.fail(error));
  request.end();
  await nextTurn();
  socket.emit('data', bytes);
  if (ends && !socket.destroyed) socket.push(null);
  await nextTurn();
  const { reading } = recorder;
  request.destroy();
  socket.destroy();
  return reading;
}

function startOf({ statusCode, statusMessage }: IncomingMessage): string {
  return `${statusCode ?? ''} ${statusMessage ?? ''}`;
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] ?? '', raw[2 * index + 1] ?? '']);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
