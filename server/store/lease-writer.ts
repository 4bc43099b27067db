/**
 * Leases change often and many at once (a thousand agents reconnect): the changes of one turn of the event loop are
 * written as one transaction. What is read is the memory, which the disk follows.
 */
import type { ChangeLog } from './change-log.ts';
import type { Lease } from './store.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class LeaseWriter {
  readonly #leases: Map<string, Lease>;
  readonly #write: (changes: ReadonlyMap<string, Lease | undefined>) => void;
  readonly #log: ChangeLog;
  /** What the next transaction writes; undefined removes. */
  #pending = new Map<string, Lease | undefined>();
  #waiters: Waiter[] = [];
  /** Epochs rise over all leases, so that one which was removed and taken again never gets an old one back. */
  #lastEpoch: number;

  constructor(
    leases: Map<string, Lease>,
    write: (changes: ReadonlyMap<string, Lease | undefined>) => void,
    log: ChangeLog,
  ) {
    this.#leases = leases;
    this.#write = write;
    this.#log = log;
    this.#lastEpoch = [...leases.values()].reduce((greatest, { epoch }) => Math.max(greatest, epoch), 0);
  }

  get current(): ReadonlyMap<string, Lease> {
    return this.#leases;
  }

  async take(key: string, value: unknown): Promise<Lease> {
    const lease = { key, epoch: ++this.#lastEpoch, value };
    await this.#put(lease);
    return lease;
  }

  async update(lease: Lease): Promise<Lease | undefined> {
    if (this.#leases.get(lease.key)?.epoch !== lease.epoch) return undefined;
    await this.#put(lease);
    return lease;
  }

  async remove(key: string, epoch: number): Promise<boolean> {
    if (this.#leases.get(key)?.epoch !== epoch) return false;
    this.#leases.delete(key);
    this.#log.add({ is: 'lease-removed', key });
    await this.#enqueue(key, undefined);
    return true;
  }

  /** Resolves when all changes so far are written, or have failed. */
  async flushed(): Promise<void> {
    if (this.#pending.size > 0) await this.#nextWrite().catch(() => {});
  }

  #put(lease: Lease): Promise<void> {
    this.#leases.set(lease.key, lease);
    this.#log.add({ is: 'lease-put', lease });
    return this.#enqueue(lease.key, lease);
  }

  #enqueue(key: string, lease: Lease | undefined): Promise<void> {
    if (this.#pending.size === 0) setImmediate(() => this.#flush());
    this.#pending.set(key, lease);
    return this.#nextWrite();
  }

  #nextWrite(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #flush(): void {
    const [changes, waiters] = [this.#pending, this.#waiters];
    this.#pending = new Map();
    this.#waiters = [];
    try {
      this.#write(changes);
      for (const { resolve } of waiters) resolve();
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }
}
