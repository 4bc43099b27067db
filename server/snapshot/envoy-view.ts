/**
 * The mesh as Envoys with equal nodes are served it: the services of their scope and the clusters that these send to, and the
 * listeners of the node. Of services nothing is kept here.
 */
import { parseServiceKey, serviceKey } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { OwnStreams } from '../compile/envoy/config-source.ts';
import {
  applicationResource,
  inboundListener,
  outboundListener,
  type SocketName,
  upstreamListener,
} from '../compile/envoy/listeners.ts';
import { hostOfScope } from '../compile/envoy/scopes.ts';
import { protocolOf } from '../compile/service-input.ts';
import type { ClientView, ResourceChange } from './client-view.ts';
import { envoyResources } from './envoy-resources.ts';
import type { ServiceSnapshot } from './service-snapshot.ts';
import { ownerOf, type SnapshotCache, type SnapshotChange } from './snapshot-cache.ts';

/** What an Envoy says of itself, with defaults filled in. Equal nodes are served alike. */
export interface EnvoyNode {
  readonly namespace: string;
  /** Of the application beside it; '' when it did not say. */
  readonly service: string;
  readonly zone: string;
  /** Undefined: one aggregated stream. */
  readonly streams: OwnStreams | undefined;
  readonly outbound: SocketName;
  readonly inbound: { readonly at: SocketName; readonly app: SocketName } | undefined;
  readonly upstreams: readonly EnvoyUpstream[];
  /** Keys of the services that it may address; undefined: all of its namespace. */
  readonly services: readonly string[] | undefined;
}

export interface EnvoyUpstream {
  /** "reviews.default". */
  readonly service: string;
  /** The service's first unless given. */
  readonly port: number | undefined;
  readonly at: SocketName;
}

type Lookup = (key: string) => ServiceSnapshot | undefined;

export class EnvoyView implements ClientView {
  readonly typeUrls: readonly string[] = [
    typeUrls.cluster,
    typeUrls.endpoint,
    // There are none yet: who asks is told so.
    typeUrls.secret,
    typeUrls.listener,
    typeUrls.scopedRoute,
    typeUrls.routeConfiguration,
  ];
  readonly #cache: SnapshotCache;
  readonly #node: EnvoyNode;
  readonly #outbound: EncodedResource;
  /** Undefined: all of the namespace. */
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #changes = new WeakMap<SnapshotChange, readonly ResourceChange[]>();

  /** `domain`: the suffix of full names. */
  constructor(cache: SnapshotCache, node: EnvoyNode, domain: string) {
    this.#cache = cache;
    this.#node = node;
    this.#outbound = outboundListener(node.outbound, { ...node, domain });
    const upstreams = node.upstreams.map(({ service }) => service);
    this.#listed = node.services && new Set([...node.services, ...upstreams]);
  }

