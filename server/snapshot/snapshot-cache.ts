/**
 * What is served now: the newest snapshot of every service. Changes come as a whole, one after the other; whoever reads
 * within one turn of the event loop reads one consistent state. Derived: a restart builds it again, byte for byte.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { changedAddresses } from './addresses.ts';
import { FormerResources } from './former-resources.ts';
import { changedResources, resourceOf, resourcesOf, type ServiceSnapshot } from './service-snapshot.ts';

/** How one service changed. */
export interface ServiceChange {
  readonly key: string;
  readonly before: ServiceSnapshot | undefined;
  readonly after: ServiceSnapshot | undefined;
  /** False when only its endpoints did. */
  readonly isRuleChange: boolean;
}

/** With what came, went or changed by it, worked out once for all who are concerned. */
export interface NotedChange extends ServiceChange {
  /** Type URL and name; of a change of instances the names alone, by which addresses came or went. */
  readonly changed: readonly (readonly [typeUrl: string, name: string])[];
  /** Of a change of rules: all that led to the service before it, or do after it, addresses aside. */
  readonly names: readonly string[];
}

export interface SnapshotChange {
  /** Counts the changes of this process: 1, 2, 3 … */
  readonly sequence: number;
  /** The revision of the rules that all services stand at. */
  readonly revision: number;
  readonly services: readonly NotedChange[];
}

export class SnapshotCache {
  readonly meshId: string;
  readonly former: FormerResources;
  readonly #services = new Map<string, ServiceSnapshot>();
  /** Service key -> sequence of its newest change. */
  readonly #changed = new Map<string, number>();
  /** Spelling -> keys of the services that claim it, the one that has it first. */
  readonly #names = new Map<string, readonly string[]>();
  readonly #onChange: (change: SnapshotChange) => void;
  #revision = 0;
  #sequence = 0;

  constructor(meshId: string, onChange: (change: SnapshotChange) => void, former = new FormerResources()) {
    this.meshId = meshId;
    this.former = former;
    this.#onChange = onChange;
  }

  get revision(): number {
    return this.#revision;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** Brings all these services to their new state, which belongs to `revision`, at once; then tells of it. */
  commit(services: readonly ServiceChange[], revision: number): void {
    const sequence = ++this.#sequence;
    const noted = services.map((change) => noteChange(change));
    for (const change of noted) {
      const { key, before, after, changed } = change;
      this.former.onChange(change);
      const addresses = changed.flatMap(([typeUrl, name]) => (typeUrl === typeUrls.name ? [name] : []));
      for (const name of namesOf(before)) this.#release(name, key);
      for (const name of addresses) if (before?.addresses.has(name)) this.#release(name, key);
      if (after) {
        this.#services.set(key, after);
        this.#changed.set(key, sequence);
      } else {
        this.#services.delete(key);
        this.#changed.delete(key);
      }
      for (const name of namesOf(after)) this.#claim(name, key);
      for (const name of addresses) if (after?.addresses.has(name)) this.#claim(name, key);
    }
    this.#revision = revision;
    this.#onChange({ sequence, revision, services: noted });
  }

  /** The sequence as of which the service stands as it does; of one that is gone the present one. */
  sequenceOf(key: string): number {
    return this.#changed.get(key) ?? this.#sequence;
  }

  service(key: string): ServiceSnapshot | undefined {
    return this.#services.get(key);
  }

  services(): IterableIterator<ServiceSnapshot> {
    return this.#services.values();
  }

  /** The service that a spelling stands for; undefined when there is none. */
  ownerOfName(name: string): string | undefined {
    return this.#names.get(name)?.[0];
  }

  /** Keys of the services that claim a spelling, the one that has it first. */
  claimants(name: string): readonly string[] {
    return this.#names.get(name) ?? [];
  }

  resource(typeUrl: string, name: string): EncodedResource | undefined {
    return resourceOf(this.#services.get(ownerOf(typeUrl, name)), typeUrl, name);
  }

  /** Every resource of the type, in no order. */
  *resources(typeUrl: string): Generator<EncodedResource> {
    for (const service of this.#services.values()) yield* resourcesOf(service, typeUrl);
  }

  #claim(name: string, key: string): void {
    this.#names.set(name, rankClaimants(name, [...(this.#names.get(name) ?? []), key]));
  }

  #release(name: string, key: string): void {
    const others = this.#names.get(name)?.filter((claimant) => claimant !== key) ?? [];
    if (others.length > 0) this.#names.set(name, others);
    else this.#names.delete(name);
  }
}

function noteChange(change: ServiceChange): NotedChange {
  const { before, after, isRuleChange } = change;
  const addresses = changedAddresses(before, after).map((name): [string, string] => [typeUrls.name, name]);
  return {
    ...change,
    changed: [...(isRuleChange ? changedResources(before, after) : []), ...addresses],
    names: isRuleChange ? [...new Set([...namesOf(before), ...namesOf(after)])] : [],
  };
}

/** An alias may be the name of a service that came later: a service has its own name, whoever came first. */
export function rankClaimants(name: string, claimants: readonly string[]): string[] {
  const rank = (claimant: string) => (name === claimant || name.startsWith(`${claimant}.`) ? 0 : 1);
  return [...claimants].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The service to which a resource of this name belongs: it is the beginning of the name of each type. */
export function ownerOf(typeUrl: string, name: string): string {
  switch (typeUrl) {
    case typeUrls.cluster:
    case typeUrls.endpoint:
      return name.slice(0, Math.max(0, name.indexOf('|')));
    case typeUrls.routeConfiguration:
      return name.slice(0, Math.max(0, name.lastIndexOf(':')));
    case typeUrls.listener:
      return name.slice(name.indexOf('|') + 1);
    default:
      return '';
  }
}

function namesOf(snapshot: ServiceSnapshot | undefined): string[] {
  return resourcesOf(snapshot, typeUrls.name).map(({ name }) => name);
}
