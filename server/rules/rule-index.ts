/**
 * The documents in force, findable by service: what the compiler reads for one service without looking at the others.
 * Changed only by revisions, one after the other.
 */
import { aliasName, serviceKey } from '../../model/names.ts';
import { type Kind, type Resource, type ResourceId, resourceIdKey, resourceKey } from '../../model/resource.ts';
import type { ResourceChange, StoredResource } from '../../model/revision.ts';
import type { Route } from '../../model/route.ts';
import { defaultPorts, type Service, type ServicePort } from '../../model/service.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';

/** A subset of a service that some backend or mirror names. */
export interface SubsetRef {
  readonly service: string;
  readonly subset: string;
}

export class RuleIndex {
  readonly #documents = new Map<string, StoredResource>();
  readonly #routes = new Map<string, Map<string, Route>>();
  readonly #policies = new Map<string, Map<string, TrafficPolicy>>();
  /** Service -> subset -> how many backends and mirrors name it. */
  readonly #subsets = new Map<string, Map<string, number>>();
  /** Service -> the Routes and TrafficPolicies that speak of it, by key. */
  readonly #speakers = new Map<string, Map<string, Resource>>();
  /** Alias, as a full name -> the Services that have it, by key. */
  readonly #aliases = new Map<string, Map<string, Service>>();
  /** Service -> services whose Routes send traffic to it, with how many of their documents do. */
  readonly #senders = new Map<string, Map<string, number>>();

  constructor(documents: readonly StoredResource[] = []) {
    for (const document of documents) this.#put(document);
  }

