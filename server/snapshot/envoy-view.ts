/**
 * The mesh as Envoys with equal nodes are served it: the services of their scope and the clusters that these send to, and the
 * listeners of the node. Of services nothing is kept here.
 */
import { parseServiceKey } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { canonicalName } from '../compile/envoy/authority.ts';
import { hostOfScope } from '../compile/envoy/scopes.ts';
import type { ClientView, ResourceChange } from './client-view.ts';
import type { EnvoyNode } from './envoy-node.ts';
import { envoyResources } from './envoy-resources.ts';
import { type MeshState, stateBefore } from './mesh-state.ts';
import { NodeResources, serviceOfListener } from './node-resources.ts';
import { type ServiceSnapshot, withInstances } from './service-snapshot.ts';
import { ownerOf, rankClaimants, type SnapshotCache, type SnapshotChange } from './snapshot-cache.ts';

/** Of one type. What a change brings is sent to a thousand streams one after the other; a client may ask for far more names. */
const mostAnswers = 100;

interface Moment extends MeshState {
  /** Clusters that services in the scope send to, of services outside of it. */
  readonly referred: () => ReadonlySet<string>;
}

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
  readonly #domain: string;
  /** Of the keys of services in its namespace. */
  readonly #suffix: string;
  readonly #own: NodeResources;
  /** Undefined: all of the namespace. */
  readonly #listed: ReadonlySet<string> | undefined;
  /** Type -> name -> answer, of one sequence. Not the last answer alone: of a new service each stream is sent several in turn. */
  readonly #answers = new Map<string, Map<string, EncodedResource | undefined>>();
  #answeredSequence: number | undefined;
  readonly #changes = new WeakMap<SnapshotChange, readonly ResourceChange[]>();

  /** `domain`: the suffix of full names. */
  constructor(cache: SnapshotCache, node: EnvoyNode, domain: string) {
    this.#cache = cache;
    this.#node = node;
    this.#domain = domain;
    this.#suffix = `.${node.namespace}`;
    this.#own = new NodeResources(node, domain);
    const upstreams = node.upstreams.map(({ service }) => service);
    this.#listed = node.services && new Set([...node.services, ...upstreams]);
  }

  /** Services that the node names and that are not there, or not with this port: it is served them when they come. */
  missing(): string[] {
    const { services = [], upstreams } = this.#node;
    const absent = services.filter((key) => this.#cache.service(key) === undefined);
    const upstream = upstreams.filter(({ service, port }) => {
      const ports = this.#cache.service(service)?.input.ports ?? [];
      return port === undefined ? ports.length === 0 : !ports.some((one) => one.port === port);
    });
    return [...new Set([...absent, ...upstream.map(({ service, port }) => (port ? `${service}:${port}` : service))])];
  }

  resource(typeUrl: string, name: string): EncodedResource | undefined {
    const answers = this.#answersOf(typeUrl);
    const known = answers.get(name);
    if (known !== undefined || answers.has(name)) return known;
    const resource = this.#find(typeUrl, name, this.#at(this.#cache));
    if (answers.size < mostAnswers) answers.set(name, resource);
    return resource;
  }

  #answersOf(typeUrl: string): Map<string, EncodedResource | undefined> {
    const { sequence } = this.#cache;
    if (this.#answeredSequence !== sequence) this.#answers.clear();
    this.#answeredSequence = sequence;
    const present = this.#answers.get(typeUrl);
    if (present !== undefined) return present;
    const answers = new Map<string, EncodedResource | undefined>();
    this.#answers.set(typeUrl, answers);
    return answers;
  }

  *resources(typeUrl: string): Generator<EncodedResource> {
    const now = this.#at(this.#cache);
    yield* this.#own.all(typeUrl, now);
    const isScope = typeUrl === typeUrls.scopedRoute;
    for (const snapshot of this.#inScope()) {
      for (const resource of this.#of(snapshot, typeUrl).values()) {
        if (!isScope || this.#ownerOfHost(hostOfScope(resource.name), now) === snapshot.key) yield resource;
      }
    }
    if (typeUrl !== typeUrls.cluster && typeUrl !== typeUrls.endpoint) return;
    for (const name of now.referred()) {
      const resource = this.#find(typeUrl, name, now);
      if (resource) yield resource;
    }
  }

  /** One that is gone for these clients alone is there as ever. */
  formerCluster(name: string): EncodedResource | undefined {
    const snapshot = this.#cache.former.withCluster(name) ?? this.#cache.service(ownerOf(typeUrls.cluster, name));
    return snapshot && this.#of(snapshot, typeUrls.cluster).get(name);
  }

  /** Envoys ask for all listeners. */
  formerListener(): undefined {
    return undefined;
  }

  formerEndpoints(cluster: string): EncodedResource | undefined {
    const snapshot = this.#cache.former.withCluster(cluster);
    if (snapshot === undefined) return undefined;
    const { instances = [] } = this.#cache.service(snapshot.key) ?? {};
    return this.#of(withInstances(snapshot, instances), typeUrls.endpoint).get(cluster);
  }

  *formerClusters(): Generator<EncodedResource> {
    for (const name of this.#cache.former.clusters()) {
      const former = this.#isInScope(ownerOf(typeUrls.cluster, name)) ? this.formerCluster(name) : undefined;
      if (former !== undefined) yield former;
    }
  }

  formerScopes(routes: ReadonlySet<string>): readonly EncodedResource[] {
    const snapshots = this.#cache.former.withFirstPorts(routes);
    const scopes = snapshots.flatMap((snapshot) => [...this.#of(snapshot, typeUrls.scopedRoute).values()]);
    return scopes.filter((scope) => routes.has(scope.routes));
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
    if (typeUrl === typeUrls.listener) return serviceOfListener(name);
    return ownerOf(typeUrl, name);
  }

  /** For one question: services change. */
  #at(state: MeshState): Moment {
    let referred: ReadonlySet<string> | undefined;
    return {
      service: (key) => state.service(key),
      claimants: (name) => state.claimants(name),
      referred: () => {
        referred ??= this.#referred(state);
        return referred;
      },
    };
  }

  #isInScope(key: string): boolean {
    return this.#listed?.has(key) ?? this.#isAtHome(key);
  }

  #isAtHome(key: string): boolean {
    if (key.endsWith(this.#suffix)) return true;
    return this.#node.upstreams.some(({ service }) => service === key);
  }

  *#inScope(): Generator<ServiceSnapshot> {
    if (this.#listed === undefined) {
      for (const snapshot of this.#cache.services()) if (this.#isAtHome(snapshot.key)) yield snapshot;
      return;
    }
    for (const key of this.#listed) {
      const snapshot = this.#cache.service(key);
      if (snapshot) yield snapshot;
    }
  }

  #of(snapshot: ServiceSnapshot, typeUrl: string): ReadonlyMap<string, EncodedResource> {
    return envoyResources(snapshot, typeUrl, this.#node);
  }

  #find(typeUrl: string, name: string, moment: Moment): EncodedResource | undefined {
    const own = this.#own.find(typeUrl, name, moment);
    if (own || typeUrl === typeUrls.listener) return own;
    const isScope = typeUrl === typeUrls.scopedRoute;
    const key = isScope ? this.#ownerOfHost(hostOfScope(name), moment) : ownerOf(typeUrl, name);
    if (key === undefined) return undefined;
    if (!this.#isInScope(key) && !isReferred(typeUrl, name, moment)) return undefined;
    const snapshot = moment.service(key);
    return snapshot && this.#of(snapshot, typeUrl).get(name);
  }

  /** Two services may claim a name: one that is called so has it, not one that has it for an alias. */
  #ownerOfHost(host: string, state: MeshState): string | undefined {
    // An alias may be written with the domain, of which scopes have none.
    const claimants = [host, `${host}.${this.#domain}`].flatMap((name) => state.claimants(name));
    return rankClaimants(host, claimants)[0];
  }

  #referred(state: MeshState): ReadonlySet<string> {
    if (this.#listed === undefined) return new Set();
    const all = new Set([...this.#listed].flatMap((key) => state.service(key)?.references ?? []));
    return new Set([...all].filter((name) => !this.#isInScope(ownerOf(typeUrls.cluster, name))));
  }

  #differences(change: SnapshotChange): ResourceChange[] {
    const moments = [this.#at(stateBefore(this.#cache, change)), this.#at(this.#cache)] as const;
    const [then, now] = moments;
    const names = new Map<string, Set<string>>(this.typeUrls.map((typeUrl) => [typeUrl, new Set()]));
    const note = (typeUrl: string, list: Iterable<string>) => {
      for (const name of list) names.get(typeUrl)?.add(name);
    };
    for (const { key, before, after, isRuleChange, changed } of change.services) {
      const snapshots = [before, after].flatMap((snapshot) => snapshot ?? []);
      if (this.#isInScope(key)) {
        for (const typeUrl of this.typeUrls) {
          for (const snapshot of snapshots) note(typeUrl, this.#of(snapshot, typeUrl).keys());
        }
      }
      if (!isRuleChange) continue;
      const spellings = changed.filter(([typeUrl]) => typeUrl === typeUrls.name).map(([, name]) => name);
      for (const moment of moments) {
        for (const typeUrl of [typeUrls.listener, typeUrls.cluster]) {
          note(
            typeUrl,
            this.#own.dependingOn(key, typeUrl, moment).map(({ name }) => name),
          );
        }
        for (const name of spellings) note(typeUrls.scopedRoute, this.#scopesOf(name, moment));
      }
    }
    for (const typeUrl of [typeUrls.cluster, typeUrls.endpoint]) {
      for (const moment of moments) note(typeUrl, moment.referred());
    }
    return [...names].flatMap(([typeUrl, list]) =>
      [...list].flatMap((name) => {
        const found = { typeUrl, name, before: this.#find(typeUrl, name, then), after: this.#find(typeUrl, name, now) };
        return found.before?.version === found.after?.version ? [] : [found];
      }),
    );
  }

  /** Of whoever has the name: a service that comes or goes gives it to another, or takes it from one. */
  #scopesOf(name: string, moment: Moment): string[] {
    const host = canonicalName(name, this.#domain);
    const owner = this.#ownerOfHost(host, moment);
    const snapshot = owner !== undefined && this.#isInScope(owner) ? moment.service(owner) : undefined;
    if (snapshot === undefined) return [];
    return [...this.#of(snapshot, typeUrls.scopedRoute).keys()].filter((scope) => hostOfScope(scope) === host);
  }
}

function isReferred(typeUrl: string, name: string, moment: Moment): boolean {
  return (typeUrl === typeUrls.cluster || typeUrl === typeUrls.endpoint) && moment.referred().has(name);
}
