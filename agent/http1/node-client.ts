/** The upstream side of the seam on node:http: connections are kept per address and port, the one used last is used next. */
import { Agent, type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../process/clock.ts';
import type { HttpClient, UpstreamCall, UpstreamOutcome, UpstreamRequest } from './http-client.ts';
import type { RequestHead } from './message.ts';
import { mostHeadBytes } from './node-server.ts';

export interface NodeClientOptions {
  /** How long an unused connection is kept: less than the other side keeps it, or requests meet one that just closes. */
  readonly idleTimeoutMs: number;
  readonly clock: Clock;
}

/** Idle connections kept per address; more than that were needed only in a rush. */
const mostIdle = 256;

export function createNodeClient({ idleTimeoutMs, clock }: NodeClientOptions): HttpClient {
  // LIFO: the connections that are not needed grow old and end, and those in use are warm.
  const pool = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: idleTimeoutMs, maxFreeSockets: mostIdle });
  return {
    send: (upstream) => new NodeCall(upstream, { pool, clock }),
    close: () => pool.destroy(),
  };
}

class NodeCall implements UpstreamCall {
  readonly outcome: Promise<UpstreamOutcome>;
  #settle: (outcome: UpstreamOutcome) => void = () => {};
  readonly #request: ClientRequest | undefined;

  constructor(upstream: UpstreamRequest, { pool, clock }: { readonly pool: Agent; readonly clock: Clock }) {
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    try {
      this.#request = sendRequest({
        host: upstream.address,
        port: upstream.port,
        method: upstream.head.method,
        path: upstream.head.target,
        headers: fieldsOf(upstream.head),
        setHost: false,
        maxHeaderSize: mostHeadBytes,
        // Without a pool: a new connection that is closed after the answer.
        agent: upstream.connection === 'fresh' ? false : pool,
      });
    } catch (error) {
      // node:http refuses what it would not write: a control character that came in by a lenient parser.
      this.#settle({ is: 'lost', stale: false, detail: detailOf(error) });
      return;
    }
    this.#follow(this.#request, upstream, clock);
  }

  abort(): void {
    this.#settle({ is: 'aborted' });
    this.#request?.destroy();
  }

  #follow(request: ClientRequest, { sendBody, connectTimeoutMs }: UpstreamRequest, clock: Clock): void {
    let connected: { readonly socket: Socket; readonly bytesRead: number } | undefined;
    const onConnected = (socket: Socket) => {
      connected = { socket, bytesRead: socket.bytesRead };
      sendBody(request);
    };
    request.once('socket', (socket) => {
      if (!socket.connecting) return onConnected(socket);
      const callOff = clock.after(connectTimeoutMs, () =>
        socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      );
      socket.once('close', callOff);
      socket.once('connect', () => {
        callOff();
        onConnected(socket);
      });
    });
    request.once('response', (response) => this.#settle(answered(response)));
    // Also after the outcome: what happens to the connection then, the reader of the answer's body is told.
    request.on('error', (error) => {
      if (connected === undefined) return this.#settle({ is: 'unreachable', detail: detailOf(error) });
      const stale = request.reusedSocket && connected.socket.bytesRead === connected.bytesRead;
      this.#settle({ is: 'lost', stale, detail: detailOf(error) });
    });
  }
}

function answered(response: IncomingMessage): UpstreamOutcome {
  const { statusCode = 0, statusMessage = '', rawHeaders } = response;
  return {
    is: 'answered',
    head: { status: statusCode, statusText: statusMessage, fields: rawHeaders },
    body: response,
  };
}

/** node:http chunks the body of a POST without a length, even where there is no body. */
function fieldsOf({ method, fields, framing }: RequestHead): string[] {
  if (framing === 'chunked') return [...fields, 'Transfer-Encoding', 'chunked'];
  return framing === 'none' && !isUsuallyWithoutBody(method) ? [...fields, 'Content-Length', '0'] : [...fields];
}

function isUsuallyWithoutBody(method: string): boolean {
  return ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'].includes(method);
}

/** Several addresses of one name fail with an error that has a code, but no message. */
function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}
