/** Why requests find no way to an instance: what clients are told, and explanations say beforehand. */
import type { RouteRequest } from '../../routing/request.ts';
import type { RoutePolicy } from '../../routing/route-policy.ts';
import type { ServiceView } from '../view/mesh-view.ts';
import type { Destination } from './destination.ts';
import type { Refusal } from './local-answer.ts';
import type { Lookup } from './service-lookup.ts';

export type NotFound = Exclude<Lookup, { is: 'found' }>;

/** `text`: what stands where a host should. */
export function noAuthority(text: string): Refusal {
  const quoted = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return {
    reason: 'bad-request',
    sentence:
      text === ''
        ? 'the request has no Host header, so it does not say which service it is for'
        : `${quoted} is no host with or without a port`,
  };
}

export function unknownService(host: string, lookup: NotFound): Refusal {
  if (lookup.is === 'unavailable') {
    return {
      reason: 'unavailable',
      sentence: `whether "${host}" is a service of the mesh is not known: ${lookup.detail}`,
    };
  }
  return { reason: 'no-route', sentence: `"${host}" is no service of the mesh` };
}

export function noSuchPort({ service, ports }: ServiceView, port: number): Refusal {
  const known = [...ports.keys()].join(', ');
  return { reason: 'no-route', sentence: `${service} has no port ${port}; it has ${known}` };
}

/** `table`: its name; `target`: as it stands in the request. */
export function noRuleTakes(table: string, { method }: Pick<RouteRequest, 'method'>, target: string): Refusal {
  return { reason: 'no-route', sentence: `no rule of ${table} takes ${method} ${target}` };
}

export function takesConnections({ service }: ServiceView, port: number): Refusal {
  const sentence = `port ${port} of ${service} takes connections, not requests: use CONNECT, or a local port (--upstream)`;
  return { reason: 'bad-request', sentence };
}

export function abortOf({ fault }: RoutePolicy, rule: string): Refusal {
  const status = fault?.abort?.status ?? 503;
  return { reason: 'fault', sentence: `the rule ${rule} answers with ${status} on purpose`, status };
}

export function noHealthyInstance({ title }: Pick<Destination, 'title'>): Refusal {
  return { reason: 'no-healthy-instance', sentence: `${title} has no instance that takes requests` };
}

/** The application has as many as it may have of its own, whoever they are for. */
export const tooManyUnderWay: Refusal = {
  reason: 'overflow',
  sentence: 'as many requests as may be are under way on this side of the application',
};
export const tooManyWaiting = 'as many requests as may wait for connections on this side of the application';
