/** From the authority of a request (`Reviews.default:9080`) to the name that the mesh knows it by. */
import { isIP } from 'node:net';
import { isDnsName, serviceKey } from '../../model/names.ts';

export interface Authority {
  /** As it was written, in lower case; an IPv6 address without brackets. */
  readonly host: string;
  /** Undefined when none was written. */
  readonly port: number | undefined;
}

/** A DNS name has 253 characters; a "." behind it and a port make it longer. */
const longestAuthority = 253 + '.:65535'.length;

/** Undefined for what is no authority: user names, bad ports and brackets, absurd lengths. */
export function parseAuthority(text: string): Authority | undefined {
  if (text.length > longestAuthority) return undefined;
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]*)\]|([\w.~%!$&'()*+,;=-]+))(?::(\d{0,5}))?$/.exec(text) ?? [];
  const host = (bracketed ?? plain ?? '').toLowerCase();
  // "host:" is allowed by RFC 3986 and means no port.
  const port = digits === '' ? undefined : Number(digits);
  if (host === '' || port === 0 || (port ?? 1) > 65_535) return undefined;
  if (bracketed !== undefined && isIP(host) !== 6) return undefined;
  return { host, port };
}

/**
 * What to look up in the mesh, `Name.name`: lower case, and with the agent's own namespace when it has none. The server
 * knows every spelling. Undefined for what can be no name: an address.
 */
export function meshName(host: string, namespace: string): string | undefined {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (!isDnsName(name) || /(?:^|\.)\d+$/.test(name)) return undefined;
  return name.includes('.') ? name : serviceKey(namespace, name);
}
