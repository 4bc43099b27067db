/**
 * What an Envoy says of itself in `node.metadata.sluice`. Everything may be left out; what cannot be used is left out too, and
 * told in whole sentences.
 */
import { isIP } from 'node:net';
import { isDnsName, parseServiceKey, serviceKey } from '../../model/names.ts';
import { formatHostPort, parseHostPort } from '../../process/host-port.ts';
import type { Json } from '../../proto/struct.ts';
import type { SocketName } from '../compile/envoy/listeners.ts';
import type { EnvoyNode, EnvoyUpstream } from '../snapshot/envoy-node.ts';
import { longestText, type StreamIdentity } from './identity.ts';
import type { Protocol } from './session.ts';

/** More of one node are absurd, and would cost this server memory. */
const mostUpstreams = 1_000;
const mostServices = 10_000;

/** As `sluice envoy-bootstrap` calls it. */
const defaultCluster = 'sluice';

const defaultOutbound: SocketName = { host: '127.0.0.1', port: 15_001 };

export interface ReadNode {
  readonly node: EnvoyNode;
  readonly problems: readonly string[];
}

/** `domain`: the suffix of full names. `ownStream`: its form, when the stream is of one type alone. */
export function readEnvoyNode(identity: StreamIdentity, domain: string, ownStream?: Protocol): ReadNode {
  const { metadata, namespace, service, zone } = identity;
  const problems = ['service', 'namespace'].flatMap((key) => {
    const said = metadata[key];
    return said === undefined || typeof said === 'string'
      ? []
      : [`metadata.sluice.${key} is ${show(said)}, not a name`];
  });
  const outbound = readAddress('outbound', metadata.outbound, problems) ?? defaultOutbound;
  const at = readAddress('inbound', metadata.inbound, problems);
  const app = readAddress('app', metadata.app, problems);
  if ((at === undefined) !== (app === undefined)) {
    problems.push(
      'metadata.sluice has one of inbound and app: the other one is missing, so it has no inbound listener',
    );
  }
  const names: Names = { namespace, domain };
  const places = new Places(outbound, problems);
  const inbound = at && app && places.take(at) ? { at, app } : undefined;
  const upstreams = readUpstreams(metadata.upstreams, names, problems).filter((one) => places.take(one.at, one));
  const services = readServices(metadata.services, names, problems);
  const cluster = typeof metadata.cluster === 'string' ? metadata.cluster.slice(0, longestText) : defaultCluster;
  const streams = ownStream && { protocol: ownStream, cluster };
  return { node: { namespace, service, zone, streams, outbound, inbound, upstreams, services }, problems };
}

/** Envoy refuses two listeners at one address, and all of an answer that has two of one name. */
class Places {
  readonly #problems: string[];
  /** Address -> the upstreams that are there. */
  readonly #taken = new Map<string, EnvoyUpstream[]>();

  constructor(outbound: SocketName, problems: string[]) {
    this.#problems = problems;
    this.#taken.set(formatHostPort(outbound), []);
  }

  /** False, with a problem, for a listener that has to be left out. `upstream`: what the listener is for, if it is for one. */
  take(at: SocketName, upstream?: EnvoyUpstream): boolean {
    const address = formatHostPort(at);
    const present = this.#taken.get(address);
    // Port 0 is another one each time; but the names of two listeners for one port of a service are the same.
    const isTaken = present && (at.port !== 0 || present.some((one) => upstream && mayBeSamePort(one, upstream)));
    if (isTaken) {
      this.#problems.push(`metadata.sluice has two listeners at ${address}: the later one is left out`);
      return false;
    }
    this.#taken.set(address, [...(present ?? []), ...(upstream ? [upstream] : [])]);
    return true;
  }
}

/** Without a port it is the service's first, which may be any. */
function mayBeSamePort(a: EnvoyUpstream, b: EnvoyUpstream): boolean {
  return a.service === b.service && (a.port === undefined || b.port === undefined || a.port === b.port);
}

function readAddress(key: string, value: Json | undefined, problems: string[]): SocketName | undefined {
  if (value === undefined) return undefined;
  const address = typeof value === 'string' ? parseHostPort(value) : undefined;
  const host = address?.host === 'localhost' ? '127.0.0.1' : (address?.host ?? '');
  if (address === undefined || isIP(host) === 0) {
    problems.push(`metadata.sluice.${key} is ${show(value)}, which is no IP address and port such as 127.0.0.1:15001`);
    return undefined;
  }
  return { host, port: address.port };
}

interface Names {
  readonly namespace: string;
  readonly domain: string;
}

function readUpstreams(value: Json | undefined, names: Names, problems: string[]): EnvoyUpstream[] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(`metadata.sluice.upstreams is ${show(value)}, not addresses by service`);
    return [];
  }
  const entries = Object.entries(value);
  if (entries.length > mostUpstreams) {
    problems.push(
      `metadata.sluice.upstreams has ${entries.length} entries; those behind the first ${mostUpstreams} do not count`,
    );
  }
  return entries.slice(0, mostUpstreams).flatMap(([text, address]) => {
    const [, host = '', digits] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
    const service = readService(host, names);
    const port = digits === undefined ? undefined : Number(digits);
    if (service === undefined || port === 0 || (port ?? 1) > 65_535) {
      problems.push(
        `metadata.sluice.upstreams names ${show(text)}, which is no service such as reviews or reviews:9080`,
      );
      return [];
    }
    const at = readAddress(`upstreams["${text.slice(0, 100)}"]`, address, problems);
    return at ? [{ service, port, at }] : [];
  });
}

function readServices(value: Json | undefined, names: Names, problems: string[]): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) {
    problems.push(`metadata.sluice.services is ${show(value)}, not a list of names; it is served all of its namespace`);
    return undefined;
  }
  const list: readonly Json[] = value;
  if (list.length > mostServices) {
    problems.push(
      `metadata.sluice.services has ${list.length} entries; those behind the first ${mostServices} do not count`,
    );
  }
  const keys = list.slice(0, mostServices).flatMap((name) => {
    const key = typeof name === 'string' ? readService(name, names) : undefined;
    if (key === undefined) problems.push(`metadata.sluice.services names ${show(name)}, which is no service`);
    return key ?? [];
  });
  return [...new Set(keys)].sort();
}

/** "reviews", "reviews.default", "reviews.default.mesh.local" -> "reviews.default". */
function readService(text: string, { namespace, domain }: Names): string | undefined {
  const name = text.toLowerCase();
  if (!isDnsName(name)) return undefined;
  const key = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name;
  const full = key.includes('.') ? key : serviceKey(namespace, key);
  return parseServiceKey(full) ? full : undefined;
}

function show(value: Json): string {
  return JSON.stringify(value).slice(0, 100);
}
