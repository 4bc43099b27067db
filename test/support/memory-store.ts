/**
 * A store in memory that several servers share, each by a handle of its own, as they share Redis: every write takes a
 * turn of the event loop, and is told a turn later. Can be made to fail.
 */
import { randomUUID } from 'node:crypto';
import { MeshError } from '../../model/errors.ts';
import { resourceIdKey } from '../../model/resource.ts';
import type { RevisionRecord, StoredResource } from '../../model/revision.ts';
import { ChangeLog } from '../../server/store/change-log.ts';
import type { Appended, Lease, Store, StoreChange, StoreState } from '../../server/store/store.ts';

export class MemoryStore {
  readonly meshId = randomUUID();
  readonly revisions = new Map<number, RevisionRecord>();
  readonly resources = new Map<string, StoredResource>();
  readonly leases = new Map<string, Lease>();
  readonly log: ChangeLog;
  revision = 0;
  epoch = 0;
  /** Why writes fail; undefined while they do not. */
  failure: string | undefined;

  constructor(logCapacity = 1_000) {
    this.log = new ChangeLog(logCapacity);
  }

  /** What one server holds of it. */
  open(): Store {
    return new Handle(this);
  }
}

class Handle implements Store {
  readonly #shared: MemoryStore;
  trouble: string | undefined;
  #isClosed = false;

  constructor(shared: MemoryStore) {
    this.#shared = shared;
  }

  get meshId(): string {
    return this.#shared.meshId;
  }

  async load(): Promise<StoreState> {
    await nextTurn();
    const { log, revision, resources, leases } = this.#shared;
    return { cursor: log.cursor, revision, resources: [...resources.values()], leases: [...leases.values()] };
  }

  append(record: RevisionRecord, expected: number): Promise<Appended> {
    return this.#write(() => {
      const shared = this.#shared;
      if (shared.revision !== expected) return { is: 'conflict', revision: shared.revision };
      if (record.revision <= expected) throw new Error(`revision ${record.revision} is not above ${expected}`);
      shared.revisions.set(record.revision, record);
      shared.revision = record.revision;
      for (const change of record.changes) {
        const { revision } = record;
        if (change.after) shared.resources.set(resourceIdKey(change), { resource: change.after, revision });
        else shared.resources.delete(resourceIdKey(change));
      }
      shared.log.add({ is: 'revision', record });
      return { is: 'appended' };
    });
  }

  async revision(number: number): Promise<RevisionRecord | undefined> {
    return this.#shared.revisions.get(number);
  }

  async revisions({ before = Number.POSITIVE_INFINITY, limit }: { before?: number; limit: number }) {
    const older = [...this.#shared.revisions.values()].filter(({ revision }) => revision < before);
    return older.reverse().slice(0, limit);
  }

  takeLease(key: string, value: unknown): Promise<Lease> {
    return this.#write(() => this.#put({ key, epoch: ++this.#shared.epoch, value }));
  }

  updateLease(lease: Lease): Promise<Lease | undefined> {
    return this.#write(() => (this.#isHeldAt(lease.key, lease.epoch) ? this.#put(lease) : undefined));
  }

  removeLease(key: string, epoch: number): Promise<boolean> {
    return this.#write(() => {
      if (!this.#isHeldAt(key, epoch)) return false;
      this.#shared.leases.delete(key);
      this.#shared.log.add({ is: 'lease-removed', key });
      return true;
    });
  }

  watch(cursor: number, onChange: (change: StoreChange) => void): { close(): void } {
    let isOpen = true;
    const watch = this.#shared.log.watch(cursor, (change) => {
      setImmediate(() => isOpen && onChange(change));
    });
    return {
      close: () => {
        isOpen = false;
        watch.close();
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #isHeldAt(key: string, epoch: number): boolean {
    return this.#shared.leases.get(key)?.epoch === epoch;
  }

  #put(lease: Lease): Lease {
    this.#shared.leases.set(lease.key, lease);
    this.#shared.log.add({ is: 'lease-put', lease });
    return lease;
  }

  async #write<Result>(action: () => Result): Promise<Result> {
    const isLate = this.#isClosed;
    await nextTurn();
    const failure = isLate ? 'it was closed' : this.#shared.failure;
    this.trouble = failure;
    if (failure !== undefined) throw new MeshError('STORE_READ_ONLY', [failure]);
    return action();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
