/**
 * The instances of all services, by lease. Says who is there and in what state; never what traffic they get.
 * Changes reach the mesh at once through `onChange`; the store keeps them for the next start.
 */
import { MeshError } from '../../model/errors.ts';
import { serviceKey } from '../../model/names.ts';
import type { Logger } from '../../process/log.ts';
import type { Lease, Store } from '../store/store.ts';
import { type InstanceRecord, type InstanceRef, instanceKey } from './instance.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import {
  afterDeadline,
  counting,
  held,
  isDue,
  isPreserving,
  type Liveness,
  type Preservation,
  preserve,
} from './liveness.ts';
import type { Rush } from './rush.ts';

/** Grace after the stream of an agent is lost. */
export const agentGraceMs = 30_000;

export interface RegistryOptions {
  readonly store: Store;
  readonly log: Logger;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  readonly rush: Rush;
  /** The service of which this one's name, "shop.default", is an alias. */
  readonly aliasOwner: (service: string) => string | undefined;
  /** Called after each change that callers of the service may see. */
  readonly onChange: (record: InstanceRecord, gone: boolean) => void;
}

interface Entry {
  record: InstanceRecord;
  liveness: Liveness;
  lastSeenMs: number;
  /**
   * The state to go back to when a sign of life comes from a lost instance. Its lease stores this one: being lost is
   * this server's opinion, which a restart forms anew.
   */
  stateWhenAlive: InstanceRecord['state'];
}

