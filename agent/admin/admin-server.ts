/** The agent's own HTTP port, for operators and probes: what it is, has and does. Serves no mesh traffic. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { HostPort } from '../../process/host-port.ts';
import type { AdminAgent, AdminEntries } from './admin-agent.ts';
import { type Answer, answerOfEntries, endpoints, problem } from './admin-endpoints.ts';
import { objectionTo } from './browser-guard.ts';

export interface AdminOptions {
  readonly listen: HostPort;
  /** One, or those that there are at the time. */
  readonly agents: AdminAgent | (() => AdminEntries);
}

export interface AdminServer {
  readonly address: HostPort;
  close(): Promise<void>;
}

/** Rejects when the address cannot be listened on. */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = createServer((request, response) => {
    void answer(request, options).then(
      (result) => {
        // A body that nobody has asked for would keep the connection.
        request.resume();
        send(request, response, result);
      },
      () => response.destroy(),
    );
  });
  server.listen(options.listen.port, options.listen.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.listen.port;
  return {
    address: { host: options.listen.host, port },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, { agents }: AdminOptions): Promise<Answer> {
  const objection = objectionTo(request.headers);
  if (objection !== undefined) return problem(objection.status, objection.sentence);
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined;
  if (endpoint === undefined) {
    const paths = Object.keys(endpoints).join(', ');
    return problem(404, `there is no ${path.slice(0, 200)} here; there are ${paths}`);
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== endpoint.method) {
    return { ...problem(405, `${path} takes ${endpoint.method}`), headers: { allow: endpoint.method } };
  }
  const { mostBytes } = endpoint;
  const body = mostBytes === undefined ? '' : await readBody(request, mostBytes);
  if (body === undefined) {
    return { ...problem(413, `the body is larger than ${mostBytes} bytes`), headers: { connection: 'close' } };
  }
  return typeof agents === 'function'
    ? answerOfEntries(endpoint, agents(), query, body)
    : endpoint.answer(agents, body);
}

/** Undefined when there is too much of it. */
async function readBody(request: IncomingMessage, mostBytes: number): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  // What is too much is not read, and the connection still has an answer to carry.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    bytes += piece.length;
    if (bytes > mostBytes) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function send(request: IncomingMessage, response: ServerResponse, { status, body, headers }: Answer): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body, undefined, 2)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
