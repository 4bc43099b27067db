/** Serves the API on an address, and lets go of it in order: streams end, waits answer, connections close. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { type ApiOptions, createApi } from './api.ts';
import type { ControlPlane } from './ports.ts';
import { problemContentType } from './problem-response.ts';

export interface StartApiOptions extends Omit<ApiOptions, 'closing'> {
  readonly listen: { readonly host: string; readonly port: number };
}

export interface RunningApi {
  /** `HOST:PORT` as it turned out: the port is never 0. */
  readonly address: string;
  close(): Promise<void>;
}

/** A request has to arrive in this time; how long its answer takes is its own business (`wait=`). */
const requestTimeoutMs = 60_000;
const headersTimeoutMs = 15_000;
/** Longer than the idle time of the usual load balancers, or they send requests into closing connections. */
const keepAliveTimeoutMs = 75_000;
/** What answers have left after everything was told to end. */
const closeGraceMs = 2_000;

/** Rejects with a sentence when it cannot listen there. */
export async function startApi(controlPlane: ControlPlane, options: StartApiOptions): Promise<RunningApi> {
  const { listen, ...rest } = options;
  const closing = new AbortController();
  const app = createApi(controlPlane, { ...rest, closing: closing.signal });
  // TCP keep-alive notices clients that vanished while they waited.
  const server = createServer({ keepAlive: true, keepAliveInitialDelay: 30_000 }, app);
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = headersTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.timeout = 0;
  server.on('clientError', answerGarbage);
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  const address = await startListening(server, listen);
  return {
    address,
    close: () => {
      closing.abort();
      return closeServer(server, connections);
    },
  };
}

function startListening(server: Server, { host, port }: StartApiOptions['listen']): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error(`cannot listen on ${hostPort(host, port)} for HTTP: ${cause.message}`, { cause }));
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(isAddressInfo(bound) ? hostPort(bound.address, bound.port) : hostPort(host, port));
    });
  });
}

function closeServer(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const impatient = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    server.close(() => {
      clearTimeout(impatient);
      resolve();
    });
    server.closeIdleConnections();
    // To Node a connection is not idle before its first request. Pools of clients open some for requests to come.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  });
}

/** Bytes that are no HTTP never become a request, so Express cannot answer them. */
function answerGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request'];
  const detail = status === 400 ? 'this is not a valid HTTP request' : title.toLowerCase();
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, code: 'INVALID_REQUEST', errors: [] });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${problemContentType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

function hostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
