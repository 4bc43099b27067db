/**
 * All agents by id, with their leases: who is there, who was and may come back, and what each has. An agent that is not
 * connected keeps counting, by the names it asked for, until its lease runs out.
 */
import type { Logger } from '../../process/log.ts';
import { LeaseKeeper } from '../registry/lease-keeper.ts';
import { agentGraceMs } from '../registry/registry.ts';
import type { Rush } from '../registry/rush.ts';
import type { Lease, Store } from '../store/store.ts';
import { type AgentRecord, agentKey, createAgentRecord, isConnected } from './agent-record.ts';
import type { Rollouts } from './rollouts.ts';

/** What the lease of an agent stores. */
export interface AgentLease {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  /** SHA-256 of the key by which the agent proves to be the same; the key itself is never stored. */
  readonly keyHash: string;
  readonly names: readonly string[];
}

export interface AgentDirectoryOptions {
  readonly store: Store;
  readonly log: Logger;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  readonly rush: Rush;
  readonly rollouts: Rollouts;
  readonly onAgent: (agent: AgentRecord, gone: boolean) => void;
  /** It uses another state of the snapshot cache; also called before `onAgent`. */
  readonly onUsed: (agent: AgentRecord) => void;
}

interface Entry {
  readonly record: AgentRecord;
  /** Undefined for who has not registered, and lives with its configuration streams: foreign clients. */
  readonly keyHash: string | undefined;
  /** Undefined while the agent's own stream is there. */
  untilMs: number | undefined;
}

export class AgentDirectory {
  readonly #options: AgentDirectoryOptions;
  readonly #leases: LeaseKeeper;
  readonly #entries = new Map<string, Entry>();
  readonly #absent = new Set<AgentRecord>();

  constructor(options: AgentDirectoryOptions) {
    this.#options = options;
    this.#leases = new LeaseKeeper(options.store, options.log);
  }

  /**
   * Takes over what the store remembers. What these agents have applied is not known before they are back, so that
   * those who hold something count for the newest revision.
   */
  restore(leases: readonly Lease<AgentLease>[], revision: number): void {
    const nowMs = this.#options.clock();
    for (const lease of leases) {
      const { id, namespace, service, keyHash, names } = lease.value;
      const record = createAgentRecord({ id, namespace, service, kind: 'agent' }, nowMs);
      record.names = names;
      record.touched = names.length > 0 ? revision : 0;
      this.#leases.restore(lease);
      this.#entries.set(record.key, { record, keyHash, untilMs: nowMs + agentGraceMs });
      this.#absent.add(record);
    }
  }

  get(namespace: string, id: string): AgentRecord | undefined {
    return this.#entries.get(agentKey(namespace, id))?.record;
  }

  /** The hash of the key that this id was registered with, while its lease lives. */
  keyHashOf(namespace: string, id: string): string | undefined {
    return this.#entries.get(agentKey(namespace, id))?.keyHash;
  }

