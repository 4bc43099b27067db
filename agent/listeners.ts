/** Every port of the agent that carries requests, and what each has done. */
import type { Clock, Random } from '../process/clock.ts';
import { formatHostPort, type HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';
import type { AgentSettings, Upstream } from './agent-settings.ts';
import type { Load } from './balance/balancer.ts';
import { arrivedFrom, OwnConnections } from './http1/own-connections.ts';
import { type OpenPort, openForBothFamilies, openPort } from './http1/port.ts';
import { callerOf, redirectedFrom } from './http1/redirected.ts';
import type { SocketHandle } from './http1/socket-handle.ts';
import { startInbound, startRedirectedInbound } from './proxy/inbound.ts';
import type { ProxyListener } from './proxy/listener.ts';
import { startOutbound, startUpstream } from './proxy/outbound.ts';
import type { PoolState } from './proxy/pools.ts';
import type { ListeningPort } from './registration/instance.ts';
import { type BreakerCounts, CircuitBreaker, unlimited } from './resilience/circuit-breaker.ts';
import type { AccessLog } from './telemetry/access-log.ts';
import type { RequestCounts } from './telemetry/request-counts.ts';
import { createStatistics, type ListenerTraffic, type Statistics } from './telemetry/statistics.ts';
import type { MeshDirectory } from './view/mesh-directory.ts';
import { meshName } from './view/mesh-name.ts';
import { rulesInView } from './view/rules-in-view.ts';

/** What of the settings the listeners are made of. */
export type ListenerSettings = Pick<
  AgentSettings,
  | 'service'
  | 'namespace'
  | 'id'
  | 'outbound'
  | 'upstreams'
  | 'appPorts'
  | 'forwardedHeaders'
  | 'interception'
  | 'limits'
>;

/** How connections come. */
export interface PortOpeners {
  readonly plain: OpenPort;
  /** Where packet rules bring connections. */
  readonly redirected: OpenPort;
}

const openedHere: PortOpeners = { plain: openPort, redirected: openForBothFamilies };

export interface ListenersOptions {
  readonly settings: ListenerSettings;
  /** This process listens when not given. */
  readonly open?: PortOpeners | undefined;
  readonly directory: MeshDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** None when not given. */
  readonly accessLog?: AccessLog | undefined;
  /** A request for the application could not be passed on to it. */
  readonly onAppUnreachable: () => void;
}

export interface Listeners {
  readonly outbound: HostPort;
  readonly inbound: readonly ListeningPort[];
  /** Where packet rules have to bring what is for the application; undefined when callers come by themselves. */
  readonly redirected: HostPort | undefined;
  /** Under the name that the operator gave: `reviews:9080`. */
  readonly upstreams: readonly ListeningPort[];
  /** Those that are open now, over all ports. */
  readonly connections: number;
  traffic(): Record<string, ListenerTraffic>;
  /** What there is of what is limited, and how often a limit has refused. */
  readonly limits: Readonly<Record<'outbound' | 'inbound', BreakerCounts>>;
  /** By listener and cluster, at far less cost. */
  counts(): Iterable<readonly [cluster: string, counts: RequestCounts]>;
  /** The connections to an instance: of this listener, or of all when there is none of that name or none is given. */
  poolOf(load: Load, name?: string): PoolState;
  /** No more connections. Those that there are end as their clients get answers; `close` follows. */
  retire(): void;
  /** No more requests for the application; those under way finish, within the drain timeout. */
  closeInbound(): Promise<void>;
  close(): Promise<void>;
  /** Ends all at once. How many requests, tunnels and connections were under way, each of which is logged now. */
  cutOff(): number;
}

/** What the operator declared, as the mesh calls it: subscribed to from the start. */
export function declaredNames({ upstreams, namespace }: Pick<AgentSettings, 'upstreams' | 'namespace'>): string[] {
  return upstreams.flatMap(({ host }) => meshName(host, namespace) ?? []);
}

/** Rejects when one of them cannot listen; then none does. */
export async function startListeners(options: ListenersOptions): Promise<Listeners> {
  const { settings, clock, log, accessLog } = options;
  const started: Started[] = [];
  const inbound: (ListeningPort & { readonly listener: ProxyListener })[] = [];
  const upstreams: ListeningPort[] = [];
  const closeAll = async () => {
    await Promise.all(started.map(({ listener }) => listener.close()));
  };
  const own = { outbound: new OwnConnections(), upstreams: new OwnConnections(), inbound: new OwnConnections() };
  const allOwn = Object.values(own);
  const onLoop = loopWarning(log, clock);
  /** What these have begun must not come here. */
  const comesBack = (from: readonly OwnConnections[]) => (handle: SocketHandle, port: number) => {
    const at = arrivedFrom(from, handle, port);
    if (at !== undefined) onLoop(at, 'port');
    return at !== undefined;
  };
  // From outbound to an upstream's port and on to the inbound is a way that ends; each other one between them is a part of a circle.
  const loops = {
    outbound: { ownConnections: own.outbound, comesBack: comesBack(allOwn) },
    upstreams: { ownConnections: own.upstreams, comesBack: comesBack([own.upstreams, own.inbound]) },
    inbound: { ownConnections: own.inbound, comesBack: comesBack([own.inbound]) },
  };
  const limits = { ...unlimited, ...settings.limits };
  // Callers that take all of an application's room must not keep it from calling others.
  const clientLimits = { outbound: new CircuitBreaker(limits), inbound: new CircuitBreaker(limits) };
  const { open = openedHere } = options;
  /** Starts one under this name in the statistics. */
  const start = async (name: string, listen: HostPort, begin: (common: CommonOptions) => Promise<ProxyListener>) => {
    const counted = createStatistics(() => rulesInView(options.directory.view));
    const onFault = (error: unknown) =>
      log.error({ err: error, listener: name }, 'a request failed by a fault of the agent');
    const listener = closedOnce(
      await begin({ name, listen, open: open.plain, statistics: counted, accessLog, clock, onFault }),
    );
    started.push({ name, listener, statistics: counted });
    return listener;
  };

  try {
    const mesh = { directory: options.directory, random: options.random };
    const { namespace } = settings;
    const forwarded = settings.forwardedHeaders;
    const interception = settings.interception && {
      vipRange: settings.interception.vipRange,
      destinationOf: redirectedFrom,
      callerOf,
      ownConnections: { has: (from: HostPort, to: HostPort) => allOwn.some((each) => each.has(from, to)) },
      onLoop: (destination: HostPort) => onLoop(destination, 'rules'),
    };
    const outbound = await start('outbound', settings.outbound, (common) =>
      startOutbound({
        ...common,
        ...loops.outbound,
        ...mesh,
        open: interception === undefined ? open.plain : open.redirected,
        clientLimits: clientLimits.outbound,
        namespace,
        forwarded,
        interception,
      }),
    );
    for (const { host, port, listen } of settings.upstreams) {
      const name = upstreamName({ host, port });
      const service = meshName(host, namespace) ?? host;
      const listener = await start(name, listen, (common) =>
        startUpstream({
          ...common,
          ...loops.upstreams,
          ...mesh,
          clientLimits: clientLimits.outbound,
          service,
          port,
          forwarded,
        }),
      );
      upstreams.push({ name, address: listener.address });
    }
    const { onAppUnreachable, random } = options;
    // A port without a name is the only one, whatever it is called.
    const protocolOf = (port: string) => {
      const { inboundProtocols } = options.directory.view;
      const [first] = inboundProtocols.values();
      return inboundProtocols.get(port) ?? (port === '' ? first : undefined) ?? 'http';
    };
    const identity = { service: `${settings.service}.${settings.namespace}`, id: settings.id };
    const [first] = settings.appPorts;
    let redirected: HostPort | undefined;
    if (interception !== undefined && first !== undefined) {
      const { destinationOf } = interception;
      const ports = settings.appPorts.map(({ name, app }) => ({ app, protocol: () => protocolOf(name) }));
      const listener = await start('inbound', first.inbound, (common) =>
        startRedirectedInbound({
          ...common,
          ...loops.inbound,
          open: open.redirected,
          clientLimits: clientLimits.inbound,
          ports,
          identity,
          forwarded,
          onAppUnreachable,
          destinationOf,
          random,
        }),
      );
      redirected = listener.address;
      // Callers dial the application itself.
      for (const { name, app } of settings.appPorts) {
        inbound.push({ name, address: { host: listener.address.host, port: app.port }, listener });
      }
    }
    for (const { name, app, inbound: listen } of interception === undefined ? settings.appPorts : []) {
      const counted = name === '' ? 'inbound' : `inbound|${name}`;
      const listener = await start(counted, listen, (common) =>
        startInbound({
          ...common,
          ...loops.inbound,
          clientLimits: clientLimits.inbound,
          app,
          identity,
          forwarded,
          onAppUnreachable,
          random,
          protocol: () => protocolOf(name),
        }),
      );
      inbound.push({ name, address: listener.address, listener });
    }
    return {
      outbound: outbound.address,
      inbound,
      redirected,
      upstreams,
      get connections() {
        return started.reduce((sum, { listener }) => sum + listener.connections, 0);
      },
      traffic: () => Object.fromEntries(started.map((each) => [each.name, trafficOf(each)])),
      limits: { outbound: clientLimits.outbound.counts, inbound: clientLimits.inbound.counts },
      counts: () => started.flatMap(({ statistics }) => [...statistics.counts()]),
      poolOf: (load, name) => {
        const named = started.filter((each) => each.name === name);
        const of = named.length > 0 ? named : started;
        return poolState(of.flatMap(({ listener }) => listener.poolOf(load) ?? []));
      },
      retire: () => {
        for (const { listener } of started) listener.retire();
      },
      closeInbound: async () => {
        await Promise.all(inbound.map(({ listener }) => listener.close()));
      },
      close: closeAll,
      cutOff: () => {
        const underWay = started.reduce((sum, { statistics }) => sum + statistics.total.outcomes().active, 0);
        for (const { listener } of started) listener.cutOff();
        return underWay;
      },
    };
  } catch (cause) {
    await closeAll();
    throw cause;
  }
}

/** As the operator says it: `reviews:9080`. */
export function upstreamName({ host, port }: Pick<Upstream, 'host' | 'port'>): string {
  return port === undefined ? host : `${host}:${port}`;
}

/** The inbound closes before the rest does, and with it again. */
function closedOnce(listener: ProxyListener): ProxyListener {
  let closed: Promise<void> | undefined;
  return {
    address: listener.address,
    get connections() {
      return listener.connections;
    },
    poolOf: (load) => listener.poolOf(load),
    retire: () => listener.retire(),
    close: () => {
      closed ??= listener.close();
      return closed;
    },
    cutOff: () => listener.cutOff(),
  };
}

function trafficOf({ listener, statistics }: Started): ListenerTraffic {
  return { ...statistics.snapshot(), openConnections: listener.connections };
}

function poolState(pools: readonly PoolState[]): PoolState {
  const sum = (of: keyof PoolState) => pools.reduce((total, pool) => total + pool[of], 0);
  return { connections: sum('connections'), idle: sum('idle'), waiting: sum('waiting') };
}

/** `reviews:9080=127.0.0.1:19080`, as in the flag; only the address without a name. */
function formatPort({ name, address }: ListeningPort): string {
  return name === '' ? formatHostPort(address) : `${name}=${formatHostPort(address)}`;
}

/** For the log, as in the flags. */
export function addressesInWords({
  outbound,
  inbound,
  redirected,
  upstreams,
  dns,
}: Pick<Listeners, 'outbound' | 'inbound' | 'redirected' | 'upstreams'> & { readonly dns: readonly HostPort[] }) {
  return {
    outbound: formatHostPort(outbound),
    // Callers dial the application, and rules bring them to one port for all of its own.
    inbound: redirected === undefined ? inbound.map(formatPort) : [formatHostPort(redirected)],
    upstreams: upstreams.map(formatPort),
    ...(dns.length > 0 && { dns: dns.map(formatHostPort) }),
  };
}

interface Started {
  /** In the statistics. */
  readonly name: string;
  readonly listener: ProxyListener;
  readonly statistics: Statistics;
}

/** Told of once a minute, however many there are: each would be thousands without it. */
const warnAgainMs = 60_000;

const loopSentences = {
  rules:
    'refused a connection of the agent itself, which packet rules bring back: they have to let alone what its user, group or cgroup sends',
  port: 'refused a connection of the agent itself to this port of its own: an instance, or its application, is said to be here',
};

function loopWarning(log: Logger, clock: Clock): (destination: HostPort, by: keyof typeof loopSentences) => void {
  const warnedMs = { rules: Number.NEGATIVE_INFINITY, port: Number.NEGATIVE_INFINITY };
  return (destination, by) => {
    if (clock.now() - warnedMs[by] < warnAgainMs) return;
    warnedMs[by] = clock.now();
    log.warn({ destination: formatHostPort(destination) }, loopSentences[by]);
  };
}

interface CommonOptions {
  readonly name: string;
  readonly listen: HostPort;
  readonly open: OpenPort;
  readonly statistics: Statistics;
  readonly accessLog: AccessLog | undefined;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}
