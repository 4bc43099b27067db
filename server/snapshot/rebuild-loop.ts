/**
 * Keeps the snapshot cache in step with rules and registry: finds which services a change concerns, compiles these, and
 * commits them together. A revision is compiled at once and alone, so that what it touches is known exactly. The first
 * change of instances after quiet goes out at once as well; those of the same turn of the event loop join the next one.
 */
import { parseServiceKey, serviceKey } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Service, ServicePort } from '../../model/service.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';
import { compileService } from '../compile/compile.ts';
import { subsetsOf } from '../compile/service-input.ts';
import type { InstanceRecord } from '../registry/instance.ts';
import {
  createServiceSnapshot,
  isSameService,
  type RetiredCluster,
  retiredBy,
  type ServiceSnapshot,
  withInstances,
  withoutRetired,
} from './service-snapshot.ts';
import type { ServiceChange, SnapshotCache } from './snapshot-cache.ts';

/** Where the state stands that is compiled. Services by their keys: "reviews.default". */
export interface MeshState {
  service(key: string): Service | undefined;
  ports(key: string): readonly ServicePort[];
  routes(key: string): readonly Route[];
  policies(key: string): readonly TrafficPolicy[];
  namedSubsets(key: string): readonly string[];
  /** Allots one to a service that has none. */
  virtualIps(key: string): readonly string[];
  /** Whether a rule speaks of the service. */
  isNamed(key: string): boolean;
  /** Whether another service has its name for an alias. */
  isAlias(key: string): boolean;
  instances(key: string): readonly InstanceRecord[];
  /** Whether an agent or client holds the service, or did when it was last here. */
  isHeld(key: string): boolean;
}

export class RebuildLoop {
  readonly #state: MeshState;
  readonly #cache: SnapshotCache;
  readonly #domain: string;
  readonly #defer: (run: () => void) => void;
  /** Services whose instances changed in this turn of the event loop, after the first. */
  readonly #pending = new Set<string>();
  #isMerging = false;
  /** Services that stand, or keep ports, for the sake of those who hold them alone. */
  readonly #borrowed = new Set<string>();
  #isReleasing = false;
  /** Revision -> services with clusters that it takes away. */
  readonly #retired = new Map<number, Set<string>>();

  /** `defer` runs something in the next turn of the event loop. */
  constructor(state: MeshState, cache: SnapshotCache, domain: string, defer: (run: () => void) => void = setImmediate) {
    this.#state = state;
    this.#cache = cache;
    this.#domain = domain;
    this.#defer = defer;
  }

  /** Compiles everything: at start, before anybody is served. */
  start(services: Iterable<string>, revision: number): void {
    this.onRevision(new Set(services), revision);
  }

