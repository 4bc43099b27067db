/**
 * Connections of the application that packet rules have brought here: where each was going decides. A virtual IP or the address
 * of an instance is a service, whatever is said on the connection; anything else goes on to where it was going, unchanged.
 */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { ipv4Range } from '../../process/ipv4-range.ts';
import type { OwnConnections } from '../http1/own-connections.ts';
import type { DestinationOf } from '../http1/redirected.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import type { ConnectionRoute } from './connection-route.ts';
import type { Destination } from './destination.ts';
import type { Exchange } from './exchange.ts';
import type { ConnectionPlan } from './listener.ts';
import { type NamedServiceOptions, routeToName } from './named-service.ts';
import type { OutsideDestinations } from './outside-destinations.ts';
import { routeConnection } from './service-route.ts';

export interface InterceptionOptions {
  readonly destinationOf: DestinationOf;
  /** Of virtual IPs: "240.240.0.0/16". */
  readonly vipRange: string;
  /** What this process has dialled itself. */
  readonly ownConnections: Pick<OwnConnections, 'has'>;
  readonly callerOf: DestinationOf;
  /** Called for each connection of this process's own that rules bring back. */
  readonly onLoop: (destination: HostPort) => void;
}

export interface InterceptedOptions extends NamedServiceOptions {
  readonly interception: InterceptionOptions;
  readonly outside: OutsideDestinations;
}

/** Of connections that only pass through: Envoy's. */
const idleTimeoutMs = 3_600_000;

/** What is done with a connection that has come; undefined: it was not redirected. */
export type Intercepted = (handle: SocketHandle) => ConnectionPlan | Promise<ConnectionPlan> | 'refused' | undefined;

export function interceptedConnections(options: InterceptedOptions): Intercepted {
  const { directory, lookup, interception, outside } = options;
  const isVirtual = ipv4Range(interception.vipRange);

  return (handle) => {
    const destination = interception.destinationOf(handle);
    if (destination === undefined) return undefined;
    const caller = interception.callerOf(handle);
    if (caller !== undefined && interception.ownConnections.has(caller, destination)) {
      interception.onLoop(destination);
      return 'refused';
    }
    const isVip = isVirtual(destination.host);
    // The name of an instance's address stands for the ports that the instance serves there, and for no other.
    const addressee = isVip
      ? { name: destination.host, port: destination.port }
      : { name: formatHostPort(destination), port: undefined };
    const onward = () => outside.at(destination.host, destination.port);
    // A kept connection may outlive that its address is a service's: what comes then goes where the connection was going.
    const forward = (head: RequestHead, exchange: Exchange) => exchange.forward(head, onward());
    const route = routeToName(addressee, options, isVip ? undefined : forward);
    const { view } = directory;
    const service = view.service(addressee.name);
    const { port } = addressee;
    if (service !== undefined) return { protocol: routeConnection({ view, service, port }, options), route };
    return lookup.ask(addressee.name).then((found): ConnectionPlan => {
      if (found.is === 'found') return { protocol: routeConnection({ ...found, port }, options), route };
      // Nobody is at a virtual IP: what is spoken is taken for HTTP, in which the reason can be told.
      return { protocol: isVip ? 'http' : passedOn(onward()), route };
    });
  };
}

/** Goes to where it was going, as it is. */
export function passedOn(destination: Destination): ConnectionRoute {
  const turn = { destination, idleTimeoutMs, decision: undefined };
  return { isDeclared: true, service: undefined, guess: turn, take: () => turn };
}
