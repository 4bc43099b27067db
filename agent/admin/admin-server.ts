/** The agent's own HTTP port, for operators and probes: what it is, has and does. Serves no mesh traffic. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { formatProblem } from '../../model/problem.ts';
import type { HostPort } from '../../process/host-port.ts';
import type { AgentReport } from './agent-report.ts';
import { objectionTo } from './browser-guard.ts';
import { dumpConfig } from './config-dump.ts';
import type { LookedAtMesh } from './explain-request.ts';
import { metricsContentType, renderMetrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';
import { statsOf } from './stats.ts';

export interface AdminOptions {
  readonly listen: HostPort;
  readonly report: () => Promise<AgentReport>;
  readonly readiness: () => Readiness;
  readonly mesh: () => LookedAtMesh;
  /** Asks callers to send no new requests; resolves when they know, or the deadline is over. */
  readonly drain: () => Promise<void>;
}

export interface AdminServer {
  readonly address: HostPort;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Endpoint {
  readonly method: 'GET' | 'POST';
  readonly answer: (options: AdminOptions, body: string) => Answer | Promise<Answer>;
  /** Of the body; without it nobody reads one. */
  readonly mostBytes?: number;
}

/** Longer than any head that the agent would take. */
const mostExplainBytes = 128 * 1024;

const endpoints: Readonly<Record<string, Endpoint>> = {
  '/ready': {
    method: 'GET',
    answer: ({ readiness }) => {
      const body = readiness();
      return { status: body.ready ? 200 : 503, body };
    },
  },
  '/stats': { method: 'GET', answer: async ({ report }) => ok(statsOf(await report())) },
  '/config_dump': { method: 'GET', answer: async ({ report }) => ok(dumpConfig(await report())) },
  '/clusters': { method: 'GET', answer: async ({ report }) => ok((await report()).clusters) },
  '/metrics': {
    method: 'GET',
    answer: async ({ report }) => ({
      status: 200,
      body: renderMetrics(await report()),
      headers: { 'content-type': metricsContentType },
    }),
  },
  '/drain': {
    method: 'POST',
    answer: async ({ drain, readiness }) => {
      await drain();
      return ok(readiness());
    },
  },
  '/explain': { method: 'POST', answer: explain, mostBytes: mostExplainBytes },
};

async function explain({ mesh, report }: AdminOptions, body: string): Promise<Answer> {
  // Most agents are never asked, and need not carry what reads it.
  const { readExplainBody } = await import('./explain-body.ts');
  const { explainRequest } = await import('./explain-request.ts');
  const read = readExplainBody(body);
  if ('asked' in read) {
    const { workers } = await report();
    return ok(explainRequest(read.asked, { ...mesh(), workers: workers.length }));
  }
  const { problems } = read;
  const sentence = problems.map(formatProblem).join('; ');
  return { status: 400, body: { status: 400, error: sentence, problems } };
}

/** `GET /ready` and so on. */
export const endpointPaths: readonly string[] = Object.entries(endpoints).map(
  ([path, { method }]) => `${method} ${path}`,
);

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

async function answer(request: IncomingMessage, options: AdminOptions): Promise<Answer> {
  const objection = objectionTo(request.headers);
  if (objection !== undefined) return problem(objection.status, objection.sentence);
  const [path = ''] = (request.url ?? '').split('?');
  const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined;
  if (endpoint === undefined) {
    const paths = Object.keys(endpoints).join(', ');
    return problem(404, `there is no ${path.slice(0, 200)} here; there are ${paths}`);
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== endpoint.method) {
    return { ...problem(405, `${path} takes ${endpoint.method}`), headers: { allow: endpoint.method } };
  }
  if (endpoint.mostBytes === undefined) return endpoint.answer(options, '');
  const body = await readBody(request, endpoint.mostBytes);
  if (body === undefined) {
    return { ...problem(413, `the body is larger than ${endpoint.mostBytes} bytes`), headers: { connection: 'close' } };
  }
  return endpoint.answer(options, body);
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

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function problem(status: number, sentence: string): Answer {
  return { status, body: { status, error: sentence } };
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
