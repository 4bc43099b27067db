/** Applications, listeners and clients on real sockets for the tests of the proxy, all closed by `close`. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type ServerOpts, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type InboundOptions,
  type RedirectedInboundOptions,
  startInbound,
  startRedirectedInbound,
} from '../../../../agent/proxy/inbound.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { type OutboundOptions, startOutbound, startUpstream } from '../../../../agent/proxy/outbound.ts';
import { AccessLog } from '../../../../agent/telemetry/access-log.ts';
import { createStatistics, type Statistics } from '../../../../agent/telemetry/statistics.ts';
import type { MeshDirectory, Resolution } from '../../../../agent/view/mesh-directory.ts';
import { createEmptyMeshView, type MeshResources, type MeshView } from '../../../../agent/view/mesh-view.ts';
import { rulesInView } from '../../../../agent/view/rules-in-view.ts';
import type { Clock } from '../../../../process/clock.ts';
import { systemClock } from '../../../../process/clock.ts';
import { viewOf } from '../view/resources.ts';

const loopback = { host: '127.0.0.1', port: 0 };

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A line of the access log, as far as tests look at it. */
export interface LoggedLine {
  readonly [key: string]: string | number | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
}

/** A directory whose view the test swaps, and whose answers it gives. */
export class FakeDirectory implements MeshDirectory {
  view: MeshView = createEmptyMeshView();
  /** The agent's. */
  zone = '';
  obstacle = '';
  /** Every name that was asked for. */
  readonly asked: string[] = [];
  /** What `resolve` answers. */
  answer: (name: string) => Resolution | Promise<Resolution> = () => 'absent';

  swap(resources: MeshResources): void {
    this.view = viewOf(resources, this.view, this.zone);
  }

  async resolve(name: string): Promise<Resolution> {
    this.asked.push(name);
    return this.answer(name);
  }
}

