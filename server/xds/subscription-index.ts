/** Who is concerned by what: services and names -> subscribers, so that a change finds its streams without a search. */
import { typeUrls } from '../../proto/type-urls.ts';
import { resourcesOf } from '../snapshot/service-snapshot.ts';
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { Interest } from './session.ts';

export class SubscriptionIndex<Subscriber> {
  readonly #services = new Map<string, Set<Subscriber>>();
  readonly #names = new Map<string, Set<Subscriber>>();
  readonly #everything = new Set<Subscriber>();
  readonly #onUnused: (service: string) => void;

  /** `onUnused`: the last subscriber of a service has gone. */
  constructor(onUnused: (service: string) => void) {
    this.#onUnused = onUnused;
  }

  interestOf(subscriber: Subscriber): Interest {
    return {
      holdService: (key) => add(this.#services, key, subscriber),
      releaseService: (key) => {
        if (remove(this.#services, key, subscriber)) this.#onUnused(key);
      },
      holdName: (name) => add(this.#names, name, subscriber),
      releaseName: (name) => {
        remove(this.#names, name, subscriber);
      },
    };
  }

  /** Every change concerns it: a wildcard subscription, or a stream that waits for the server to catch up. */
  holdEverything(subscriber: Subscriber): void {
    this.#everything.add(subscriber);
  }

  releaseEverything(subscriber: Subscriber): void {
    this.#everything.delete(subscriber);
  }

  concernedBy({ services }: SnapshotChange): Set<Subscriber> {
    const found = new Set(this.#everything);
    for (const { key, before, after, isRuleChange } of services) {
      for (const subscriber of this.#services.get(key) ?? []) found.add(subscriber);
      if (!isRuleChange) continue;
      for (const { name } of [...resourcesOf(before, typeUrls.name), ...resourcesOf(after, typeUrls.name)]) {
        for (const subscriber of this.#names.get(name) ?? []) found.add(subscriber);
      }
    }
    return found;
  }

  holdersOf(service: string): ReadonlySet<Subscriber> {
    return this.#services.get(service) ?? new Set();
  }
}

function add<Subscriber>(index: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): void {
  const present = index.get(key);
  if (present) present.add(subscriber);
  else index.set(key, new Set([subscriber]));
}

/** True when nobody is left. */
function remove<Subscriber>(index: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): boolean {
  const present = index.get(key);
  if (!present?.delete(subscriber) || present.size > 0) return false;
  index.delete(key);
  return true;
}
