/** What an agent has, resource by resource, for people to look at. */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { resourceOf } from '../snapshot/service-snapshot.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { type Holdings, resourceKey, sendOrder } from './holdings.ts';
import type { HeldResource } from './session.ts';
import type { Withheld } from './withheld.ts';

export interface Held {
  readonly cache: SnapshotCache;
  readonly holdings: Pick<Holdings, 'versionsOf'>;
  readonly refused: Withheld['refused'];
  /** Keys of resources that the agent has not answered. */
  readonly underWay: ReadonlyMap<string, string>;
}

/** A refused resource has the version that the agent kept, if it had any. */
export function* heldByAgent({ cache, holdings, refused, underWay }: Held): Generator<HeldResource> {
  const refusals = new Map(refused.map((each) => [resourceKey(each.typeUrl, each.name), each]));
  for (const typeUrl of sendOrder) {
    for (const [name, version] of holdings.versionsOf(typeUrl)) {
      const key = resourceKey(typeUrl, name);
      if (refusals.has(key)) continue;
      const state = underWay.has(key) ? 'sent' : 'acked';
      yield { typeUrl, name, version, state, refused: undefined, resource: present(cache, typeUrl, name, version) };
    }
  }
  for (const { typeUrl, name, version: refusedVersion = '', reason } of refusals.values()) {
    const version = holdings.versionsOf(typeUrl).get(name) ?? '';
    const resource = present(cache, typeUrl, name, version);
    const refusal = { version: refusedVersion, message: reason };
    yield { typeUrl, name, version, state: 'nacked', refused: refusal, resource };
  }
}

/** Of this version, if it is the present one. */
function present(cache: SnapshotCache, typeUrl: string, name: string, version: string): EncodedResource | undefined {
  const owner = typeUrl === typeUrls.name ? cache.service(cache.ownerOfName(name) ?? '') : undefined;
  const current = owner ? resourceOf(owner, typeUrl, name) : cache.resource(typeUrl, name);
  return current?.version === version ? current : undefined;
}
