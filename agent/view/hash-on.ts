/** What of a request ring-hash and maglev go by: `hashOn` of a TrafficPolicy, as the metadata of a cluster says it. */
import type { Json } from '../../proto/struct.ts';
import { hash53 } from '../../routing/hash.ts';
import { UnusableError } from '../../routing/refusal.ts';
import { cookieValue, queryParameter, type RouteRequest } from '../../routing/request.ts';

/**
 * The hash of the first of these keys that the request has; undefined when it has none. An empty value says nothing of who
 * asks, so it counts as missing. `sourceAddress` is the caller's IP address, without a port.
 */
export type HashOf = (request: RouteRequest, sourceAddress: string) => number | undefined;

/** For policies that go by no hash. */
export const noHash: HashOf = () => undefined;

type ReadKey = (request: RouteRequest, sourceAddress: string) => string | undefined;

/** `hashOn`: undefined when there is none. Throws UnusableError on a kind of key it does not know. */
export function prepareHashOn(hashOn: Json | undefined, where: string): HashOf {
  if (hashOn === undefined) return noHash;
  if (!isList(hashOn)) throw new UnusableError(where, 'is no list');
  const keys = hashOn.map((key, index) => prepareKey(key, `${where}[${index}]`));
  return (request, sourceAddress) => {
    for (const read of keys) {
      const value = read(request, sourceAddress);
      if (value !== undefined && value !== '') return hash53(value);
    }
    return undefined;
  };
}

function prepareKey(key: Json, where: string): ReadKey {
  const [entry, ...more] = isMap(key) ? Object.entries(key) : [];
  const [kind, name] = entry ?? [];
  if (more.length > 0 || kind === undefined) throw new UnusableError(where, 'is no map of one kind of key');
  if (kind === 'sourceAddress' && name === true) return (_request, sourceAddress) => sourceAddress;
  if (typeof name !== 'string' || name === '') throw new UnusableError(where, `${kind} has no name`);
  switch (kind) {
    case 'header':
      return readHeader(name.toLowerCase());
    case 'cookie':
      return (request) => cookieValue(request.header('cookie'), name);
    case 'query':
      return (request) => queryParameter(request.query, name);
    default:
      throw new UnusableError(where, `${kind} is a kind of key that this agent does not know`);
  }
}

function readHeader(name: string): ReadKey {
  return (request) => request.header(name);
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

function isMap(json: Json): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !isList(json);
}
