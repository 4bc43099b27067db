/** What outbound, upstream ports and inbound have in common: an HTTP server whose every request is counted and answered. */
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import type { HttpClient } from '../http1/http-client.ts';
import type { Exchange, ShortAnswer, Unreadable } from '../http1/http-server.ts';
import { fieldValue, type RequestHead } from '../http1/message.ts';
import { createNodeClient } from '../http1/node-client.ts';
import { startNodeServer } from '../http1/node-server.ts';
import { type Ending, type Refusal, refuse, shortAnswer } from './local-answer.ts';
import type { RequestRecord, Statistics } from './statistics.ts';

export interface ListenerOptions {
  /** Port 0 takes a free one. */
  readonly listen: HostPort;
  readonly statistics: Statistics;
  readonly clock: Clock;
  /** How long `close` lets requests under way finish. 10 s when not given. */
  readonly drainTimeoutMs?: number;
  /** Told of faults of the agent itself, for its log. Their requests were answered with 500. */
  readonly onFault?: (error: unknown) => void;
}

export interface ProxyListener {
  /** With the port that port 0 became. */
  readonly address: HostPort;
  /** Stops accepting, lets requests under way finish within the drain timeout, and ends all connections. */
  close(): Promise<void>;
}

/** Answers or aborts the exchange, and resolves when that is done. */
export type Serve = (exchange: Exchange, record: RequestRecord) => Promise<Ending>;

const defaultDrainTimeoutMs = 10_000;

/**
 * How long an unused connection to an upstream is kept. Shorter than the shortest keep-alive in wide use (5 s, of Node and
 * of uvicorn), so that it is this side that ends it and no request meets a connection that just closes.
 */
const idleTimeoutMs = 4_000;

/** The client with which a listener passes requests on; closed with it. */
export function createUpstreamClient({ clock }: Pick<ListenerOptions, 'clock'>): HttpClient {
  return createNodeClient({ idleTimeoutMs, clock });
}

/** Rejects when it cannot listen. */
export async function startListener(
  { listen, statistics, clock, drainTimeoutMs = defaultDrainTimeoutMs, onFault }: ListenerOptions,
  { client, serve }: { readonly client: HttpClient; readonly serve: Serve },
): Promise<ProxyListener> {
  const onRequest = async (exchange: Exchange) => {
    const record = statistics.begin();
    const unsupported = refusedUpgrade(exchange.head);
    try {
      record.ended(unsupported ? refuse(exchange, unsupported) : await serve(exchange, record));
    } catch (error) {
      onFault?.(error);
      record.ended(answerFault(exchange));
    }
  };
  const onUnreadable = (what: Unreadable, detail: string): ShortAnswer => {
    const refusal = unreadable(what, detail);
    statistics.countUnreadable(refusal.reason);
    return shortAnswer(refusal);
  };
  const server = await startNodeServer({ listen, onRequest, onUnreadable }, clock);
  return {
    address: server.address,
    async close() {
      await server.close(drainTimeoutMs);
      client.close();
    },
  };
}

function answerFault(exchange: Exchange): Ending {
  try {
    return refuse(exchange, { reason: 'internal', sentence: 'the agent failed at this request; its log says why' });
  } catch {
    // The head of an answer is out already.
    exchange.abort();
    return { is: 'broken-off' };
  }
}

function unreadable(what: Unreadable, detail: string): Refusal {
  switch (what) {
    case 'malformed':
      return { reason: 'bad-request', sentence: `this is no HTTP/1.1 request: ${detail}` };
    case 'head-too-large':
      return { reason: 'head-too-large', sentence: 'the head of the request is larger than 64 KiB' };
    case 'head-too-slow':
      return { reason: 'head-too-slow', sentence: 'the head of the request did not arrive in time' };
    case 'connect':
      return { reason: 'not-supported', sentence: 'CONNECT is not supported yet; send requests in absolute form' };
  }
}

/**
 * `h2c` is an offer that a server may leave alone, and the HTTP client of Java makes it with every first request: it is
 * served as HTTP/1.1. A client that asks for a WebSocket cannot go on without it.
 */
function refusedUpgrade({ fields }: RequestHead): Refusal | undefined {
  const protocol = fieldValue(fields, 'upgrade');
  if (protocol === undefined || protocol.toLowerCase() === 'h2c') return undefined;
  return { reason: 'not-supported', sentence: `upgrades to ${protocol} are not supported yet` };
}
