/** Where requests from the mesh arrive: each is checked to be meant for this instance and passed on to the application. */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import type { Exchange } from '../http1/http-server.ts';
import { fieldValue, withoutFields } from '../http1/message.ts';
import { type InstanceIdentity, instanceHeader, instanceHeaderValue } from '../view/instance-identity.ts';
import { forward, only, type Plan, type Target } from './forward.ts';
import { createUpstreamClient, type ListenerOptions, type ProxyListener, startListener } from './listener.ts';
import { type Ending, reasonHeader, refuse } from './local-answer.ts';
import { outgoingHead, readTarget } from './request-target.ts';

export interface InboundOptions extends ListenerOptions {
  /** The application. */
  readonly app: HostPort;
  /** Who the application is in the mesh. Requests that name nobody are accepted: their callers have no agent. */
  readonly identity: InstanceIdentity;
  /** A request could not be passed on: the application took no connection. */
  readonly onAppUnreachable?: () => void;
}

/** The application is on the same machine: it accepts at once or not at all. */
const connectTimeoutMs = 1_000;

/** Rejects when it cannot listen. */
export function startInbound(options: InboundOptions): Promise<ProxyListener> {
  const { app, identity, clock, statistics, onAppUnreachable } = options;
  const client = createUpstreamClient(options);
  const self = instanceHeaderValue(identity);
  const application: Target = { address: app.host, port: app.port, identity: '', load: { active: 0 } };
  const upstream = `the application at ${formatHostPort(app)}`;

  const serve = async (exchange: Exchange): Promise<Ending> => {
    const meantFor = fieldValue(exchange.head.fields, instanceHeader);
    if (meantFor !== undefined && meantFor !== self) {
      return refuse(exchange, {
        reason: 'wrong-instance',
        sentence: `this is ${self}; the request is for ${meantFor}`,
      });
    }
    const target = readTarget(exchange.head);
    if ('fault' in target) return refuse(exchange, { reason: 'bad-request', sentence: target.fault });
    const head = outgoingHead(exchange.head, target);
    const plan: Plan<Target> = {
      nextTarget: only(application),
      headFor: () => head,
      // A reason is the word of an agent. An application that passes one on from elsewhere would speak for this one.
      answerFields: (fields) => withoutFields(fields, [reasonHeader]),
      connectTimeoutMs,
      // The caller's rule sets the limit: its agent ends the connection when time is up.
      timeoutMs: 0,
      upstream,
    };
    const ending = await forward(exchange, plan, { client, clock, statistics });
    if (ending.is === 'refused' && ending.reason === 'upstream-connect-failure') onAppUnreachable?.();
    return ending;
  };
  return startListener(options, { client, serve });
}