  *records(): Generator<AgentRecord> {
    for (const { record } of this.#entries.values()) yield record;
  }

  /** Those without a configuration stream whose lease lives. */
  get absent(): ReadonlySet<AgentRecord> {
    return this.#absent;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** An agent's own stream has come: its lease is held until `release`. */
  async hold(identity: Omit<AgentLease, 'names'>): Promise<AgentRecord> {
    const { id, namespace, service, keyHash } = identity;
    const nowMs = this.#options.clock();
    const present = this.#entries.get(agentKey(namespace, id));
    const isSame = present?.record.service === service;
    const record = isSame ? present.record : createAgentRecord({ id, namespace, service, kind: 'agent' }, nowMs);
    this.#entries.set(record.key, { record, keyHash, untilMs: undefined });
    if (present) this.#absent.delete(present.record);
    if (!isConnected(record)) this.#absent.add(record);
    this.#options.rush.onReconnection();
    this.#options.rollouts.onReturned(record);
    this.changed(record);
    await this.#leases.claim(leaseKey(record), leaseOf(record, keyHash));
    return record;
  }

  /** The agent's own stream is lost: its grace begins. */
  release(record: AgentRecord): void {
    const entry = this.#entries.get(record.key);
    if (entry?.record !== record) return;
    entry.untilMs = this.#options.clock() + agentGraceMs;
    this.changed(record);
  }

  /** The agent's own stream has ended after it had said that it would: nobody has to wait for it. */
  forget(record: AgentRecord): void {
    if (this.#entries.get(record.key)?.record !== record) return;
    this.#remove(record, 'it has stopped');
    void this.#leases.drop(leaseKey(record));
  }

  /** A configuration stream has begun: the record of the agent, or of a client that lives as long as its streams. */
  join(identity: Pick<AgentRecord, 'id' | 'namespace' | 'service' | 'kind'>): AgentRecord {
    const created = createAgentRecord(identity, this.#options.clock());
    const record = this.#entries.get(created.key)?.record ?? created;
    if (record === created) this.#entries.set(record.key, { record, keyHash: undefined, untilMs: undefined });
    record.streams++;
    this.#absent.delete(record);
    return record;
  }

  /** A configuration stream has ended. */
  leave(record: AgentRecord): void {
    record.streams--;
    const entry = this.#entries.get(record.key);
    if (entry?.record !== record) return;
    if (!isConnected(record)) this.#absent.add(record);
    if (entry.untilMs !== undefined) entry.untilMs = this.#options.clock() + agentGraceMs;
    if (entry.keyHash === undefined && !isConnected(record)) this.#remove(record, 'its stream ended');
    else this.changed(record);
  }

  /** The names it asks for that stand for something: stored, so that it counts after a restart too. */
  setNames(record: AgentRecord, names: readonly string[]): void {
    const sorted = [...names].sort();
    if (sorted.join() === record.names.join()) return;
    record.names = sorted;
    const entry = this.#entries.get(record.key);
    if (entry?.record !== record || entry.keyHash === undefined) return;
    void this.#leases.change(leaseKey(record), leaseOf(record, entry.keyHash));
  }

  /** It uses a newer state of the cache, which changes nothing that anybody is told of. */
  used(record: AgentRecord): void {
    record.lastSeenMs = this.#options.clock();
    this.#options.onUsed(record);
  }

  /** Something of the record was changed. */
  changed(record: AgentRecord): void {
    record.lastSeenMs = this.#options.clock();
    this.#options.rollouts.onAgent(record);
    this.#options.onUsed(record);
    this.#options.onAgent(record, false);
  }

  /** Graces begin anew: the rush of reconnections after a start is over. */
  restartGraces(): void {
    for (const entry of this.#entries.values()) {
      if (entry.untilMs !== undefined) entry.untilMs = this.#options.clock() + agentGraceMs;
    }
  }

  /** Lets go of agents that have not come back in time. To be called about twice a second. */
  sweep(): void {
    this.#leases.retry();
    if (!this.#options.rush.isOver) return;
    const nowMs = this.#options.clock();
    for (const { record, untilMs } of [...this.#entries.values()]) {
      if (untilMs === undefined || untilMs > nowMs || isConnected(record)) continue;
      this.#remove(record, 'its lease ran out');
      void this.#leases.drop(leaseKey(record));
    }
  }

  #remove(record: AgentRecord, reason: string): void {
    this.#entries.delete(record.key);
    this.#absent.delete(record);
    this.#options.rollouts.onGone(record, reason);
    this.#options.onUsed(record);
    this.#options.onAgent(record, true);
  }
}

function leaseKey({ namespace, id }: AgentRecord): string {
  return `agent/${namespace}/${id}`;
}

function leaseOf({ id, namespace, service, names }: AgentRecord, keyHash: string): AgentLease {
  return { id, namespace, service, names, keyHash };
}
