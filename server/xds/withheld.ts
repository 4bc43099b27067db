/**
 * What one agent has refused, and what is withheld from it for that: everything that came with the refused resource (the
 * services that the revision changed, or the one new name), served as of the last mark that the agent acknowledged,
 * until a refused resource changes. Endpoints flow on: they are no part of a revision.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { resourceOf, type ServiceSnapshot, withInstances } from '../snapshot/service-snapshot.ts';
import { ownerOf, type SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { type HoldingsView, resourceKey } from './holdings.ts';
import type { RefusedResource } from './session.ts';

interface RefusedVersion {
  readonly typeUrl: string;
  readonly name: string;
  /** Whether the refused batch brought it. A refusal may name what it did not: then it stands for all of the batch. */
  readonly wasSent: boolean;
  /** The version that was refused; undefined when the resource was not there. */
  readonly version: string | undefined;
  readonly reason: string;
}

export class Withheld implements HoldingsView {
  readonly #cache: SnapshotCache;
  readonly #services = new Map<string, ServiceSnapshot>();
  readonly #names = new Set<string>();
  #refused: RefusedVersion[] = [];

  constructor(cache: SnapshotCache) {
    this.#cache = cache;
  }

  get isEmpty(): boolean {
    return this.#services.size === 0 && this.#names.size === 0;
  }

  /**
   * Remembers what was refused of what was `sent` (by resource key). Answers what of it is still so: what has changed
   * meanwhile may be the repair.
   */
  refuse(resources: readonly RefusedResource[], sent: ReadonlyMap<string, string>): readonly RefusedResource[] {
    const refused = resources.map(({ typeUrl, name, reason }) => {
      const version = sent.get(resourceKey(typeUrl, name));
      const wasSent = version !== undefined;
      return { typeUrl, name, reason, wasSent, version: wasSent ? version : this.#currentVersion(typeUrl, name) };
    });
    const standing = (each: RefusedVersion) => this.#currentVersion(each.typeUrl, each.name) === each.version;
    const known = new Map([...this.#refused, ...refused].map((each) => [resourceKey(each.typeUrl, each.name), each]));
    this.#refused = [...known.values()].filter(standing);
    return resources.filter((_resource, index) => refused.slice(index, index + 1).some(standing));
  }

  /** Whether these are endpoints that were refused: they are not sent again. All else is withheld with what needs it. */
  isRefused({ typeUrl, name, version }: EncodedResource): boolean {
    if (typeUrl !== typeUrls.endpoint) return false;
    return this.#refused.some(
      (each) => each.wasSent && each.typeUrl === typeUrl && each.name === name && each.version === version,
    );
  }

  /** What was refused and is still so. */
  get refused(): readonly RefusedVersion[] {
    return this.#refused;
  }

  withholdService(snapshot: ServiceSnapshot): void {
    this.#services.set(snapshot.key, snapshot);
  }

  withholdName(name: string): void {
    this.#names.add(name);
  }

  isNameWithheld(name: string): boolean {
    return this.#names.has(name);
  }

  names(): string[] {
    return [...this.#names];
  }

  forgetName(name: string): void {
    this.#names.delete(name);
  }

  /**
   * When a refused resource has changed, nothing is withheld any more: answers what was, to be looked at again.
   * Without a named resource any change of the rules counts.
   */
  releaseIfChanged(isNewRevision: boolean): { readonly services: string[]; readonly names: string[] } | undefined {
    const hasChanged =
      this.#refused.length === 0
        ? isNewRevision
        : this.#refused.some(({ typeUrl, name, version }) => this.#currentVersion(typeUrl, name) !== version);
    if (this.isEmpty || !hasChanged) return undefined;
    const released = { services: [...this.#services.keys()], names: [...this.#names] };
    this.#services.clear();
    this.#names.clear();
    this.#refused = [];
    return released;
  }

  service(key: string): ServiceSnapshot | undefined {
    const withheld = this.#services.get(key);
    if (!withheld) return this.#cache.service(key);
    // By the rules that the agent has, of the instances that there are.
    return withInstances(withheld, this.#cache.service(key)?.instances ?? []);
  }

  newest(typeUrl: string, name: string): EncodedResource | undefined {
    const isTarget = typeUrl === typeUrls.cluster || typeUrl === typeUrls.endpoint;
    return isTarget ? this.#cache.resource(typeUrl, name) : undefined;
  }

  ownerOfName(name: string): string | undefined {
    if (this.#names.has(name)) return undefined;
    for (const snapshot of this.#services.values()) {
      if (resourceOf(snapshot, typeUrls.name, name)) return snapshot.key;
    }
    return this.#cache.ownerOfName(name);
  }

  #currentVersion(typeUrl: string, name: string): string | undefined {
    const owner = typeUrl === typeUrls.name ? this.#cache.ownerOfName(name) : ownerOf(typeUrl, name);
    return resourceOf(this.#cache.service(owner ?? ''), typeUrl, name)?.version;
  }
}
