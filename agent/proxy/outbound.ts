/**
 * Where the application's requests leave: by Host header or as to an HTTP proxy, to a service of the mesh or, where they
 * are no business of the mesh, to where they were going.
 */
import type { RequestHead } from '../http1/request-head.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import type { MeshDirectory } from '../view/mesh-directory.ts';
import { Authorities } from './authorities.ts';
import type { Exchange } from './exchange.ts';
import { type ForwardedHeader, usualForwardedHeaders } from './forwarded.ts';
import { type InterceptionOptions, interceptedConnections } from './intercepted.ts';
import { type ListenerOptions, type ProxyListener, startListener } from './listener.ts';
import { routeToName } from './named-service.ts';
import { OutsideDestinations } from './outside-destinations.ts';
import { type NotFound, noAuthority, unknownService } from './route-refusals.ts';
import { ServiceLookup } from './service-lookup.ts';
import { routeConnection, routeToService } from './service-route.ts';

export interface MeshListenerOptions extends ListenerOptions {
  readonly directory: MeshDirectory;
  /** How long requests wait for a service that is not known yet. 3 s when not given. */
  readonly resolveTimeoutMs?: number;
}

export interface OutboundOptions extends MeshListenerOptions {
  /** The agent's own: of a name that is written without one. */
  readonly namespace: string;
  /** Packet rules bring connections here too. */
  readonly interception?: InterceptionOptions | undefined;
}

export interface UpstreamOptions extends MeshListenerOptions {
  /** As `Name.name`: lower case, with a namespace (see `meshName`). */
  readonly service: string;
  /** The service's first port when not given. */
  readonly port?: number | undefined;
}

export const defaultResolveTimeoutMs = 3_000;
/** Of hosts outside the mesh. */
export const defaultHttpPort = 80;

/** The port for all requests of the application. Rejects when it cannot listen. */
export function startOutbound(options: OutboundOptions): Promise<ProxyListener> {
  const { directory, namespace } = options;
  const authorities = new Authorities(namespace);
  const lookup = createLookup(options);
  const outside = new OutsideDestinations();

  const route = (head: RequestHead, exchange: Exchange): void => {
    const { authority } = head;
    const addressee = authorities.read(authority);
    if (addressee === undefined) return exchange.refuse(noAuthority(authority));
    const { name, port } = addressee;
    const { view } = directory;
    const service = name === undefined ? undefined : view.service(name);
    if (service !== undefined) return routeToService(head, exchange, { view, service, port }, options);
    if (name === undefined) return notFound(head, exchange, { is: 'absent' });
    exchange.suspend(head, { until: lookup.ask(name) }, (found, again) => {
      if (found.is === 'found') routeToService(again, exchange, { ...found, port }, options);
      else notFound(again, exchange, found);
    });
  };

  /** An HTTP proxy forwards what is not its own. Nothing of the mesh goes along. */
  const notFound = (head: RequestHead, exchange: Exchange, found: NotFound): void => {
    const { host, port = defaultHttpPort } = authorities.read(head.authority) ?? nobody;
    if (head.targetForm !== 'absolute' && head.targetForm !== 'authority')
      return exchange.refuse(unknownService(host, found));
    exchange.forward(head, outside.at(host, port));
  };
  const { interception } = options;
  const intercepted = interception && interceptedConnections({ ...options, lookup, interception, outside });
  const protocol = intercepted && ((handle: SocketHandle) => intercepted(handle) ?? 'http');
  return startListener(options, { route, ...(protocol && { protocol }), forwarded: forwardedFrom(options) });
}

/** A port for one service: every request goes to it, whatever its Host says; the Host stays. Rejects when it cannot listen. */
export function startUpstream(options: UpstreamOptions): Promise<ProxyListener> {
  const { directory, service: name, port } = options;
  const lookup = createLookup(options);

  const route = routeToName({ name, port }, { ...options, lookup });
  const protocol = () => {
    const { view } = directory;
    const service = view.service(name);
    if (service !== undefined) return routeConnection({ view, service, port }, options);
    // Without an answer it is taken for HTTP, in which the reason can be told.
    return lookup
      .ask(name)
      .then((found) => (found.is === 'found' ? routeConnection({ ...found, port }, options) : 'http'));
  };
  return startListener(options, { route, protocol, forwarded: forwardedFrom(options) });
}

/** The caller of an outbound is the application beside it: that is nobody's news. But that there is a proxy may be. */
function forwardedFrom({ forwarded = usualForwardedHeaders }: ListenerOptions): ForwardedHeader[] {
  return forwarded.filter((header) => header === 'via');
}

const nobody = { host: '', port: undefined };

function createLookup({ directory, clock, resolveTimeoutMs = defaultResolveTimeoutMs }: MeshListenerOptions) {
  return new ServiceLookup({ directory, clock, resolveTimeoutMs });
}