  /** Services that the node names and that are not there, or not with this port: it is served them when they come. */
  missing(): string[] {
    const { services = [], upstreams } = this.#node;
    const absent = services.filter((key) => this.#now(key) === undefined);
    const upstream = upstreams.filter(({ service, port }) => {
      const ports = this.#now(service)?.input.ports ?? [];
      return port === undefined ? ports.length === 0 : !ports.some((one) => one.port === port);
    });
    return [...new Set([...absent, ...upstream.map(({ service, port }) => (port ? `${service}:${port}` : service))])];
  }

  resource(typeUrl: string, name: string): EncodedResource | undefined {
    return this.#find(typeUrl, name, this.#now);
  }

  *resources(typeUrl: string): Generator<EncodedResource> {
    yield* this.#own(typeUrl, this.#now);
    const isScope = typeUrl === typeUrls.scopedRoute;
    for (const snapshot of this.#inScope()) {
      for (const resource of this.#of(snapshot, typeUrl).values()) {
        if (!isScope || this.#ownerOfScope(resource.name) === snapshot.key) yield resource;
      }
    }
    if (typeUrl !== typeUrls.cluster && typeUrl !== typeUrls.endpoint) return;
    for (const name of this.#referred(this.#now)) {
      const resource = this.#find(typeUrl, name, this.#now);
      if (resource) yield resource;
    }
  }

  changes(change: SnapshotChange): readonly ResourceChange[] {
    const present = this.#changes.get(change);
    if (present !== undefined) return present;
    const found = this.#differences(change);
    this.#changes.set(change, found);
    return found;
  }

  ownerOf(typeUrl: string, name: string): string {
    if (typeUrl === typeUrls.scopedRoute) {
      const host = hostOfScope(name);
      return parseServiceKey(host) ? host : '';
    }
    // A listener for a service is called upstream|SERVICE:PORT|ADDRESS; all others are of the node alone.
    if (typeUrl === typeUrls.listener) return /^upstream\|([^:|]+):/.exec(name)?.[1] ?? '';
    return ownerOf(typeUrl, name);
  }

  readonly #now: Lookup = (key) => this.#cache.service(key);

  #isInScope(key: string): boolean {
    return this.#listed?.has(key) ?? this.#isAtHome(key);
  }

  #isAtHome(key: string): boolean {
    if (parseServiceKey(key)?.namespace === this.#node.namespace) return true;
    return this.#node.upstreams.some(({ service }) => service === key);
  }

  *#inScope(): Generator<ServiceSnapshot> {
    if (this.#listed === undefined) {
      for (const snapshot of this.#cache.services()) if (this.#isAtHome(snapshot.key)) yield snapshot;
      return;
    }
    for (const key of this.#listed) {
      const snapshot = this.#now(key);
      if (snapshot) yield snapshot;
    }
  }

  #of(snapshot: ServiceSnapshot, typeUrl: string): ReadonlyMap<string, EncodedResource> {
    return envoyResources(snapshot, typeUrl, this.#node);
  }

  /** The listeners, and the application as a cluster: what the services make of them. */
  #own(typeUrl: string, lookup: Lookup): readonly EncodedResource[] {
    const { inbound, namespace, service } = this.#node;
    if (typeUrl !== typeUrls.listener && typeUrl !== typeUrls.cluster) return [];
    const input = service === '' ? undefined : lookup(serviceKey(namespace, service))?.input;
    const first = input?.ports[0];
    const protocol = input && first ? protocolOf(input, first.name) : 'undeclared';
    if (typeUrl === typeUrls.cluster) return inbound ? [applicationResource(inbound.app, protocol)] : [];
    const upstreams = this.#node.upstreams.flatMap((upstream) => {
      const snapshot = lookup(upstream.service);
      return (snapshot && upstreamListener(snapshot.input, snapshot.compiled, upstream, this.#node.streams)) ?? [];
    });
    return [this.#outbound, ...(inbound ? [inboundListener(inbound.at, protocol)] : []), ...upstreams];
  }

  #find(typeUrl: string, name: string, lookup: Lookup): EncodedResource | undefined {
    const own = this.#own(typeUrl, lookup).find((resource) => resource.name === name);
    if (own || typeUrl === typeUrls.listener) return own;
    const key = typeUrl === typeUrls.scopedRoute ? this.#ownerOfScope(name) : ownerOf(typeUrl, name);
    if (!this.#isInScope(key) && !this.#isReferred(typeUrl, name, lookup)) return undefined;
    const snapshot = lookup(key);
    return snapshot && this.#of(snapshot, typeUrl).get(name);
  }

  /** Two services may claim a name: one that is called so has it, not one that has it for an alias. */
  #ownerOfScope(name: string): string {
    return this.#cache.ownerOfName(hostOfScope(name)) ?? hostOfScope(name);
  }

  /** Clusters that services in the scope send to, of services outside of it. */
  #referred(lookup: Lookup): string[] {
    if (this.#listed === undefined) return [];
    const all = [...this.#listed].flatMap((key) => lookup(key)?.references ?? []);
    return [...new Set(all)].filter((name) => !this.#isInScope(ownerOf(typeUrls.cluster, name)));
  }

  #isReferred(typeUrl: string, name: string, lookup: Lookup): boolean {
    if (this.#listed === undefined || (typeUrl !== typeUrls.cluster && typeUrl !== typeUrls.endpoint)) return false;
    return [...this.#listed].some((key) => lookup(key)?.references.includes(name));
  }

  #differences({ services }: SnapshotChange): ResourceChange[] {
    const before = new Map(services.map((change) => [change.key, change.before]));
    const then: Lookup = (key) => (before.has(key) ? before.get(key) : this.#now(key));
    const names = new Map<string, Set<string>>(this.typeUrls.map((typeUrl) => [typeUrl, new Set()]));
    const note = (typeUrl: string, list: Iterable<string>) => {
      for (const name of list) names.get(typeUrl)?.add(name);
    };
    for (const change of services) {
      const snapshots = [change.before, change.after].flatMap((snapshot) => snapshot ?? []);
      if (this.#isInScope(change.key)) {
        for (const typeUrl of this.typeUrls) {
          for (const snapshot of snapshots) note(typeUrl, this.#of(snapshot, typeUrl).keys());
        }
      }
      if (!change.isRuleChange && this.#listed === undefined) continue;
      for (const typeUrl of [typeUrls.listener, typeUrls.cluster]) {
        for (const lookup of [then, this.#now]) {
          note(
            typeUrl,
            this.#own(typeUrl, lookup).map(({ name }) => name),
          );
        }
      }
    }
    const outside = [...this.#referred(then), ...this.#referred(this.#now)];
    note(typeUrls.cluster, outside);
    note(typeUrls.endpoint, outside);
    return [...names].flatMap(([typeUrl, list]) =>
      [...list].flatMap((name) => {
        const change = { typeUrl, name, before: this.#find(typeUrl, name, then), after: this.resource(typeUrl, name) };
        return change.before?.version === change.after?.version ? [] : [change];
      }),
    );
  }
}