  /** Brings the index to the state after this revision; answers the services whose traffic it may change, sorted. */
  advance(changes: readonly ResourceChange[], revision: number): readonly string[] {
    const services = new Set<string>();
    for (const { before, after } of changes) {
      for (const resource of [before, after]) {
        if (resource) for (const service of this.#affectedBy(resource)) services.add(service);
      }
      if (before) this.#remove(before);
      if (after) this.#put({ resource: after, revision });
    }
    return [...services].sort();
  }

  get(id: ResourceId): StoredResource | undefined {
    return this.#documents.get(resourceIdKey(id));
  }

  /** Sorted by namespace and name. */
  list(kind: Kind): readonly StoredResource[] {
    const documents = [...this.#documents.values()].filter(({ resource }) => resource.kind === kind);
    return documents.sort((a, b) => (resourceKey(a.resource) < resourceKey(b.resource) ? -1 : 1));
  }

  all(): IterableIterator<StoredResource> {
    return this.#documents.values();
  }

  service(key: string): Service | undefined {
    const [name = '', namespace = ''] = key.split('.');
    const resource = this.get({ kind: 'Service', namespace, name })?.resource;
    return resource?.kind === 'Service' ? resource : undefined;
  }

  /** A service that no document describes has the one port `http`, number 80. */
  ports(key: string): readonly ServicePort[] {
    return this.service(key)?.spec.ports ?? defaultPorts;
  }

  /** Sorted by name. */
  routes(key: string): readonly Route[] {
    return sortedValues(this.#routes.get(key));
  }

  /** Sorted by name. */
  policies(key: string): readonly TrafficPolicy[] {
    return sortedValues(this.#policies.get(key));
  }

  /** Subsets that backends and mirrors of any Route name, sorted. */
  namedSubsets(key: string): readonly string[] {
    return [...(this.#subsets.get(key)?.keys() ?? [])].sort();
  }

  /** Whether a Route or a TrafficPolicy speaks of the service. */
  isNamed(key: string): boolean {
    return this.#speakers.has(key);
  }

  /** Every document that is the service or speaks of it. */
  about(key: string): readonly Resource[] {
    const service = this.service(key);
    return [...(service === undefined ? [] : [service]), ...(this.#speakers.get(key)?.values() ?? [])];
  }

  /** The Services that have this name for an alias: one, unless the rules contradict each other. */
  withAlias(name: string): readonly Service[] {
    return [...(this.#aliases.get(name)?.values() ?? [])];
  }

  /** The key of another service that has this service's name for an alias. */
  aliasOwner(key: string): string | undefined {
    return this.withAlias(key)
      .map(ownService)
      .find((owner) => owner !== key);
  }

  /** Every service that a document is or speaks of. */
  services(): Set<string> {
    return new Set([...this.#documents.values()].flatMap(({ resource }) => servicesOf(resource)));
  }

  /** A Service's ports are looked up by the Routes of other services that send to it. */
  #affectedBy(resource: Resource): string[] {
    const senders = resource.kind === 'Service' ? [...(this.#senders.get(ownService(resource))?.keys() ?? [])] : [];
    return [...servicesOf(resource), ...senders];
  }

  #put(document: StoredResource): void {
    const { resource } = document;
    this.#documents.set(resourceKey(resource), document);
    this.#count(resource, 1);
    if (resource.kind === 'Route') addTo(this.#routes, ownService(resource), resource);
    if (resource.kind === 'TrafficPolicy') addTo(this.#policies, ownService(resource), resource);
  }

  #remove(resource: Resource): void {
    this.#documents.delete(resourceKey(resource));
    this.#count(resource, -1);
    if (resource.kind === 'Route') removeFrom(this.#routes, ownService(resource), resource.metadata.name);
    if (resource.kind === 'TrafficPolicy') removeFrom(this.#policies, ownService(resource), resource.metadata.name);
  }

  #count(resource: Resource, by: 1 | -1): void {
    const key = resourceKey(resource);
    if (resource.kind === 'Service') {
      for (const name of aliasesOf(resource)) setNested(this.#aliases, name, key, by === 1 ? resource : undefined);
      return;
    }
    for (const service of servicesOf(resource)) {
      setNested<Resource>(this.#speakers, service, key, by === 1 ? resource : undefined);
    }
    if (resource.kind !== 'Route') return;
    for (const { service, subset } of subsetsOf(resource)) {
      addNestedCount(this.#subsets, service, subset, by);
      addNestedCount(this.#senders, service, ownService(resource), by);
    }
  }
}

/** The aliases of a Service as full names. */
export function aliasesOf({ metadata, spec }: Service): string[] {
  return spec.aliases.map((alias) => aliasName(metadata.namespace, alias));
}

/** The service that a document is about: itself, or the one whose traffic it governs. */
export function ownService(resource: Resource): string {
  const name = resource.kind === 'Service' ? resource.metadata.name : resource.spec.service;
  return serviceKey(resource.metadata.namespace, name);
}

/** Every service that a document is about or sends traffic to, each once. */
export function servicesOf(resource: Resource): string[] {
  const targets = resource.kind === 'Route' ? subsetsOf(resource).map(({ service }) => service) : [];
  return [...new Set([ownService(resource), ...targets])];
}

function subsetsOf(route: Route): SubsetRef[] {
  const { namespace } = route.metadata;
  return route.spec.rules.flatMap(({ backends, mirror = [] }) =>
    [...backends, ...mirror].map(({ service = route.spec.service, subset = '' }) => ({
      service: serviceKey(namespace, service),
      subset,
    })),
  );
}

function setNested<T>(map: Map<string, Map<string, T>>, outer: string, inner: string, value: T | undefined): void {
  const inners = map.get(outer) ?? new Map<string, T>();
  if (value === undefined) inners.delete(inner);
  else inners.set(inner, value);
  if (inners.size > 0) map.set(outer, inners);
  else map.delete(outer);
}

function addCount(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function addNestedCount(map: Map<string, Map<string, number>>, outer: string, inner: string, by: 1 | -1): void {
  const counts = map.get(outer) ?? new Map<string, number>();
  addCount(counts, inner, by);
  if (counts.size > 0) map.set(outer, counts);
  else map.delete(outer);
}

function addTo<T extends Resource>(map: Map<string, Map<string, T>>, service: string, resource: T): void {
  map.set(service, (map.get(service) ?? new Map<string, T>()).set(resource.metadata.name, resource));
}

function removeFrom<T>(map: Map<string, Map<string, T>>, service: string, name: string): void {
  const named = map.get(service);
  named?.delete(name);
  if (named?.size === 0) map.delete(service);
}

function sortedValues<T>(map: Map<string, T> | undefined): readonly T[] {
  return [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
