/**
 * All agents by id, with their leases: who is there, who was and may come back, and what each has. An agent that is not
 * connected keeps counting, by the names it asked for, until its lease runs out.
 */
import type { Logger } from '../../process/log.ts';
import { agentGraceMs } from '../registry/registry.ts';
import type { Rush } from '../registry/rush.ts';
import type { Lease, Store } from '../store/store.ts';
import { type AgentRecord, agentKey, createAgentRecord } from './agent-record.ts';
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
}

interface Entry {
  readonly record: AgentRecord;
  /** Undefined for foreign clients, which live with their stream. */
  keyHash: string | undefined;
  lease: Lease | undefined;
  /** Undefined while the agent's own stream is there. */
  untilMs: number | undefined;
}

export class AgentDirectory {
  readonly #options: AgentDirectoryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: AgentDirectoryOptions) {
    this.#options = options;
  }

  restore(leases: readonly Lease<AgentLease>[]): readonly AgentRecord[] {
    const nowMs = this.#options.clock();
    return leases.map((lease) => {
      const { id, namespace, service, keyHash, names } = lease.value;
      const record = { ...createAgentRecord({ id, namespace, service, kind: 'agent' }, nowMs), names };
      this.#entries.set(record.key, { record, keyHash, lease, untilMs: nowMs + agentGraceMs });
      return record;
    });
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
    const entry = { record, keyHash, lease: present?.lease, untilMs: undefined };
    this.#entries.set(record.key, entry);
    this.#options.rush.onReconnection();
    this.changed(record);
    await this.#store(entry);
    return record;
  }

  /** The agent's own stream is lost: its grace begins. */
  release(record: AgentRecord): void {
    const entry = this.#entries.get(record.key);
    if (entry?.record !== record) return;
    entry.untilMs = this.#options.clock() + agentGraceMs;
    this.changed(record);
  }

  /** A client of another make, for as long as its stream lasts. */
  addForeign(record: AgentRecord): void {
    this.#entries.set(record.key, { record, keyHash: undefined, lease: undefined, untilMs: undefined });
    this.changed(record);
  }

  removeForeign(record: AgentRecord): void {
    if (this.#entries.get(record.key)?.record !== record) return;
    this.#remove(record, 'its stream ended');
  }

  /** The names it asks for that stand for something: stored, so that it counts after a restart too. */
  setNames(record: AgentRecord, names: readonly string[]): void {
    const sorted = [...names].sort();
    if (sorted.join() === record.names.join()) return;
    record.names = sorted;
    const entry = this.#entries.get(record.key);
    if (entry?.keyHash !== undefined) void this.#store(entry);
  }

  /** Something of the record was changed. */
  changed(record: AgentRecord): void {
    record.lastSeenMs = this.#options.clock();
    this.#options.rollouts.onAgent(record);
    this.#options.onAgent(record, false);
  }

  /** Graces begin anew: the rush of reconnections after a start is over. */
  restartGraces(): void {
    for (const entry of this.#entries.values()) {
      if (entry.untilMs !== undefined) entry.untilMs = this.#options.clock() + agentGraceMs;
    }
  }

  sweep(): void {
    if (!this.#options.rush.isOver) return;
    const nowMs = this.#options.clock();
    for (const { record, untilMs, lease } of [...this.#entries.values()]) {
      if (untilMs === undefined || untilMs > nowMs) continue;
      this.#remove(record, 'its lease ran out');
      if (lease) void this.#tryToStore(() => this.#options.store.removeLease(lease.key, lease.epoch));
    }
  }

  #remove(record: AgentRecord, reason: string): void {
    this.#entries.delete(record.key);
    this.#options.rollouts.onGone(record, reason);
    this.#options.onAgent(record, true);
  }

  async #store(entry: Entry): Promise<void> {
    const { id, namespace, service, names } = entry.record;
    const value: AgentLease = { id, namespace, service, names, keyHash: entry.keyHash ?? '' };
    await this.#tryToStore(async () => {
      const updated = entry.lease && (await this.#options.store.updateLease({ ...entry.lease, value }));
      entry.lease = updated ?? (await this.#options.store.takeLease(`agent/${namespace}/${id}`, value));
    });
  }

  async #tryToStore(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the lease of an agent could not be stored');
    }
  }
}
