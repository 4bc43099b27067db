/**
 * The mesh as gRPC clients of one namespace see it: by explicit names alone, listeners by whatever name was dialled.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileServerListener } from '../compile/grpc/listeners.ts';
import { type ClientView, differences, type ResourceChange } from './client-view.ts';
import { ownerOf, type SnapshotCache, type SnapshotChange } from './snapshot-cache.ts';
import { variantOf } from './variants.ts';

export class GrpcView implements ClientView {
  readonly typeUrls = [typeUrls.cluster, typeUrls.endpoint, typeUrls.listener, typeUrls.routeConfiguration];
  readonly #cache: SnapshotCache;
  readonly #namespace: string;
  readonly #changes = new WeakMap<SnapshotChange, readonly ResourceChange[]>();

  constructor(cache: SnapshotCache, namespace: string) {
    this.#cache = cache;
    this.#namespace = namespace;
  }

  resource(typeUrl: string, name: string): EncodedResource | undefined {
    const owner = this.ownerOf(typeUrl, name);
    const key = typeUrl === typeUrls.listener ? this.#cache.ownerOfName(owner) : owner;
    const snapshot = key === undefined ? undefined : this.#cache.service(key);
    const found = snapshot && variantOf(snapshot, 'grpc').get(typeUrl)?.get(name);
    return found ?? (typeUrl === typeUrls.listener ? compileServerListener(name) : undefined);
  }

  /** gRPC clients never mean everything. */
  resources(): readonly EncodedResource[] {
    return [];
  }

  formerCluster(name: string): EncodedResource | undefined {
    const snapshot = this.#cache.former.withCluster(name);
    return snapshot && variantOf(snapshot, 'grpc').get(typeUrls.cluster)?.get(name);
  }

  formerListener(name: string): EncodedResource | undefined {
    const key = this.#cache.ownerOfName(this.ownerOf(typeUrls.listener, name));
    const [, port] = /:(\d+)$/.exec(name) ?? [];
    if (key === undefined || port === undefined) return undefined;
    const [snapshot] = this.#cache.former.withFirstPorts(new Set([`${key}:${port}`]));
    return snapshot && variantOf(snapshot, 'grpc').get(typeUrls.listener)?.get(name);
  }

  /** These clients do not ask again for what they have. */
  formerEndpoints(): undefined {
    return undefined;
  }

  /** gRPC clients name what they have. */
  formerClusters(): readonly EncodedResource[] {
    return [];
  }

  /** Nor have they scopes. */
  formerScopes(): readonly EncodedResource[] {
    return [];
  }

  changes(change: SnapshotChange): readonly ResourceChange[] {
    const present = this.#changes.get(change);
    if (present !== undefined) return present;
    const found = change.services.flatMap(({ key, before, after }) => {
      const isOwn = key.endsWith(`.${this.#namespace}`);
      return differences(before, after, 'grpc').flatMap((difference) => {
        const { typeUrl, name } = difference;
        if (typeUrl !== typeUrls.listener) return [difference];
        // A short name means this service to clients of its namespace alone; and a name may have been another's alias.
        return isOwn || dialled(name).includes('.') ? [{ ...difference, after: this.resource(typeUrl, name) }] : [];
      });
    });
    this.#changes.set(change, found);
    return found;
  }

  /** Of a listener the full name that was dialled, which is the key of the service or another name that it has. */
  ownerOf(typeUrl: string, name: string): string {
    if (typeUrl !== typeUrls.listener) return ownerOf(typeUrl, name);
    const host = dialled(name);
    return host === '' || host.includes('.') ? host : `${host}.${this.#namespace}`;
  }
}

/** "reviews.default" of "reviews.default:9080". */
function dialled(name: string): string {
  return name.replace(/:\d+$/, '');
}
