/** The services as they are, or as they were before a change: what a view answers from. */
import { typeUrls } from '../../proto/type-urls.ts';
import { resourceOf, type ServiceSnapshot } from './service-snapshot.ts';
import type { SnapshotCache, SnapshotChange } from './snapshot-cache.ts';

export interface MeshState {
  service(key: string): ServiceSnapshot | undefined;
  /** Keys of the services that claim a spelling, in no order. */
  claimants(name: string): readonly string[];
}

/** `change`: the newest of the cache. */
export function stateBefore(cache: SnapshotCache, { services }: SnapshotChange): MeshState {
  const before = new Map(services.map((change) => [change.key, change.before]));
  return {
    service: (key) => (before.has(key) ? before.get(key) : cache.service(key)),
    claimants: (name) => {
      const unchanged = cache.claimants(name).filter((key) => !before.has(key));
      const changed = [...before].filter(([, snapshot]) => resourceOf(snapshot, typeUrls.name, name));
      return [...unchanged, ...changed.map(([key]) => key)];
    },
  };
}
