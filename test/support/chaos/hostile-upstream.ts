/** An instance that does to each request what the request says: it answers, or it does one of many things that it should not. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { deeds, isDeed } from './deeds.ts';

export interface HostileUpstream {
  readonly port: number;
  /** Requests that it has seen. */
  readonly requests: number;
  close(): Promise<void>;
}

export async function startHostileUpstream(slowMs: number): Promise<HostileUpstream> {
  let requests = 0;
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0 });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  /** The last one on each connection. */
  const lastRequests = new WeakMap<Socket, IncomingMessage>();
  server.on('upgrade', (request: IncomingMessage) => {
    lastRequests.set(request.socket, request);
    echo(request.socket);
  });
  server.on('request', (request, response) => {
    requests++;
    lastRequests.set(request.socket, request);
    const isLast = () => lastRequests.get(request.socket) === request;
    const name = String(request.headers['x-deed'] ?? 'answer');
    const deed = deeds[isDeed(name) ? name : 'answer'];
    const act = () => deed.act({ request, response, body: bodyOf(request), slowMs, isLast });
    response.on('error', () => {});
    request.on('error', () => {});
    if (request.headers['x-early'] === undefined) request.once('end', act);
    else act();
    request.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get requests() {
      return requests;
    },
    close: () => close(server, sockets),
  };
}

/** What was asked for comes behind its id. */
function bodyOf({ headers }: IncomingMessage): string {
  return `${headers['x-id']}:${'x'.repeat(Number(headers['x-size'] ?? 0))}`;
}

/** A change of protocol is to one in which everything comes back. */
function echo(socket: Socket): void {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.pipe(socket);
}

async function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}
