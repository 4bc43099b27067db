/** What the access log says of a request: read late, out of the head that came or went out, and of whom was asked. */
import { formatHostPort } from '../../process/host-port.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { RequestDescription } from '../telemetry/access-log.ts';
import type { Target } from './destination.ts';
import type { LateHead } from './late-head.ts';

/** Who was asked, and how that went. */
export interface Asking {
  readonly lastTarget: Target | undefined;
  readonly attempts: number;
  readonly connectMs: number;
}

const nobody: Asking = { lastTarget: undefined, attempts: 0, connectMs: -1 };

/** `asking`: of the present request only if it was sent to somebody. */
export function describeRequest(head: LateHead, asking: Asking): RequestDescription {
  // Ids that the agent has given stand in what went out alone. One head is read after the other: they share an object.
  const ids = idsOf(head.readSent() ?? head.read());
  return { protocol: 'http', ...lineOf(head.read()), ...ids, ...describeAsking(head.wasSent ? asking : nobody) };
}

/** Of which there is nothing to read. */
export function describeConnection(asking: Asking): RequestDescription {
  return { protocol: 'tcp', ...lineOf(undefined), ...idsOf(undefined), ...describeAsking(asking) };
}

function describeAsking({ lastTarget, attempts, connectMs }: Asking) {
  const { identity = '', address = '', port = 0 } = lastTarget ?? {};
  const upstream = lastTarget === undefined ? '' : formatHostPort({ host: address, port });
  return { instance: identity.slice(identity.indexOf('/') + 1), upstream, attempts, connectMs };
}

function lineOf(head: RequestHead | undefined) {
  if (head === undefined) return { method: '', host: '', path: '' };
  // The target of CONNECT is a host and nothing else.
  return { method: head.method, host: head.authority, path: head.targetForm === 'authority' ? '' : head.path };
}

function idsOf(head: RequestHead | undefined) {
  return { requestId: idOf(head, 'x-request-id'), traceparent: idOf(head, 'traceparent') };
}

function idOf(head: RequestHead | undefined, name: 'x-request-id' | 'traceparent'): string {
  const index = head?.fields.indexOf(headerKind[name]) ?? -1;
  return head === undefined || index === -1 ? '' : head.fields.value(index);
}
