/** Where requests from the mesh arrive: each is checked to be meant for this instance and passed on to the application. */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { DestinationOf } from '../http1/redirected.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type InstanceIdentity, instanceHeaderValue } from '../view/instance-identity.ts';
import type { PortProtocol } from '../view/mesh-view.ts';
import { soleDestination } from './destination.ts';
import type { Exchange } from './exchange.ts';
import { usualForwardedHeaders } from './forwarded.ts';
import { passedOn } from './intercepted.ts';
import {
  type ConnectionPlan,
  type ListenerOptions,
  type Protocol,
  type ProxyListener,
  startListener,
} from './listener.ts';
import { OutsideDestinations } from './outside-destinations.ts';

export interface InboundPort {
  /** The application. */
  readonly app: HostPort;
  /** What the service's port speaks, as the mesh has it now. HTTP when not given. */
  readonly protocol?: () => PortProtocol;
}

export interface InboundOptions extends ListenerOptions, InboundPort {
  /** Who the application is in the mesh. Requests that name nobody are accepted: their callers have no agent. */
  readonly identity: InstanceIdentity;
  /** A request could not be passed on: the application took no connection. */
  readonly onAppUnreachable?: () => void;
}

/** The application is on the same machine: it accepts at once or not at all. */
const connectTimeoutMs = 1_000;

/** Envoy's. */
const tcpIdleTimeoutMs = 3_600_000;

/** Rejects when it cannot listen. */
export function startInbound(options: InboundOptions): Promise<ProxyListener> {
  const { route, protocol } = handlingOf(options, options.identity);
  return startListener(options, { ...kindOf(options), route, protocol });
}

export interface RedirectedInboundOptions extends Omit<InboundOptions, keyof InboundPort> {
  /** The ports of the application, each at the number by which callers know it. */
  readonly ports: readonly InboundPort[];
  readonly destinationOf: DestinationOf;
}

/**
 * Where packet rules bring all connections to this host: those for a port of the application are taken as an inbound takes them,
 * others go on to where they were going. Who comes by itself is turned away: this port is open to the network for the sake of the
 * rules alone. Rejects when it cannot listen.
 */
export function startRedirectedInbound(options: RedirectedInboundOptions): Promise<ProxyListener> {
  const { ports, destinationOf, identity } = options;
  const outside = new OutsideDestinations();
  const byNumber = new Map(ports.map((port) => [port.app.port, handlingOf(port, identity)]));
  const route = (_head: RequestHead, exchange: Exchange) =>
    exchange.refuse({ reason: 'no-route', sentence: 'this port takes only what packet rules redirect to it' });
  const protocol = (handle: SocketHandle): ConnectionPlan => {
    const destination = destinationOf(handle);
    if (destination === undefined) return { protocol: 'http', route };
    const port = byNumber.get(destination.port);
    return port === undefined
      ? { protocol: passedOn(outside.at(destination.host, destination.port)), route }
      : { protocol: port.protocol(), route: port.route };
  };
  return startListener(options, { ...kindOf(options), route, protocol });
}

function kindOf({ forwarded = usualForwardedHeaders, onAppUnreachable }: Omit<InboundOptions, keyof InboundPort>) {
  return { forwarded, withoutReason: true, onUnreachable: onAppUnreachable };
}

/** What becomes of requests and connections for a port of the application. */
function handlingOf({ app, protocol = () => 'http' }: InboundPort, identity: InstanceIdentity) {
  const self = instanceHeaderValue(identity);
  const name = `the application at ${formatHostPort(app)}`;
  const application = soleDestination({ name, address: app.host, port: app.port, connectTimeoutMs });

  const route = (head: RequestHead, exchange: Exchange): void => {
    exchange.facts.service = identity.service;
    const meantFor = head.fields.indexOf(headerKind['x-sluice-instance']);
    if (meantFor !== -1) {
      const instance = head.fields.value(meantFor);
      if (instance !== self) {
        const sentence = `this is ${self}; the request is for ${instance}`;
        return exchange.refuse({ reason: 'wrong-instance', sentence });
      }
    }
    if (head.targetForm === 'authority') {
      return exchange.refuse({ reason: 'not-supported', sentence: 'an application takes no CONNECT' });
    }
    // The caller's rule sets the limit of time: its agent ends the connection when time is up.
    exchange.forward(head, application);
  };
  const turn = { destination: application, idleTimeoutMs: tcpIdleTimeoutMs, decision: undefined };
  const tcp = { service: undefined, guess: turn, take: () => turn };
  const protocols = {
    http: 'http',
    tcp: { ...tcp, isDeclared: true },
    undeclared: { ...tcp, isDeclared: false },
  } as const;
  return { route, protocol: (): Protocol => protocols[protocol()] };
}
