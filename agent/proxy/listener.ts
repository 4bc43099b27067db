/** What outbound, upstream ports and inbound have in common: a listener whose every request is counted and answered. */
import type { Clock, Random } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import type { Load } from '../balance/balancer.ts';
import { type Accepted, startConnectionListener } from '../http1/connection-listener.ts';
import { Deadlines } from '../http1/deadlines.ts';
import type { OwnConnections } from '../http1/own-connections.ts';
import type { OpenPort } from '../http1/port.ts';
import { ServerConnection } from '../http1/server-connection.ts';
import { closeHandle, type SocketHandle } from '../http1/socket-handle.ts';
import type { Transport } from '../http1/transport.ts';
import { CircuitBreaker, unlimited } from '../resilience/circuit-breaker.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import { RequestWatch } from '../telemetry/request-watch.ts';
import type { Statistics } from '../telemetry/statistics.ts';
import type { ConnectionRoute } from './connection-route.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import type { ForwardedHeader } from './forwarded.ts';
import { Mirrors } from './mirrors.ts';
import { type PoolState, Pools } from './pools.ts';
import { RequestHeadWriter } from './request-head-writer.ts';
import { TcpExchange } from './tcp-exchange.ts';
import { UndecidedConnection } from './undecided-connection.ts';
import { UndeclaredConnection } from './undeclared-connection.ts';

export interface ListenerOptions {
  /** Port 0 takes a free one. */
  readonly listen: HostPort;
  /** How connections come. This process listens when not given. */
  readonly open?: OpenPort | undefined;
  readonly statistics: Statistics;
  /** What the access log calls it. */
  readonly name: string;
  /** None when not given. */
  readonly accessLog?: AccessLog | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** What upstreams are told of where a request came from. The usual when not given. */
  readonly forwarded?: readonly ForwardedHeader[];
  /** How long `close` lets requests under way finish. 10 s when not given. */
  readonly drainTimeoutMs?: number;
  /** Told of faults of the agent itself, for its log. Their requests were answered with 500. */
  readonly onFault?: (error: unknown) => void;
  /** What clients may have under way at the same time; several listeners may share them. None when not given. */
  readonly clientLimits?: CircuitBreaker | undefined;
  /** Where those are noted that this listener begins. */
  readonly ownConnections?: OwnConnections | undefined;
  /** Whether the agent has come here itself, to this port, where it must not: such a connection is closed. Nobody's when not given. */
  readonly comesBack?: ((handle: SocketHandle, port: number) => boolean) | undefined;
}

export interface ProxyListener {
  /** With the port that port 0 became. */
  readonly address: HostPort;
  /** Those that are open now. */
  readonly connections: number;
  /** The connections to an instance; undefined when it was never asked. */
  poolOf(load: Load): PoolState | undefined;
  /** Stops accepting. Connections go on, and end as their clients get answers; `close` follows. */
  retire(): void;
  /** Stops accepting, lets requests under way finish within the drain timeout, and ends all connections. */
  close(): Promise<void>;
  /** Ends all at once: when it returns, every request under way is counted and has its line in the access log. */
  cutOff(): void;
}

/** Where a connection goes as it is, or that its requests go each its own way. */
export type Protocol = 'http' | ConnectionRoute;

/** What becomes of one connection, where its listener's own way is not meant. */
export interface ConnectionPlan {
  readonly protocol: Protocol;
  /** Of its requests, if it has any. */
  readonly route: ExchangeContext['route'];
}

/** What tells one kind of listener from another. */
export interface ListenerKind extends Pick<ExchangeContext, 'route'> {
  /** What is spoken on a connection that has just come. HTTP when not given. */
  readonly protocol?: (
    handle: SocketHandle,
  ) => Protocol | ConnectionPlan | 'refused' | Promise<Protocol | ConnectionPlan>;
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

/** Closed as soon as it has come. */
class RefusedConnection implements Accepted {
  constructor(handle: SocketHandle, onClosed: (connection: Accepted) => void) {
    closeHandle(handle);
    queueMicrotask(() => onClosed(this));
  }

  drain(): void {}

  destroy(): void {}
}

/** Rejects when it cannot listen. */
export async function startListener(options: ListenerOptions, kind: ListenerKind): Promise<ProxyListener> {
  const {
    listen,
    open,
    statistics,
    name,
    accessLog,
    clock,
    random,
    drainTimeoutMs = defaultDrainTimeoutMs,
    onFault = () => {},
    clientLimits = new CircuitBreaker(unlimited),
  } = options;
  const deadlines = new Deadlines(clock, onFault);
  const { ownConnections } = options;
  const pools = new Pools({ deadlines, onFault, ownConnections });
  const call = { statistics, pools, deadlines, clock, random, onFault, ownConnections, clientLimits };
  const mirrors = new Mirrors(call);
  const context: ExchangeContext = {
    ...call,
    mirrors,
    watch: new RequestWatch({ listener: name, statistics, accessLog, clock, onFault }),
    route: kind.route,
    headWriter: new RequestHeadWriter(kind.forwarded),
    withoutReason: kind.withoutReason ?? false,
    onUnreachable: kind.onUnreachable,
  };
  const createHandler = (connection: ServerConnection) => new Exchange(connection, context);
  const usual = { deadlines, onFault, headTimeoutMs, idleTimeoutMs, createHandler };
  const accept = (
    decided: Protocol | ConnectionPlan,
    handle: SocketHandle,
    onClosed: (connection: Accepted) => void,
  ): Accepted => {
    if (typeof decided === 'string' || !('protocol' in decided)) return acceptAs(decided, handle, usual, onClosed);
    const own = { ...context, route: decided.route };
    const shared = { ...usual, createHandler: (connection: ServerConnection) => new Exchange(connection, own) };
    return acceptAs(decided.protocol, handle, shared, onClosed);
  };
  const acceptAs = (
    protocol: Protocol,
    handle: SocketHandle,
    shared: typeof usual,
    onClosed: (connection: Accepted) => void,
  ): Accepted => {
    if (protocol === 'http') return new ServerConnection(handle, { ...shared, onClosed });
    const options = { route: protocol, context, onUnreachable: kind.onUnreachable, onClosed };
    if (protocol.isDeclared) return new TcpExchange(handle, options);
    const asHttp = (client: Transport, onGone: () => void) =>
      new ServerConnection(client, { ...shared, onClosed: onGone });
    return new UndeclaredConnection(handle, { ...options, asHttp });
  };
  // Who comes before it is known has not been told of it.
  let { port } = listen;
  const server = await startConnectionListener({
    listen,
    open,
    clock,
    mostConnections,
    limits: clientLimits,
    accept(handle, onClosed) {
      statistics.countConnection('accepted');
      const decided = options.comesBack?.(handle, port) === true ? 'refused' : (kind.protocol?.(handle) ?? 'http');
      if (decided === 'refused') {
        statistics.countConnection('refused');
        return new RefusedConnection(handle, onClosed);
      }
      if (!(decided instanceof Promise)) return accept(decided, handle, onClosed);
      return new UndecidedConnection(handle, {
        until: decided,
        accept: (late, onGone) => accept(late, handle, onGone),
        onClosed,
        onFault,
      });
    },
    onFault,
    onTooMany: () => statistics.countConnection('refused'),
  });
  port = server.address.port;
  return {
    address: server.address,
    get connections() {
      return server.connections;
    },
    poolOf: (load) => pools.stateOf(load),
    retire: () => server.retire(),
    async close() {
      await server.close(drainTimeoutMs);
      mirrors.close();
      pools.close();
      deadlines.close();
    },
    cutOff: () => server.cutOff(),
  };
}
