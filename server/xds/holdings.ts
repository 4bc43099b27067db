/**
 * What one own agent holds: its names, the services these stand for, and the closure of these (route configurations,
 * the clusters they send to, the endpoints of those). What nobody needs any more is removed from the agent. All changes go
 * through a journal, so that a refused batch leaves no trace.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import { inboundListenerName } from '../compile/compile.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { resourceOf, type ServiceSnapshot } from '../snapshot/service-snapshot.ts';
import { ownerOf } from '../snapshot/snapshot-cache.ts';
import { closureChange, closureOf, resourcesIn } from './closure.ts';
import { Journal } from './journal.ts';
import type { Interest } from './session.ts';

/** The state that the agent is to be given, which may differ from the newest where it refused something. */
export interface HoldingsView {
  service(key: string): ServiceSnapshot | undefined;
  /** The service that a name stands for. */
  ownerOfName(name: string): string | undefined;
  /** A cluster or its endpoints: what newer routes of another service send to may be newer than what is withheld. */
  newest(typeUrl: string, name: string): EncodedResource | undefined;
  /** Whether the agent has refused these very bytes. */
  isRefused(resource: EncodedResource): boolean;
}

/** What has to be said to bring the agent from what it has to what it is to have. */
export interface Difference {
  readonly changed: Map<string, EncodedResource[]>;
  readonly removed: Map<string, string[]>;
}

/** Types in the order in which they are sent (xds.md 1.9). */
export const sendOrder = [
  typeUrls.cluster,
  typeUrls.endpoint,
  typeUrls.listener,
  typeUrls.routeConfiguration,
  typeUrls.name,
] as const;

export class Holdings {
  readonly #interest: Interest;
  readonly #journal = new Journal();
  /** Type URL -> name -> version that the agent has, once it has taken what is under way. */
  readonly #versions = new Map<string, Map<string, string>>(sendOrder.map((typeUrl) => [typeUrl, new Map()]));
  /** Name -> service, for the names that stand for one. */
  readonly #names = new Map<string, string>();
  /** Service -> how many names stand for it, and the snapshot from which its closure was taken. */
  readonly #services = new Map<string, { readonly uses: number; readonly snapshot: ServiceSnapshot }>();
  /** Clusters that the routes of other services send to -> how many of these are held. */
  readonly #borrowed = new Map<string, number>();
  /** The Listener of its inbound side; undefined for an agent without application. */
  readonly #listener: string | undefined;
  /** Service -> how many names and clusters of it are held. */
  readonly #concerns = new Map<string, number>();
  /** Services whose endpoints the agent needs although their routes are known to it alone. */
  readonly #pinned = new Set<string>();
  /** Names and keys to look at when the next difference is taken. */
  #touched = new Map<string, Set<string>>();

