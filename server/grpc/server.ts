/**
 * A gRPC server on node:http2: methods, the connections of clients, and their end. Without TLS: the port is of the loopback interface
 * until there is any.
 */
import { once } from 'node:events';
import http2, { type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import type { Logger } from '../../process/log.ts';
import { acceptWaiting } from '../../process/waiting-connections.ts';
import { Allowance, mostUnfinishedBytes } from './allowance.ts';
import { BrokenConnections } from './broken-connections.ts';
import { refusedAs, statusTrailers } from './call-headers.ts';
import { Heartbeat } from './heartbeat.ts';
import { type Begun, type Codec, Http2Call, type ServerCall } from './server-call.ts';
import { status, statusName } from './status.ts';

/**
 * Connections that wait to be accepted; Linux has 4,096 by itself (net.core.somaxconn). With Node's 511, those of a mesh that comes back
 * to a server that was started again try again after 1, 3, 7 … 31 seconds.
 */
const mostUnaccepted = 4_096;

/** In one turn of the event loop; each costs some 0.1 ms. */
const mostAccepted = 32;

/** On one connection. An Envoy that does not aggregate has one for the endpoints of each cluster. */
const mostStreams = 2_000;

/** Finds clients whose machine is gone: nothing else would end their streams. */
const keepaliveMs = 30_000;
const pongMs = 10_000;

/** How long calls have to take their end before they are cut. */
const shutdownMs = 2_000;

/** An agent that reconnects lists every resource it holds, with its version. */
const mostMessageBytes = 16 * 1024 * 1024;

export interface Method<Request, Response> extends Codec<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
}

/** A call that this server has ended, with the name of its status and the sentence that went with it. */
export interface EndedCall {
  readonly method: string;
  readonly code: string;
  readonly details: string;
}

export interface GrpcServerOptions {
  readonly log: Logger;
  readonly onEnded: (end: EndedCall) => void;
  /** A connection was cut, for what came on it is no HTTP/2. */
  readonly onBroken: () => void;
  /** Of messages that have begun to come, on one connection; less in tests. */
  readonly mostUnfinishedBytes?: number;
}

/** Of a path that is told of: clients may name any. */
const mostPath = 200;

type Accept = (begun: Begun) => void;

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #broken: BrokenConnections;
  readonly #server = http2.createServer({
    settings: { maxConcurrentStreams: mostStreams, enablePush: false },
    // How much may lie in wait for a client is for each service to say.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  });
  readonly #methods = new Map<string, Accept>();
  readonly #sockets = new Map<ServerHttp2Session, Socket>();
  #isAccepting = false;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#broken = new BrokenConnections(options.log, options.onBroken);
    // Before the listener of Node, which makes its session at once: a session does not show its socket.
    this.#server.prependListener('connection', (socket: Socket) => {
      this.#broken.watch(socket);
      this.#server.once('session', (session) => this.#onSession(session, socket));
    });
    this.#server.on('connection', () => this.#acceptWaiting());
  }

  /** The full names of the services that have methods here. */
  get services(): readonly string[] {
    return [...new Set([...this.#methods.keys()].map((path) => path.split('/')[1] ?? ''))];
  }

  /** `mostBytes`: of one message of the client; what has more ends its call with RESOURCE_EXHAUSTED. */
  add<Request, Response>(
    method: Method<Request, Response>,
    handle: (call: ServerCall<Request, Response>) => void,
    mostBytes = mostMessageBytes,
  ): void {
    const { path } = method;
    const { log } = this.#options;
    const options = {
      codec: method,
      mostBytes,
      onEnded: (code: number, details: string) => this.#tell(path, code, details),
      onFault: (error: unknown) =>
        log.error({ err: error, method: path }, 'a message on a gRPC stream could not be handled'),
    };
    this.#methods.set(path, (begun) => new Http2Call(begun, options).begin(begun.headers, handle));
  }

  /** Answers the port. Throws an Error with a sentence when it cannot. */
  async listen({ host, port }: HostPort): Promise<number> {
    try {
      this.#server.listen({ host, port, backlog: mostUnaccepted });
      await once(this.#server, 'listening');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot listen on ${formatHostPort({ host, port })} for gRPC: ${reason}`);
    }
    // One connection could not be accepted: the next may be.
    this.#server.on('error', (error) =>
      this.#options.log.warn({ err: error }, 'a gRPC connection could not be accepted'),
    );
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Takes no more connections and no more calls; resolves when those that there are have ended, or were cut after 2 s. */
  async close(): Promise<void> {
    this.#broken.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Of those that it did not accept itself the server does not know.
    const gone = [...this.#sockets.values()].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const session of this.#sockets.keys()) session.close();
    const patience = setTimeout(() => {
      for (const [session, socket] of this.#sockets) cut(session, socket);
    }, shutdownMs);
    await Promise.all([closed, ...gone]);
    clearTimeout(patience);
  }

  /** In the turn of the event loop in which one has come. */
  #acceptWaiting(): void {
    if (this.#isAccepting) return;
    this.#isAccepting = true;
    try {
      for (const socket of acceptWaiting(this.#server, mostAccepted)) this.#server.emit('connection', socket);
    } finally {
      this.#isAccepting = false;
    }
  }

  #onSession(session: ServerHttp2Session, socket: Socket): void {
    this.#sockets.set(session, socket);
    const allowance = new Allowance(this.#options.mostUnfinishedBytes ?? mostUnfinishedBytes);
    const heartbeat = new Heartbeat(session);
    session.on('stream', (stream, headers) => this.#onStream({ stream, headers, allowance, heartbeat }));
    let pong: NodeJS.Timeout | undefined;
    const ping = setInterval(() => {
      // The client has said goodbye, and keeps the connection open.
      if (session.destroyed) {
        cut(session, socket);
        return;
      }
      pong ??= setTimeout(() => cut(session, socket), pongMs).unref();
      heartbeat.ask(() => {
        clearTimeout(pong);
        pong = undefined;
      });
    }, keepaliveMs).unref();
    session.once('close', () => {
      clearInterval(ping);
      clearTimeout(pong);
      this.#sockets.delete(session);
    });
  }

  #onStream(begun: Begun): void {
    const { stream, headers } = begun;
    const refusal = refusedAs(headers);
    const path = headers[':path'] ?? '';
    const accept = this.#methods.get(path);
    if (refusal === undefined && accept !== undefined) {
      accept(begun);
      return;
    }
    stream.on('error', () => {});
    stream.resume();
    if (refusal !== undefined) {
      stream.respond({ ':status': refusal }, { endStream: true });
      return;
    }
    const sentence = 'this server has no such method';
    const trailers = statusTrailers(status.UNIMPLEMENTED, sentence);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
    this.#tell(path, status.UNIMPLEMENTED, sentence);
  }

  #tell(method: string, code: number, details: string): void {
    this.#options.onEnded({ method: method.slice(0, mostPath), code: statusName(code), details });
  }
}

/**
 * At once, its calls first. By itself a session that is destroyed waits for its client to take what it was sent, and to close its side of
 * the connection: it has not closed until then.
 */
function cut(session: ServerHttp2Session, socket: Socket): void {
  session.destroy();
  socket.destroy();
}
