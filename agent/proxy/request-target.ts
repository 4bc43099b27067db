/** Where a request wants to go, read from its target and its Host: the only place that knows the forms of RFC 9112, 3.2. */
import { endToEndFields, fieldValues, type RequestHead } from '../http1/message.ts';
import { instanceHeader } from '../view/instance-identity.ts';
import { type Authority, parseAuthority } from '../view/mesh-name.ts';

export interface RequestTarget {
  /** `origin`: `/x` and a Host. `absolute`: `http://host/x`, as to an HTTP proxy, so it may go anywhere. */
  readonly form: 'origin' | 'absolute';
  readonly authority: Authority;
  /** The authority as it was written. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

/** A sentence about what is wrong. */
export interface Fault {
  readonly fault: string;
}

export function readTarget(head: RequestHead): RequestTarget | Fault {
  const [host, ...more] = fieldValues(head.fields, 'host');
  if (more.length > 0) return { fault: `the request has ${more.length + 1} Host headers; one is allowed` };
  const [, absoluteHost, rest = ''] = /^http:\/\/([^/?#]*)(.*)$/is.exec(head.target) ?? [];
  // The authority of an absolute target outranks the Host header.
  if (absoluteHost !== undefined) return withAuthority(absoluteHost, 'absolute', originPath(rest, head.method));
  if (!head.target.startsWith('/') && head.target !== '*') {
    return { fault: `the request target ${quoted(head.target)} is neither a path nor an http:// URL` };
  }
  if (host === undefined)
    return { fault: 'the request has no Host header, so it does not say which service it is for' };
  return withAuthority(host, 'origin', head.target);
}

/**
 * The head as it goes out: with a path as its target and the one Host that was meant, without anything of the connection
 * that it came by, and without what the client may have written into the header between agents.
 */
export function outgoingHead(head: RequestHead, { host, path }: RequestTarget): RequestHead {
  return { ...head, target: path, fields: ['Host', host, ...endToEndFields(head.fields, ['host', instanceHeader])] };
}

function withAuthority(host: string, form: RequestTarget['form'], path: string): RequestTarget | Fault {
  const authority = parseAuthority(host);
  return authority === undefined
    ? { fault: `${quoted(host)} is no host with or without a port` }
    : { form, authority, host, path };
}

/** `http://host` means the path "/", but for OPTIONS, where it means the server itself. */
function originPath(rest: string, method: string): string {
  if (rest.startsWith('/')) return rest;
  return rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`;
}

/** Cut: a target may be as long as a head. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