  constructor(interest: Interest, ownService: string | undefined) {
    this.#interest = interest;
    this.#listener = ownService === undefined ? undefined : inboundListenerName(ownService);
    if (ownService === undefined || this.#listener === undefined) return;
    this.#touch(typeUrls.listener, this.#listener);
    this.#concern(ownService, 1);
    this.#journal.keep();
  }

  /** What the agent says it has, before anything is sent. Answers how much that is by now. */
  presented(typeUrl: string, versions: Readonly<Record<string, string>>): number {
    const held = this.#versions.get(typeUrl);
    for (const [name, version] of held ? Object.entries(versions) : []) {
      held?.set(name, version);
      this.#touch(typeUrl, name);
    }
    return [...this.#versions.values()].reduce((sum, { size }) => sum + size, 0);
  }

  holdsName(name: string): boolean {
    return this.#names.has(name);
  }

  /** `owner`: the service to which the resource belongs. */
  isNeeded(typeUrl: string, name: string, owner: string): boolean {
    if (typeUrl === typeUrls.listener) return name === this.#listener;
    const snapshot = this.#services.get(owner)?.snapshot;
    if (typeUrl === typeUrls.routeConfiguration) return resourceOf(snapshot, typeUrl, name) !== undefined;
    return snapshot?.references.includes(name) === true || this.#borrowed.has(name);
  }

  /** The snapshot from which the closure of a held service was taken. */
  snapshot(service: string): ServiceSnapshot | undefined {
    return this.#services.get(service)?.snapshot;
  }

  services(): IterableIterator<string> {
    return this.#services.keys();
  }

  /** Whether the name needs, through its service, this resource. */
  needs(snapshot: ServiceSnapshot, typeUrl: string, name: string): boolean {
    return (
      [...closureOf(snapshot)].some(([type, needed]) => type === typeUrl && needed === name) ||
      resourceOf(snapshot, typeUrl, name) !== undefined
    );
  }

  versionsOf(typeUrl: string): ReadonlyMap<string, string> {
    return this.#versions.get(typeUrl) ?? new Map();
  }

  /** The name stands for what the view says, or is held no longer. Answers whether it stands for something else than before. */
  updateName(name: string, view: HoldingsView, isWanted: boolean): boolean {
    const before = this.#names.get(name);
    const after = isWanted ? view.ownerOfName(name) : undefined;
    this.#touch(typeUrls.name, name);
    if (before === after) return false;
    if (before !== undefined) this.#use(before, -1, view);
    if (after === undefined) this.#journal.delete(this.#names, name);
    else {
      this.#journal.set(this.#names, name, after);
      this.#use(after, 1, view);
    }
    return true;
  }

  /** Something of the service changed: its closure is taken anew, and what is held of it is looked at. */
  updateService(key: string, view: HoldingsView): void {
    const held = this.#services.get(key);
    const next = view.service(key);
    if (!held || !next || held.snapshot === next) {
      for (const [typeUrl, name] of resourcesIn(next)) this.#touch(typeUrl, name);
      return;
    }
    this.#journal.set(this.#services, key, { uses: held.uses, snapshot: next });
    const { names, isSameClosure } = closureChange(held.snapshot, next);
    if (!isSameClosure) {
      this.#countClosure(next, 1);
      this.#countClosure(held.snapshot, -1);
    }
    // All else is as the agent was sent it with the snapshot before, or refused it.
    for (const [typeUrl, name] of names) this.#touch(typeUrl, name);
  }

  /** The agent goes on with routes of this service that it came with: changes of its instances concern it. */
  pin(service: string): void {
    if (this.#pinned.has(service)) return;
    this.#pinned.add(service);
    this.#countConcern(service, 1);
  }

  unpinAll(): void {
    for (const service of this.#pinned) this.#countConcern(service, -1);
    this.#pinned.clear();
  }

  /** Everything that the agent has is looked at when the next difference is taken. */
  touchAll(): void {
    for (const [typeUrl, names] of this.#versions) for (const name of names.keys()) this.#touch(typeUrl, name);
  }

  /**
   * Looks at everything that was touched since the last time, and counts it as sent. `answers`: names that get an answer
   * in any case. `keepsUnknown`: what the agent has and nothing known needs is left to it (it refused what replaces it).
   */
  takeDifference(view: HoldingsView, answers: ReadonlySet<string>, keepsUnknown: boolean): Difference {
    const difference: Difference = { changed: new Map(), removed: new Map() };
    const touched = this.#touched;
    this.#touched = new Map();
    this.#journal.note(() => {
      for (const [typeUrl, names] of touched) for (const name of names) this.#touch(typeUrl, name);
    });
    for (const typeUrl of sendOrder) {
      for (const name of touched.get(typeUrl) ?? []) {
        const isAsked = typeUrl === typeUrls.name && answers.has(name);
        if (keepsUnknown && this.#isUnknown(typeUrl, name) && !isAsked) this.#refresh(typeUrl, name, view, difference);
        else this.#compare(typeUrl, name, view, isAsked, difference);
      }
    }
    return difference;
  }

  /** What was sent is used. */
  keep(): void {
    this.#journal.keep();
  }

  /** What was sent is refused: as if it had never been. */
  takeBack(): void {
    this.#journal.takeBack();
  }

  /** Forgets all interest: the stream is over. */
  close(): void {
    for (const key of this.#concerns.keys()) this.#interest.releaseService(key);
  }

  #compare(typeUrl: string, name: string, view: HoldingsView, isAsked: boolean, difference: Difference): void {
    const versions = this.#versions.get(typeUrl);
    if (!versions) return;
    const owner = typeUrl === typeUrls.name ? (this.#names.get(name) ?? '') : ownerOf(typeUrl, name);
    const isNeeded = typeUrl === typeUrls.name ? this.#names.has(name) : this.isNeeded(typeUrl, name, owner);
    const resource = resourceOf(view.service(owner), typeUrl, name) ?? view.newest(typeUrl, name);
    if (isNeeded && resource) {
      if ((versions.get(name) === resource.version && !isAsked) || view.isRefused(resource)) return;
      this.#journal.set(versions, name, resource.version);
      append(difference.changed, typeUrl, resource);
    } else if (!isNeeded && (versions.has(name) || isAsked)) {
      this.#journal.delete(versions, name);
      append(difference.removed, typeUrl, name);
    }
    // Needed but not there: only an agent that is held back on older routes can be in want of it; it keeps what it has.
  }

  #isUnknown(typeUrl: string, name: string): boolean {
    const isNeeded =
      typeUrl === typeUrls.name ? this.#names.has(name) : this.isNeeded(typeUrl, name, ownerOf(typeUrl, name));
    return !isNeeded && this.#versions.get(typeUrl)?.has(name) === true;
  }

  /** Of what is left to the agent the endpoints are kept up to date all the same. */
  #refresh(typeUrl: string, name: string, view: HoldingsView, difference: Difference): void {
    const versions = this.#versions.get(typeUrl);
    const resource = resourceOf(view.service(ownerOf(typeUrl, name)), typeUrl, name);
    if (typeUrl !== typeUrls.endpoint || !versions || !resource || versions.get(name) === resource.version) return;
    this.#journal.set(versions, name, resource.version);
    append(difference.changed, typeUrl, resource);
  }

  #use(service: string, by: 1 | -1, view: HoldingsView): void {
    const held = this.#services.get(service);
    const snapshot = held?.snapshot ?? view.service(service);
    if (!snapshot) return;
    const uses = (held?.uses ?? 0) + by;
    if (!held) this.#countClosure(snapshot, 1);
    if (uses === 0) this.#countClosure(snapshot, -1);
    if (uses === 0) this.#journal.delete(this.#services, service);
    else this.#journal.set(this.#services, service, { uses, snapshot });
    this.#concern(service, by);
  }

  #countClosure(snapshot: ServiceSnapshot, by: 1 | -1): void {
    for (const [typeUrl, name] of closureOf(snapshot)) {
      const owner = ownerOf(typeUrl, name);
      if (typeUrl === typeUrls.cluster && owner !== snapshot.key) this.#borrow(name, by);
      this.#concern(owner, by);
      this.#touch(typeUrl, name);
    }
  }

  #borrow(cluster: string, by: 1 | -1): void {
    const count = (this.#borrowed.get(cluster) ?? 0) + by;
    if (count === 0) this.#journal.delete(this.#borrowed, cluster);
    else this.#journal.set(this.#borrowed, cluster, count);
  }

  #concern(service: string, by: 1 | -1): void {
    this.#countConcern(service, by);
    this.#journal.note(() => this.#countConcern(service, by === 1 ? -1 : 1));
  }

  #countConcern(service: string, by: 1 | -1): void {
    const count = (this.#concerns.get(service) ?? 0) + by;
    if (count === 0) this.#concerns.delete(service);
    else this.#concerns.set(service, count);
    if (count === 0) this.#interest.releaseService(service);
    if (count === 1 && by === 1) this.#interest.holdService(service);
  }

  #touch(typeUrl: string, name: string): void {
    const names = this.#touched.get(typeUrl) ?? new Set<string>();
    this.#touched.set(typeUrl, names.add(name));
  }
}

/** One text for type and name. */
export function resourceKey(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
