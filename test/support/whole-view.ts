import { typeUrls } from '../../proto/type-urls.ts';
import type { ForeignKind } from '../../server/compile/compiled-variant.ts';
import type { EncodedResource } from '../../server/compile/encoded-resource.ts';
import { type ClientView, differences, type ResourceChange } from '../../server/snapshot/client-view.ts';
import { ownerOf, type SnapshotCache, type SnapshotChange } from '../../server/snapshot/snapshot-cache.ts';
import { variantOf } from '../../server/snapshot/variants.ts';

/** Every service of the mesh as clients of one kind get it. */
export class WholeView implements ClientView {
  readonly typeUrls: readonly string[];
  readonly #cache: SnapshotCache;
  readonly #kind: ForeignKind;
  readonly #changes = new WeakMap<SnapshotChange, readonly ResourceChange[]>();

  constructor(cache: SnapshotCache, kind: ForeignKind, types: readonly string[]) {
    this.#cache = cache;
    this.#kind = kind;
    this.typeUrls = types;
  }

  resource(typeUrl: string, name: string): EncodedResource | undefined {
    const snapshot = this.#cache.service(this.ownerOf(typeUrl, name));
    return snapshot && variantOf(snapshot, this.#kind).get(typeUrl)?.get(name);
  }

  *resources(typeUrl: string): Generator<EncodedResource> {
    for (const snapshot of this.#cache.services()) {
      yield* variantOf(snapshot, this.#kind).get(typeUrl)?.values() ?? [];
    }
  }

  formerCluster(name: string): EncodedResource | undefined {
    const snapshot = this.#cache.former.withCluster(name);
    return snapshot && variantOf(snapshot, this.#kind).get(typeUrls.cluster)?.get(name);
  }

  formerListener(): undefined {
    return undefined;
  }

  formerEndpoints(): undefined {
    return undefined;
  }

  formerClusters(): readonly EncodedResource[] {
    return this.#cache.former.clusters().flatMap((name) => this.formerCluster(name) ?? []);
  }

  formerScopes(): readonly EncodedResource[] {
    return [];
  }

  changes(change: SnapshotChange): readonly ResourceChange[] {
    const present = this.#changes.get(change);
    if (present !== undefined) return present;
    const found = change.services.flatMap(({ before, after }) => differences(before, after, this.#kind));
    this.#changes.set(change, found);
    return found;
  }

  ownerOf(typeUrl: string, name: string): string {
    return ownerOf(typeUrl, name);
  }
}
