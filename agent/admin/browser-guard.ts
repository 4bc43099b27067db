/**
 * Keeps pages in a browser on this machine from using the admin port, which has no access control: by a request to its
 * address (the browser names the page as Origin), or by a name that the page's owner points here (DNS rebinding: the browser
 * names it as Host). Programs send no Origin and ask by address.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';

export interface Objection {
  readonly status: 403 | 421;
  readonly sentence: string;
}

/** Undefined when nothing speaks against the request. */
export function objectionTo({ host, origin }: IncomingHttpHeaders): Objection | undefined {
  // Only HTTP/1.0 may leave it out, which no browser speaks.
  if (host !== undefined && !isAddress(host)) {
    return { status: 421, sentence: `this is not ${quote(host)}; ask by IP address or as localhost` };
  }
  if (origin === undefined || (host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`)) {
    return undefined;
  }
  return { status: 403, sentence: `requests of pages from ${quote(origin)} are refused` };
}

/** An IP address or localhost, with or without a port. */
function isAddress(host: string): boolean {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host) ?? [];
  return bracketed !== undefined ? isIPv6(bracketed) : isIPv4(plain) || plain.toLowerCase() === 'localhost';
}

function quote(text: string): string {
  return `"${text.slice(0, 200)}"`;
}
