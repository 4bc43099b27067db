/**
 * Keeps the snapshot cache in step with rules and registry: finds which services a change concerns, compiles these, and
 * commits them together. A revision is compiled at once and alone, so that what it touches is known exactly. The first
 * change of instances after quiet goes out at once as well; those of the same turn of the event loop join the next one.
 */
import { parseServiceKey } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Service, ServicePort } from '../../model/service.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';
import { compileService } from '../compile/compile.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileEndpoints } from '../compile/endpoints.ts';
import { subsetsOf } from '../compile/service-input.ts';
import type { InstanceRecord } from '../registry/instance.ts';
import { createServiceSnapshot, isSameService, type ServiceSnapshot, withEndpoints } from './service-snapshot.ts';
import type { ServiceChange, SnapshotCache } from './snapshot-cache.ts';

/** Where the state stands that is compiled. */
export interface MeshState {
  service(key: string): Service | undefined;
  ports(key: string): readonly ServicePort[];
  routes(key: string): readonly Route[];
  policies(key: string): readonly TrafficPolicy[];
  namedSubsets(key: string): readonly string[];
  /** Whether a rule speaks of the service. */
  isNamed(key: string): boolean;
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

  /** `defer` runs something in the next turn of the event loop. */
  constructor(state: MeshState, cache: SnapshotCache, domain: string, defer: (run: () => void) => void = setImmediate) {
    this.#state = state;
    this.#cache = cache;
    this.#domain = domain;
    this.#defer = defer;
  }

  /** Compiles everything: at start, before anybody is served. */
  start(services: Iterable<string>, revision: number): void {
    const changes = [...new Set(services)].map((key) => this.#compile(key, revision));
    this.#cache.commit(
      changes.flatMap((change) => change ?? []),
      revision,
    );
  }

  /** A revision that concerns these services. They are committed together, whatever else is under way. */
  onRevision(services: readonly string[], revision: number): void {
    const changes = services.map((key) => this.#compile(key, revision));
    this.#cache.commit(
      changes.flatMap((change) => change ?? []),
      revision,
    );
  }

  /** An instance of the service came, went or changed. */
  onInstance(service: string): void {
    this.#pending.add(service);
    if (this.#isMerging) return;
    this.#isMerging = true;
    this.#flush();
  }

  /** Nobody holds the service any more: what was kept for its callers alone may go. */
  onUnused(service: string): void {
    if (this.#keepsPorts(service) || !this.#hasBasis(service)) this.onInstance(service);
  }

  #flush(): void {
    const services = [...this.#pending];
    this.#pending.clear();
    const changes = services.flatMap((key) => this.#refresh(key) ?? []);
    if (changes.length > 0) this.#cache.commit(changes, this.#cache.revision);
    this.#defer(() => {
      if (this.#pending.size > 0) this.#flush();
      else this.#isMerging = false;
    });
  }

  /** After a change of instances: the endpoints alone, unless the service appears, goes, or may lose a kept port. */
  #refresh(key: string): ServiceChange | undefined {
    const before = this.#cache.service(key);
    const mayLosePorts = this.#keepsPorts(key) && !this.#state.isHeld(key);
    if (!before || mayLosePorts || !this.#exists(key)) return this.#compile(key, this.#cache.revision);
    return { key, before, after: withEndpoints(before, this.#endpoints(key, before.ports)), isRuleChange: false };
  }

  /** Undefined when there is no such service, before or after. */
  #compile(key: string, revision: number): ServiceChange | undefined {
    const before = this.#cache.service(key);
    const ref = parseServiceKey(key);
    if (!ref || !this.#exists(key)) return before && { key, before, after: undefined, isRuleChange: true };
    const ports = [...this.#state.ports(key), ...this.#portsToKeep(key, before)];
    const compiled = compileService({
      ...ref,
      domain: this.#domain,
      ports,
      document: this.#state.service(key),
      routes: this.#state.routes(key),
      policies: this.#state.policies(key),
      namedSubsets: this.#state.namedSubsets(key),
      portsOf: (service) => this.#state.ports(service),
    });
    const endpoints = this.#endpoints(key, ports);
    if (before && isSameService(before, compiled)) {
      return { key, before, after: withEndpoints(before, endpoints), isRuleChange: false };
    }
    const after = createServiceSnapshot(compiled, { endpoints, ports, revision });
    return { key, before, after, isRuleChange: true };
  }

  #endpoints(key: string, ports: readonly ServicePort[]): EncodedResource[] {
    const document = this.#state.service(key);
    return compileEndpoints({
      key,
      ports,
      hasOnePort: this.#state.ports(key).length === 1,
      document,
      subsets: subsetsOf(document, this.#state.namedSubsets(key)),
      instances: this.#state.instances(key),
    });
  }

  /** Ports that the rules no longer know stay on the wire while somebody holds the service and may be using them. */
  #portsToKeep(key: string, before: ServiceSnapshot | undefined): readonly ServicePort[] {
    const undeclared = this.#undeclared(key, before);
    return undeclared.length > 0 && this.#state.isHeld(key) ? undeclared : [];
  }

  #keepsPorts(key: string): boolean {
    return this.#undeclared(key, this.#cache.service(key)).length > 0;
  }

  #undeclared(key: string, snapshot: ServiceSnapshot | undefined): readonly ServicePort[] {
    const declared = this.#state.ports(key);
    return snapshot?.ports.filter(({ port }) => !declared.some((present) => present.port === port)) ?? [];
  }

  #hasBasis(key: string): boolean {
    return this.#state.service(key) !== undefined || this.#state.isNamed(key) || this.#state.instances(key).length > 0;
  }

  /** An implicit service stays while rules or subscriptions name it. */
  #exists(key: string): boolean {
    return this.#hasBasis(key) || this.#state.isHeld(key);
  }
}
