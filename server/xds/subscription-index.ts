/** Who is concerned by what: services and names -> subscribers, so that a change finds its streams without a search. */
import { typeUrls } from '../../proto/type-urls.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { type NameSet, NameSets, type SetIndex } from './name-sets.ts';
import type { Interest } from './session.ts';

export class SubscriptionIndex<Subscriber> implements SetIndex<Subscriber> {
  readonly #services = new Map<string, Set<Subscriber>>();
  readonly #names = new Map<string, Set<Subscriber>>();
  /** Service -> sets of names that speak of it. */
  readonly #sets = new Map<string, Set<NameSet<Subscriber>>>();
  readonly #namesOf = new WeakMap<ClientView, Map<string, NameSets<Subscriber>>>();
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
        if (remove(this.#services, key, subscriber) && !this.#sets.has(key)) this.#onUnused(key);
      },
      holdName: (name) => add(this.#names, name, subscriber),
      releaseName: (name) => {
        remove(this.#names, name, subscriber);
      },
    };
  }

  /** The names of a type that clients with this view ask for. */
  namesOf(view: ClientView, typeUrl: string): NameSets<Subscriber> {
    const ofView = this.#namesOf.get(view) ?? new Map<string, NameSets<Subscriber>>();
    this.#namesOf.set(view, ofView);
    const sets = ofView.get(typeUrl) ?? new NameSets<Subscriber>(typeUrl, view, this);
    ofView.set(typeUrl, sets);
    return sets;
  }

  holdServiceBy(service: string, set: NameSet<Subscriber>): void {
    add(this.#sets, service, set);
  }

  releaseServiceBy(service: string, set: NameSet<Subscriber>): void {
    if (remove(this.#sets, service, set) && !this.#services.has(service)) this.#onUnused(service);
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
    for (const { key, changed, names } of services) {
      this.#addHolders(key, found);
      for (const [typeUrl, name] of changed) {
        if (typeUrl === typeUrls.name) for (const subscriber of this.#names.get(name) ?? []) found.add(subscriber);
      }
      for (const name of names) {
        for (const subscriber of this.#names.get(name) ?? []) found.add(subscriber);
        // A client that dials another name of the service holds it by that name, which may have come just now.
        this.#addHolders(name, found);
      }
    }
    return found;
  }

  holdersOf(service: string): ReadonlySet<Subscriber> {
    const found = new Set<Subscriber>();
    this.#addHolders(service, found);
    return found;
  }

  /** Whether one of those whom changes of the service concern is so. */
  concernsSome(service: string, isSo: (subscriber: Subscriber) => boolean): boolean {
    for (const subscriber of this.#everything) if (isSo(subscriber)) return true;
    for (const subscriber of this.#services.get(service) ?? []) if (isSo(subscriber)) return true;
    for (const { members } of this.#sets.get(service) ?? []) {
      for (const member of members) if (isSo(member)) return true;
    }
    return false;
  }

  /**
   * How many ask for the service of their own accord. Who has everything names what he was told that there is: he is no reason
   * for it to be there.
   */
  askersOf(service: string): number {
    return [...this.holdersOf(service)].filter((subscriber) => !this.#everything.has(subscriber)).length;
  }

  #addHolders(service: string, found: Set<Subscriber>): void {
    for (const subscriber of this.#services.get(service) ?? []) found.add(subscriber);
    for (const { members } of this.#sets.get(service) ?? []) for (const member of members) found.add(member);
  }
}

function add<Member>(index: Map<string, Set<Member>>, key: string, member: Member): void {
  const present = index.get(key);
  if (present) present.add(member);
  else index.set(key, new Set([member]));
}

/** True when nobody is left. */
function remove<Member>(index: Map<string, Set<Member>>, key: string, member: Member): boolean {
  const present = index.get(key);
  if (!present?.delete(member) || present.size > 0) return false;
  index.delete(key);
  return true;
}
