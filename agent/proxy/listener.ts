/** What outbound, upstream ports and inbound have in common: a listener whose every request is counted and answered. */
import type { Clock, Random } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { Deadlines } from '../http1/deadlines.ts';
import { startHttpListener } from '../http1/http-listener.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import type { ForwardedHeader } from './forwarded.ts';
import { Mirrors } from './mirrors.ts';
import { Pools } from './pools.ts';
import { RequestHeadWriter } from './request-head-writer.ts';
import type { Statistics } from './statistics.ts';

export interface ListenerOptions {
  /** Port 0 takes a free one. */
  readonly listen: HostPort;
  readonly statistics: Statistics;
  readonly clock: Clock;
  readonly random: Random;
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

/** What tells one kind of listener from another. */
export interface ListenerKind extends Pick<ExchangeContext, 'route'> {
  /** Headers that tell upstreams where a request came from. */
  readonly forwarded: readonly ForwardedHeader[];
  readonly withoutReason?: boolean;
  readonly onUnreachable?: (() => void) | undefined;
}

const defaultDrainTimeoutMs = 10_000;
/** Longer than any agent keeps an idle connection, so that it is the caller who ends it: nobody sends into a closing one. */
const idleTimeoutMs = 120_000;
/** A head that takes longer is an attack or a dead client. */
const headTimeoutMs = 60_000;
/** Each costs a descriptor and some 3 KB; an application that needs more is not well. */
const mostConnections = 50_000;

/** Rejects when it cannot listen. */
export async function startListener(options: ListenerOptions, kind: ListenerKind): Promise<ProxyListener> {
  const { listen, statistics, clock, random, drainTimeoutMs = defaultDrainTimeoutMs, onFault = () => {} } = options;
  const deadlines = new Deadlines(clock);
  const pools = new Pools(deadlines);
  const call = { statistics, pools, deadlines, clock, random };
  const mirrors = new Mirrors(call);
  const context: ExchangeContext = {
    ...call,
    mirrors,
    route: kind.route,
    headWriter: new RequestHeadWriter(kind.forwarded),
    withoutReason: kind.withoutReason ?? false,
    onUnreachable: kind.onUnreachable,
    onFault,
  };
  const server = await startHttpListener({
    listen,
    deadlines,
    clock,
    headTimeoutMs,
    idleTimeoutMs,
    mostConnections,
    createHandler: (connection) => new Exchange(connection, context),
    onTooMany: () => statistics.countTooMany(),
  });
  return {
    address: server.address,
    async close() {
      await server.close(drainTimeoutMs);
      mirrors.close();
      pools.close();
      deadlines.close();
    },
  };
}
