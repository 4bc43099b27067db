/**
 * Where the application's requests leave: by Host header or as to an HTTP proxy, to a service of the mesh or, where they
 * are no business of the mesh, to where they were going.
 */
import type { Random } from '../../process/clock.ts';
import type { Exchange } from '../http1/http-server.ts';
import type { MeshDirectory } from '../view/mesh-directory.ts';
import { meshName } from '../view/mesh-name.ts';
import { type ForwardContext, forward, only, type Plan, type Target } from './forward.ts';
import { createUpstreamClient, type ListenerOptions, type ProxyListener, startListener } from './listener.ts';
import { type Ending, type Refusal, refuse } from './local-answer.ts';
import { outgoingHead, type RequestTarget, readTarget } from './request-target.ts';
import { type CallContext, callService } from './service-call.ts';
import { type Lookup, ServiceLookup } from './service-lookup.ts';
import type { RequestRecord } from './statistics.ts';

export interface MeshListenerOptions extends ListenerOptions {
  readonly directory: MeshDirectory;
  readonly random: Random;
  /** How long requests wait for a service that is not known yet. 3 s when not given. */
  readonly resolveTimeoutMs?: number;
}

export interface OutboundOptions extends MeshListenerOptions {
  /** The agent's own: of a name that is written without one. */
  readonly namespace: string;
}

export interface UpstreamOptions extends MeshListenerOptions {
  /** As `Name.name`: lower case, with a namespace (see `meshName`). */
  readonly service: string;
  /** The service's first port when not given. */
  readonly port?: number | undefined;
}

const defaultResolveTimeoutMs = 3_000;
const defaultHttpPort = 80;
/** To hosts outside the mesh, about which no cluster says anything: Envoy's default. */
const outsideConnectTimeoutMs = 5_000;

/** The port for all requests of the application. Rejects when it cannot listen. */
export function startOutbound(options: OutboundOptions): Promise<ProxyListener> {
  const { lookup, context } = createContext(options);

  const serve = async (exchange: Exchange, record: RequestRecord): Promise<Ending> => {
    const target = readTarget(exchange.head);
    if ('fault' in target) return refuse(exchange, { reason: 'bad-request', sentence: target.fault });
    const { host, port } = target.authority;
    const name = meshName(host, options.namespace);
    const found: Lookup = name === undefined ? { is: 'absent' } : await lookup.find(name);
    if (found.is === 'found') return callService({ ...found, exchange, record, port, target }, context);
    return target.form === 'absolute'
      ? passThrough(exchange, target, context)
      : refuse(exchange, notFound(host, found));
  };
  return startListener(options, { client: context.client, serve });
}

/** A port for one service: every request goes to it, whatever its Host says; the Host stays. Rejects when it cannot listen. */
export function startUpstream(options: UpstreamOptions): Promise<ProxyListener> {
  const { lookup, context } = createContext(options);
  const { service, port } = options;

  const serve = async (exchange: Exchange, record: RequestRecord): Promise<Ending> => {
    const target = readTarget(exchange.head);
    if ('fault' in target) return refuse(exchange, { reason: 'bad-request', sentence: target.fault });
    const found = await lookup.find(service);
    if (found.is !== 'found') return refuse(exchange, notFound(service, found));
    return callService({ ...found, exchange, record, port, target }, context);
  };
  return startListener(options, { client: context.client, serve });
}

function createContext(options: MeshListenerOptions): {
  readonly lookup: ServiceLookup;
  readonly context: CallContext;
} {
  const { clock, random, statistics, directory, resolveTimeoutMs = defaultResolveTimeoutMs } = options;
  return {
    lookup: new ServiceLookup({ directory, clock, resolveTimeoutMs }),
    context: { clock, random, statistics, client: createUpstreamClient(options) },
  };
}

function notFound(host: string, lookup: Exclude<Lookup, { is: 'found' }>): Refusal {
  if (lookup.is === 'unavailable') {
    return {
      reason: 'unavailable',
      sentence: `whether "${host}" is a service of the mesh is not known: ${lookup.detail}`,
    };
  }
  return { reason: 'no-route', sentence: `"${host}" is no service of the mesh` };
}

/** An HTTP proxy forwards what is not its own. Nothing of the mesh goes along. */
function passThrough(exchange: Exchange, target: RequestTarget, context: ForwardContext): Promise<Ending> {
  const { host, port = defaultHttpPort } = target.authority;
  const outside: Target = { address: host, port, identity: '', load: { active: 0 } };
  const head = outgoingHead(exchange.head, target);
  const plan: Plan<Target> = {
    nextTarget: only(outside),
    headFor: () => head,
    answerFields: (fields) => fields,
    connectTimeoutMs: outsideConnectTimeoutMs,
    timeoutMs: 0,
    upstream: target.host,
  };
  return forward(exchange, plan, context);
}
