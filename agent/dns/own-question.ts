/** Whether a name may be one of the mesh, and what of the mesh it asks for. Pure. */
import { isDnsName, serviceKey } from '../../model/names.ts';

export interface MeshNames {
  /** The domain of the mesh, `mesh.local`. */
  readonly domain: string;
  /** The agent's own: what short names are names in. */
  readonly namespace: string;
}

export type OwnQuestion =
  /** The mesh domain itself. */
  | { readonly is: 'apex' }
  /** A name that has no records and others below it. */
  | { readonly is: 'empty' }
  /** A name below the mesh domain that no service can have. */
  | { readonly is: 'nobody' }
  | ServiceQuestion
  | { readonly is: 'reverse'; readonly address: string }
  | { readonly is: 'foreign' };

export interface ServiceQuestion {
  readonly is: 'service';
  /** As the directory is asked for it. */
  readonly name: string;
  readonly instance: string | undefined;
  /** `_http._tcp.` before the name: the port that is asked for; '' for `_tcp.` alone, which is a name without records. */
  readonly port: string | undefined;
  /** What the directory does not know does not exist, else it is asked elsewhere. */
  readonly isInDomain: boolean;
}

/** `text` as `nameText` makes it. */
export function readOwnQuestion(text: string, { domain, namespace }: MeshNames): OwnQuestion {
  if (text === domain) return { is: 'apex' };
  // Of other namespaces nobody here knows whether they are there.
  if (text === `${namespace}.${domain}`) return { is: 'empty' };
  if (/\.(?:in-addr|ip6)\.arpa$/.test(text)) return readReverse(text);
  const [, port, rest = ''] = /^(?:_([a-z0-9-]+)\.)?_tcp\.(.+)$/.exec(text) ?? [undefined, undefined, text];
  // The domain has no ports.
  if (rest === domain) return { is: 'nobody' };
  const asked = rest === text ? undefined : (port ?? '');
  const isInDomain = rest.endsWith(`.${domain}`);
  if (!isInDomain) {
    if (!isDnsName(rest)) return { is: 'foreign' };
    const name = rest.includes('.') ? rest : serviceKey(namespace, rest);
    return { is: 'service', name, instance: undefined, port: asked, isInDomain };
  }
  const labels = rest.slice(0, -domain.length - 1).split('.');
  if (labels.length < 2 || !isDnsName(rest)) return { is: 'nobody' };
  const instance = labels.length === 2 ? undefined : labels.slice(0, -2).join('.');
  return { is: 'service', name: `${labels.slice(-2).join('.')}.${domain}`, instance, port: asked, isInDomain };
}

/** `4.3.2.1.in-addr.arpa` (RFC 1035, 3.5) and the 32 digits of ip6.arpa (RFC 3596, 2.5). */
function readReverse(text: string): OwnQuestion {
  const labels = text.split('.');
  const digits = labels.slice(0, -2).reverse();
  if (text.endsWith('.in-addr.arpa') && digits.length === 4 && digits.every(isOctet)) {
    return { is: 'reverse', address: digits.join('.') };
  }
  if (text.endsWith('.ip6.arpa') && digits.length === 32 && digits.every((digit) => /^[0-9a-f]$/.test(digit))) {
    const groups = digits.join('').match(/.{4}/g) ?? [];
    return { is: 'reverse', address: groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':') };
  }
  return { is: 'foreign' };
}

function isOctet(text: string): boolean {
  return /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) < 256;
}