export interface RegisteredInstance {
  readonly record: InstanceRecord;
  readonly lastSeenMs: number;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #leases: LeaseKeeper;
  readonly #entries = new Map<string, Entry>();
  readonly #byService = new Map<string, Map<string, Entry>>();
  #preservation: Preservation | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#leases = new LeaseKeeper(options.store, options.log);
  }

  /** Takes over what the store remembers. Nothing of it is dropped before its grace has run out once more. */
  restore(leases: readonly Lease<InstanceRecord>[]): void {
    const nowMs = this.#options.clock();
    for (const lease of leases) {
      const { value: record } = lease;
      this.#leases.restore(lease);
      this.#add({
        record,
        liveness: counting(nowMs, record.ttlMs),
        lastSeenMs: nowMs,
        stateWhenAlive: record.state,
      });
    }
  }

  /**
   * Registers, or replaces what was registered under the same id. `isHeld`: a stream vouches for it from now on. Without
   * one, throws INSTANCE_HELD when a stream does: it would be lost although its agent lives. Throws NAME_IS_ALIAS.
   */
  async register(record: InstanceRecord, isHeld: boolean): Promise<RegisteredInstance & { readonly created: boolean }> {
    const nowMs = this.#options.clock();
    const key = instanceKey(record);
    const present = this.#entries.get(key);
    if (!isHeld && present?.liveness.is === 'held') {
      throw new MeshError('INSTANCE_HELD', [serviceKey(record.namespace, record.service), record.id]);
    }
    this.assertNameIsFree(record);
    const liveness = isHeld ? held : counting(nowMs, record.ttlMs);
    this.#add({ record, liveness, lastSeenMs: nowMs, stateWhenAlive: record.state });
    if (!present || JSON.stringify(present.record) !== JSON.stringify(record)) this.#options.onChange(record, false);
    await this.#leases.claim(key, record);
    return { record, lastSeenMs: nowMs, created: present === undefined };
  }

  /**
   * Throws NAME_IS_ALIAS when the instance would be the first of a service whose name leads to another one: it would take that
   * one's requests away. Those of a service that is there stay welcome, whatever has become an alias since.
   */
  assertNameIsFree({ namespace, service }: InstanceRef): void {
    const key = serviceKey(namespace, service);
    const owner = this.#byService.has(key) ? undefined : this.#options.aliasOwner(key);
    if (owner !== undefined) throw new MeshError('NAME_IS_ALIAS', [key, owner]);
  }

  /** A sign of life. Throws INSTANCE_NOT_FOUND when it is gone: it has to register again. */
  heartbeat(ref: InstanceRef): void {
    const entry = this.#entry(ref);
    const nowMs = this.#options.clock();
    entry.lastSeenMs = nowMs;
    if (entry.liveness.is !== 'held') entry.liveness = counting(nowMs, entry.record.ttlMs);
    this.#show(entry, entry.stateWhenAlive);
  }

  /** The stream that vouched for it is lost: its grace begins. */
  release(ref: InstanceRef): void {
    const entry = this.#entries.get(instanceKey(ref));
    if (entry?.liveness.is !== 'held') return;
    entry.lastSeenMs = this.#options.clock();
    entry.liveness = counting(entry.lastSeenMs, entry.record.ttlMs);
  }

  /** What its agent, or an operator, says of it. Throws INSTANCE_NOT_FOUND. */
  setState(ref: InstanceRef, state: InstanceRecord['state']): void {
    const entry = this.#entry(ref);
    // An instance on its way out does not come back by passing a health check.
    if (entry.stateWhenAlive === state || entry.stateWhenAlive === 'draining') return;
    entry.stateWhenAlive = state;
    this.#show(entry, state);
    void this.#leases.change(instanceKey(ref), entry.record);
  }

  /** Throws INSTANCE_NOT_FOUND. */
  async deregister(ref: InstanceRef): Promise<void> {
    await this.#remove(this.#entry(ref));
  }

  /** Lets go of what has had no sign of life for too long. To be called about twice a second. */
  sweep(): void {
    this.#leases.retry();
    const nowMs = this.#options.clock();
    if (!this.#options.rush.isOver) return;
    const due: Entry[] = [];
    let missing = 0;
    for (const entry of this.#entries.values()) {
      if (isDue(entry.liveness, nowMs)) due.push(entry);
      if (isDue(entry.liveness, nowMs) || entry.liveness.is === 'lost') missing++;
    }
    this.#doubt({ missing, all: this.#entries.size }, nowMs);
    if (isPreserving(this.#preservation, nowMs)) return;
    for (const entry of due) this.#expire(entry, nowMs);
  }

  /** Graces begin anew: the rush of reconnections after a start is over. */
  restartGraces(): void {
    const nowMs = this.#options.clock();
    for (const entry of this.#entries.values()) {
      if (entry.liveness.is === 'counting') entry.liveness = counting(nowMs, entry.record.ttlMs);
    }
  }

  /** Whether most instances would expire at once and are kept instead. */
  get isPreserving(): boolean {
    return isPreserving(this.#preservation, this.#options.clock());
  }

  /** Sorted by id. */
  instances(service: string): readonly RegisteredInstance[] {
    const entries = [...(this.#byService.get(service)?.values() ?? [])];
    return entries.sort((a, b) => (a.record.id < b.record.id ? -1 : 1)).map((entry) => this.#seen(entry));
  }

  instance(ref: InstanceRef): RegisteredInstance | undefined {
    const entry = this.#entries.get(instanceKey(ref));
    return entry && this.#seen(entry);
  }

  /** Whether a stream vouches for it. */
  isHeld(ref: InstanceRef): boolean {
    return this.#entries.get(instanceKey(ref))?.liveness.is === 'held';
  }

  /** Keys ("reviews.default") of all services with an instance. */
  services(): IterableIterator<string> {
    return this.#byService.keys();
  }

  get size(): number {
    return this.#entries.size;
  }

  #entry(ref: InstanceRef): Entry {
    const entry = this.#entries.get(instanceKey(ref));
    if (entry) return entry;
    throw new MeshError('INSTANCE_NOT_FOUND', [serviceKey(ref.namespace, ref.service), ref.id]);
  }

  /** One that a stream vouches for is seen now. */
  #seen({ record, liveness, lastSeenMs }: Entry): RegisteredInstance {
    return { record, lastSeenMs: liveness.is === 'held' ? this.#options.clock() : lastSeenMs };
  }

  #add(entry: Entry): void {
    const service = serviceKey(entry.record.namespace, entry.record.service);
    const siblings = this.#byService.get(service) ?? new Map<string, Entry>();
    this.#entries.set(instanceKey(entry.record), entry);
    this.#byService.set(service, siblings.set(entry.record.id, entry));
  }

  async #remove({ record }: Entry): Promise<void> {
    const key = instanceKey(record);
    const service = serviceKey(record.namespace, record.service);
    const siblings = this.#byService.get(service);
    siblings?.delete(record.id);
    if (siblings?.size === 0) this.#byService.delete(service);
    this.#entries.delete(key);
    this.#options.onChange(record, true);
    await this.#leases.drop(key);
  }

  /** The state as the mesh sees it. */
  #show(entry: Entry, state: InstanceRecord['state']): void {
    if (entry.record.state === state) return;
    entry.record = { ...entry.record, state };
    this.#options.onChange(entry.record, false);
  }

  #expire(entry: Entry, nowMs: number): void {
    const next = afterDeadline(entry.liveness, nowMs);
    // One that was on its way out takes no requests again by being lost.
    if (next === undefined || entry.record.state === 'draining') {
      void this.#remove(entry);
      return;
    }
    entry.liveness = next;
    this.#options.log.info({ instance: instanceKey(entry.record) }, 'no sign of life: instance is lost');
    this.#show(entry, 'lost');
  }

  #doubt(counts: { readonly missing: number; readonly all: number }, nowMs: number): void {
    const next = preserve(this.#preservation, counts, nowMs);
    if (next && !this.#preservation) {
      this.#options.log.warn(counts, 'self-preservation: most instances give no sign of life; all are kept for now');
    }
    if (!next && this.#preservation) this.#options.log.info(counts, 'self-preservation is over');
    this.#preservation = next;
  }
}