/** Time that stands still until the test lets it pass. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.#now)) {
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

export class World {
  readonly directory = new FakeDirectory();
  readonly statistics: Statistics = createStatistics(() => rulesInView(this.directory.view));
  /** Of the access log: one for each request that has ended. */
  readonly lines: LoggedLine[] = [];
  readonly #accessLog = new AccessLog({
    lines: {
      write: (bytes, length) => void this.lines.push(JSON.parse(bytes.toString('utf8', 0, length))),
      counts: { written: 0, dropped: 0 },
    },
    samplePercent: 100,
    slowMs: undefined,
    clock: systemClock,
    random: Math.random,
  });
  readonly faults: unknown[] = [];
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];

  /** An HTTP application; without a handler it answers its name. Its port. */
  async app(name: string, handler: Handler = (_request, response) => response.end(name)): Promise<number> {
    const server = createServer({ keepAliveTimeout: 60_000 }, handler);
    server.listen(loopback.port, loopback.host);
    await once(server, 'listening');
    this.#closers.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    return (server.address() as AddressInfo).port;
  }

  /** A server that the test speaks HTTP for, byte by byte. Its port. */
  async tcp(onConnection: (socket: Socket) => void, options: ServerOpts = {}): Promise<number> {
    const sockets: Socket[] = [];
    const server = createTcpServer(options, (socket) => {
      sockets.push(socket.on('error', () => {}));
      onConnection(socket);
    });
    server.listen(loopback.port, loopback.host);
    await once(server, 'listening');
    this.#closers.push(
      () => server.close(),
      () => sockets.forEach((socket) => void socket.destroy()),
    );
    return (server.address() as AddressInfo).port;
  }

  /** A port on which nobody listens, nor will: one side of a connection has it. */
  async deadPort(): Promise<number> {
    const holder = connect({ host: loopback.host, port: await this.tcp(() => {}) });
    await once(holder, 'connect');
    this.#closers.push(() => void holder.destroy());
    return holder.localPort ?? 0;
  }

  outbound(options: Partial<OutboundOptions> = {}): Promise<ProxyListener> {
    return this.#started(startOutbound({ ...this.#common(), namespace: 'default', ...options }));
  }

  upstream(service: string, port?: number, clock: Clock = systemClock): Promise<ProxyListener> {
    return this.#started(startUpstream({ ...this.#common(), service, port, clock }));
  }

  inbound(options: Pick<InboundOptions, 'app'> & Partial<InboundOptions>): Promise<ProxyListener> {
    const identity = { service: 'reviews.default', id: 'reviews-1' };
    return this.#started(startInbound({ ...this.#common(), identity, ...options }));
  }

  /** An inbound to which packet rules redirect. */
  redirectedInbound(options: Pick<RedirectedInboundOptions, 'ports' | 'destinationOf'>): Promise<ProxyListener> {
    const identity = { service: 'reviews.default', id: 'reviews-1' };
    return this.#started(startRedirectedInbound({ ...this.#common(), identity, ...options }));
  }

  /** What is counted as under way: nothing, when all requests have ended. */
  underWay(): Record<string, number> {
    const { active, clusters } = this.statistics.snapshot();
    const counted = [...this.directory.view.clusters.values()].flatMap(({ name, breaker, endpoints }) => [
      [`requests of ${name}`, clusters[name]?.active ?? 0],
      ...(['pending', 'requests', 'retries'] as const).map((what) => [
        `breaker ${what} of ${name}`,
        breaker.counts[what],
      ]),
      ...endpoints.map(({ address, port, load }) => [`load of ${address}:${port}`, load.active]),
    ]);
    return Object.fromEntries([['requests', active], ...counted].filter(([, count]) => count !== 0));
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    const { requests, active, attempts } = this.statistics.snapshot();
    if (this.lines.length !== requests || active !== 0) {
      throw new Error(`${requests} requests, of which ${active} have not ended, have ${this.lines.length} lines`);
    }
    // On a port that nobody has declared, attempts may be nobody's.
    if (this.lines.some(({ protocol }) => protocol === 'tcp')) return;
    const counted = Object.values(attempts).reduce((sum, count) => sum + count, 0);
    const logged = this.lines.reduce((sum, line) => sum + Math.max(0, Number(line.attempts) - 1), 0);
    if (counted !== logged) throw new Error(`${counted} further attempts are counted, and ${logged} logged`);
  }

  #common() {
    const { directory, statistics } = this;
    const onFault = (error: unknown) => void this.faults.push(error);
    return {
      listen: loopback,
      directory,
      statistics,
      name: 'test',
      accessLog: this.#accessLog,
      clock: systemClock,
      random: Math.random,
      drainTimeoutMs: 100,
      onFault,
    };
  }

  async #started(starting: Promise<ProxyListener>): Promise<ProxyListener> {
    const listener = await starting;
    this.#closers.push(() => listener.close());
    return listener;
  }
}

/** One request, on a connection of its own unless an agent is given. `target` may be in absolute form. */
export async function ask({ address }: ProxyListener, target: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = { host: 'reviews' }, body, agent = false } = options;
  const request = sendRequest({ host: address.host, port: address.port, path: target, method, headers, agent });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** Sends bytes and reads everything until the other side closes. */
export async function askRaw({ address }: ProxyListener, bytes: string): Promise<string> {
  const socket = connect(address.port, address.host);
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  return text(socket);
}

/**
 * Clients that send one request after another, each on a connection that it keeps; a connection that closes is replaced,
 * and counted.
 */
export async function runLoad(
  listener: ProxyListener,
  { clients, requests }: { readonly clients: number; readonly requests: number },
): Promise<{ readonly answers: readonly string[]; readonly connections: number }> {
  const answers: string[] = [];
  const sockets = new Set<unknown>();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let n = 0; n < requests; n++) {
        const { status, body } = await ask(listener, '/', { agent });
        answers.push(`${status} ${body}`);
        for (const socket of Object.values(agent.freeSockets).flat()) sockets.add(socket);
      }
      agent.destroy();
    }),
  );
  return { answers, connections: sockets.size };
}

/** Reason and sentence of an answer that an agent made. */
export function reasonOf({ status, headers, body }: Answer) {
  return { status, reason: headers['x-sluice-reason'], sentence: body.trim() };
}

/** Without what the agent adds to every request that has none: the ids of the request and of its trace. */
export function withoutTrace(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { traceparent: _traceparent, 'x-request-id': _id, ...others } = headers;
  return others;
}