  /** A revision that concerns these services. They are committed together, whatever else is under way. */
  onRevision(services: Iterable<string>, revision: number): void {
    // What stands for its holders alone makes way for a service that claims its name.
    const yielding = [...this.#borrowed].filter((key) => this.#state.isAlias(key));
    const changes = [...new Set([...services, ...yielding])].flatMap((key) => this.#compile(key, revision) ?? []);
    this.#cache.commit(changes, revision);
  }

  /** An instance of the service came, went or changed. */
  onInstance(service: string): void {
    this.#pending.add(service);
    if (this.#isMerging) return;
    this.#isMerging = true;
    this.#merge();
  }

  /** All that has changed so far is in the cache when this returns. */
  settle(): void {
    const services = [...this.#pending];
    this.#pending.clear();
    const changes = services.flatMap((key) => this.#refresh(key) ?? []);
    if (changes.length > 0) this.#cache.commit(changes, this.#cache.revision);
  }

  /** Somebody may have let go of a service. What stands for its holders alone is looked at in the next turn. */
  onRelease(): void {
    if (this.#isReleasing || this.#borrowed.size === 0) return;
    this.#isReleasing = true;
    this.#defer(() => {
      this.#isReleasing = false;
      for (const key of this.#borrowed) if (!this.#state.isHeld(key)) this.onInstance(key);
    });
  }

  #merge(): void {
    try {
      this.settle();
    } finally {
      this.#defer(() => {
        if (this.#pending.size > 0) this.#merge();
        else this.#isMerging = false;
      });
    }
  }

  /** After a change of instances: the endpoints alone, unless the service appears, goes, or may lose a kept port. */
  #refresh(key: string): ServiceChange | undefined {
    const before = this.#cache.service(key);
    if (!before || this.#borrowed.has(key) || !this.#hasBasis(key)) return this.#compile(key, this.#cache.revision);
    return instanceChange(before, this.#state.instances(key));
  }

  /** How many clusters are served although this revision takes them away. */
  retiredBy(revision: number): number {
    const snapshots = [...(this.#retired.get(revision) ?? [])].flatMap((key) => this.#cache.service(key) ?? []);
    const retired = snapshots.flatMap((snapshot) => [...snapshot.retired.values()]);
    return retired.filter((each) => each.revision === revision).length;
  }

  /** Takes away what this revision left for those who had not taken it. */
  remove(revision: number): void {
    const keys = this.#retired.get(revision) ?? [];
    this.#retired.delete(revision);
    const changes = [...keys].flatMap((key): ServiceChange[] => {
      const before = this.#cache.service(key);
      const after = before && withoutRetired(before, revision);
      return after === before ? [] : [{ key, before, after, isRuleChange: true }];
    });
    if (changes.length > 0) this.#cache.commit(changes, this.#cache.revision);
  }

  #noteRetired(revision: number, key: string): void {
    this.#retired.set(revision, (this.#retired.get(revision) ?? new Set()).add(key));
  }

  /** Undefined when nothing about the service differs. */
  #compile(key: string, revision: number): ServiceChange | undefined {
    const before = this.#cache.service(key);
    const ref = parseServiceKey(key);
    const kept = this.#portsToKeep(key, before);
    const isBorrowed = kept.length > 0 || !this.#hasBasis(key);
    const exists = ref && (!isBorrowed || this.#mayBorrow(key));
    if (exists && isBorrowed) this.#borrowed.add(key);
    else this.#borrowed.delete(key);
    if (!exists) return before && { key, before, after: undefined, isRuleChange: true };
    const ports = [...this.#state.ports(key), ...kept];
    const input = {
      ...ref,
      domain: this.#domain,
      ports,
      document: this.#state.service(key),
      virtualIps: this.#state.virtualIps(key),
      routes: this.#state.routes(key),
      policies: this.#state.policies(key),
      namedSubsets: this.#state.namedSubsets(key),
      portsOf: this.#portsNow(key),
    };
    const compiled = compileService(input);
    const document = this.#state.service(key);
    const endpointRules = {
      key,
      ports,
      hasOnePort: this.#state.ports(key).length === 1,
      document,
      subsets: subsetsOf(document, this.#state.namedSubsets(key)),
    };
    const instances = this.#state.instances(key);
    const retired = before === undefined ? new Map<string, RetiredCluster>() : retiredBy(before, compiled, revision);
    const parts = { endpointRules, retired };
    if (before && isSameService(before, input, compiled, parts)) return instanceChange(before, instances);
    for (const { revision } of retired.values()) this.#noteRetired(revision, key);
    const after = createServiceSnapshot(compiled, { input, ...parts, instances, revision });
    return { key, before, after, isRuleChange: true };
  }

  /** The ports of the services that its rules send to, as they are at this moment: the input is a value. */
  #portsNow(key: string): (service: string) => readonly ServicePort[] {
    const { namespace } = parseServiceKey(key) ?? { namespace: '' };
    const rules = this.#state.routes(key).flatMap(({ spec }) => spec.rules);
    const targets = rules.flatMap(({ backends, mirror = [] }) => [...backends, ...mirror]);
    const keys = targets.flatMap(({ service }) => (service === undefined ? [] : [serviceKey(namespace, service)]));
    const ports = new Map(keys.map((target) => [target, this.#state.ports(target)]));
    return (service) => ports.get(service) ?? [];
  }

  /** Ports that the rules no longer know stay on the wire while somebody holds the service and may be using them. */
  #portsToKeep(key: string, before: ServiceSnapshot | undefined): readonly ServicePort[] {
    const declared = this.#state.ports(key);
    const undeclared = before?.ports.filter(({ port }) => !declared.some((present) => present.port === port)) ?? [];
    return undeclared.length > 0 && this.#state.isHeld(key) ? undeclared : [];
  }

  /** Whoever holds the name of a service that is gone is led by it to the one that has it for an alias. */
  #mayBorrow(key: string): boolean {
    return this.#state.isHeld(key) && (this.#hasBasis(key) || !this.#state.isAlias(key));
  }

  /** Without one an implicit service stays only while somebody holds it. */
  #hasBasis(key: string): boolean {
    return this.#state.service(key) !== undefined || this.#state.isNamed(key) || this.#state.instances(key).length > 0;
  }
}

function instanceChange(before: ServiceSnapshot, instances: readonly InstanceRecord[]): ServiceChange | undefined {
  const after = withInstances(before, instances);
  return after === before ? undefined : { key: before.key, before, after, isRuleChange: false };
}
