/** Where requests from the mesh arrive: each is checked to be meant for this instance and passed on to the application. */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { type InstanceIdentity, instanceHeaderValue } from '../view/instance-identity.ts';
import type { PortProtocol } from '../view/mesh-view.ts';
import { soleDestination } from './destination.ts';
import type { Exchange } from './exchange.ts';
import { usualForwardedHeaders } from './forwarded.ts';
import { type ListenerOptions, type ProxyListener, startListener } from './listener.ts';

export interface InboundOptions extends ListenerOptions {
  /** The application. */
  readonly app: HostPort;
  /** Who the application is in the mesh. Requests that name nobody are accepted: their callers have no agent. */
  readonly identity: InstanceIdentity;
  /** What the service's port speaks, as the mesh has it now. HTTP when not given. */
  readonly protocol?: () => PortProtocol;
  /** A request could not be passed on: the application took no connection. */
  readonly onAppUnreachable?: () => void;
}

/** The application is on the same machine: it accepts at once or not at all. */
const connectTimeoutMs = 1_000;

/** Envoy's. */
const tcpIdleTimeoutMs = 3_600_000;

/** Rejects when it cannot listen. */
export function startInbound(options: InboundOptions): Promise<ProxyListener> {
  const { app, identity, onAppUnreachable, forwarded = usualForwardedHeaders } = options;
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
  const protocol = () => protocols[options.protocol?.() ?? 'http'];
  return startListener(options, { route, protocol, forwarded, withoutReason: true, onUnreachable: onAppUnreachable });
}
