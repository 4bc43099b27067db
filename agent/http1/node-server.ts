/** The downstream side of the seam on node:http. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import type { Clock } from '../../process/clock.ts';
import type { Exchange, HttpServer, HttpServerOptions, ShortAnswer, Unreadable } from './http-server.ts';
import type { BodyFraming, RequestHead, ResponseHead } from './message.ts';

/** Longer than any agent keeps an idle connection, so that it is the caller who ends it: nobody sends into a closing one. */
const keepAliveTimeoutMs = 120_000;
/** A head that takes longer is an attack or a dead client. */
const headTimeoutMs = 60_000;
/** Cookies and tokens of real users fit; Envoy's limit is 60 KiB. */
export const mostHeadBytes = 64 * 1024;

export async function startNodeServer(options: HttpServerOptions, clock: Clock): Promise<HttpServer> {
  const server = createServer({
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: headTimeoutMs,
    // No limit to the whole request: an upload may take as long as it makes progress.
    requestTimeout: 0,
    maxHeaderSize: mostHeadBytes,
    // The proxy says what is wrong with a missing Host.
    requireHostHeader: false,
  });
  // The size of the head is limited; beyond a number of headers node:http would drop the rest without a word.
  server.maxHeadersCount = 0;
  const drain = { isDraining: false };
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const inFlight = new WeakMap<Duplex, number>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    inFlight.set(request.socket, (inFlight.get(request.socket) ?? 0) + 1);
    response.once('close', () => {
      inFlight.set(request.socket, (inFlight.get(request.socket) ?? 1) - 1);
      if (drain.isDraining) setImmediate(() => server.closeIdleConnections());
    });
    options.onRequest(new NodeExchange(request, response, drain));
  };
  server.on('request', onRequest);
  // Any other expectation than 100-continue is for the application to judge.
  server.on('checkExpectation', onRequest);
  server.on('connect', (_request, socket) => answerRaw(socket, options.onUnreadable('connect', '')));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const isAnswering = (inFlight.get(socket) ?? 0) > 0;
    if (!socket.writable || isAnswering || error.code === 'ECONNRESET') socket.destroy();
    else answerRaw(socket, options.onUnreadable(unreadable(error.code), error.message));
  });
  const { port } = await listen(server, options.listen);
  return {
    address: { host: options.listen.host, port },
    close(graceMs) {
      drain.isDraining = true;
      const closed = closeServer(server, graceMs, clock);
      // node:http does not count a connection as idle before its first request.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      return closed;
    },
  };
}

class NodeExchange implements Exchange {
  readonly head: RequestHead;
  readonly body: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #drain: { readonly isDraining: boolean };

  constructor(request: IncomingMessage, response: ServerResponse, drain: { readonly isDraining: boolean }) {
    this.head = {
      method: request.method ?? '',
      target: request.url ?? '',
      fields: request.rawHeaders,
      framing: framingOf(request),
    };
    this.body = request;
    this.#response = response;
    this.#drain = drain;
    // A client that resets its connection is reported by `onGone`; without a listener it would end the process.
    request.on('error', ignore);
    response.on('error', ignore);
  }

  respond(head: ResponseHead): Writable {
    // The connection of the last answer before the end says so, and the client sends nothing more on it.
    const fields = this.#drain.isDraining ? [...head.fields, 'Connection', 'close'] : [...head.fields];
    return this.#response.writeHead(head.status, head.statusText, fields);
  }

  abort(): void {
    this.#response.destroy();
  }

  onGone(listener: () => void): void {
    if (this.#response.closed) listener();
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }
}

function framingOf({ headers }: IncomingMessage): BodyFraming {
  if (headers['transfer-encoding'] !== undefined) return 'chunked';
  return headers['content-length'] === undefined ? 'none' : 'sized';
}

function unreadable(code: string | undefined): Unreadable {
  if (code === 'HPE_HEADER_OVERFLOW') return 'head-too-large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'head-too-slow' : 'malformed';
}

/** node:http has no response object for what it could not parse. */
function answerRaw(socket: Duplex, { head, body }: ShortAnswer): void {
  const lines = [`HTTP/1.1 ${head.status} ${head.statusText}`];
  for (let i = 0; i < head.fields.length; i += 2) lines.push(`${head.fields[i]}: ${head.fields[i + 1]}`);
  socket.on('error', ignore);
  socket.end(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`, () => socket.destroy());
}

function ignore(): void {}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not a TCP socket'));
      else resolve(address);
    });
  });
}

function closeServer(server: Server, graceMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const callOff = clock.after(graceMs, () => server.closeAllConnections());
    server.close(() => {
      callOff();
      resolve();
    });
    server.closeIdleConnections();
  });
}
