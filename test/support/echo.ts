/** Applications without an agent: each says who it is and what it was asked, and is registered by the REST API. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import type { Mesh } from './start-mesh.ts';

/** What an application answers with, unless the path asks for something else. */
export interface Echo {
  readonly instance: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface EchoApp {
  readonly address: string;
  readonly port: number;
  /** Paths that it was asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/**
 * `/status/503` is answered with that status, `/once/503` with it the first time alone; `/slow/300` after so many milliseconds;
 * `/reset` breaks the connection off.
 */
export async function startEcho(instance: string): Promise<EchoApp> {
  const asked: string[] = [];
  const failed = new Set<string>();
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const { method = '', url = '', headers } = request;
    asked.push(url);
    const [, kind = '', value = ''] = /^\/(status|once|slow|reset)\/?(\d*)/.exec(url) ?? [];
    const echo = JSON.stringify({ instance, method, url, headers });
    if (kind === 'reset') return void request.socket.destroy();
    if (kind === 'slow') return void setTimeout(() => response.end(echo), Number(value));
    if (kind === 'status' || (kind === 'once' && !failed.has(url))) response.statusCode = Number(value);
    failed.add(url);
    response.setHeader('x-taken', '1');
    response.end(echo);
  });
  const port = await listen(server);
  return { address: '127.0.0.1', port, asked, close: () => close(server, () => server.closeAllConnections()) };
}

/** Says its name to whoever connects, and ends with the connection. */
export async function startTcpEcho(instance: string): Promise<EchoApp> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.end(instance);
  });
  const port = await listen(server);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { address: '127.0.0.1', port, asked: [], close: () => close(server, cut) };
}

/** What the other side says to a connection before it ends it. */
export async function readConnection(at: string): Promise<string> {
  const [host = '', port] = at.split(':');
  const socket = net.connect(Number(port), host);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

/** Registers an application that has no agent; it stays for an hour. */
export async function register(
  mesh: Mesh,
  service: string,
  id: string,
  instance: {
    readonly port: number;
    readonly portName?: string;
    readonly version?: string;
    readonly zone?: string;
    readonly weight?: number;
  },
): Promise<void> {
  const { port, portName, version = 'v1', zone = '', weight = 1 } = instance;
  const ports = portName === undefined ? { port } : { ports: { [portName]: port } };
  const body = { address: '127.0.0.1', ...ports, labels: { version }, zone, weight, ttl: '1h' };
  const { status } = await mesh.call('PUT', `/services/${service}/instances/${id}`, JSON.stringify(body));
  if (status >= 300) throw new Error(`${service}/${id} was not registered: ${status}`);
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: net.Server, cut: () => void): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  cut();
  await closed;
}
