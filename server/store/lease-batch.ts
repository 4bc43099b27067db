/**
 * Leases change often and many at once (a thousand agents reconnect): the changes of one turn of the event loop are one
 * transaction. Each looks at the lease as the one before it left it, and is told of only when it is on the disk.
 */
import type { ChangeLog, Unplaced } from './change-log.ts';
import type { Lease } from './store.ts';
import type { Meta, Tables } from './tables.ts';

interface Operation {
  /** Runs inside the transaction; what it did is told afterwards. */
  readonly run: (told: Unplaced[]) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class LeaseBatch {
  readonly #tables: Tables;
  readonly #write: (action: () => void) => void;
  readonly #log: ChangeLog;
  #queue: Operation[] = [];

  /** `write` runs an action as one transaction; throws when nothing of it was written. */
  constructor(tables: Tables, write: (action: () => void) => void, log: ChangeLog) {
    this.#tables = tables;
    this.#write = write;
    this.#log = log;
  }

  take(key: string, value: unknown): Promise<Lease> {
    return this.#enqueue((told) => {
      const lease = { key, epoch: this.#nextEpoch(), value };
      this.#tables.leases.putSync(key, lease);
      told.push({ is: 'lease-put', lease });
      return lease;
    });
  }

  update(lease: Lease): Promise<Lease | undefined> {
    return this.#enqueue((told) => {
      if (!this.#isHeldAt(lease.key, lease.epoch)) return undefined;
      this.#tables.leases.putSync(lease.key, lease);
      told.push({ is: 'lease-put', lease });
      return lease;
    });
  }

  remove(key: string, epoch: number): Promise<boolean> {
    return this.#enqueue((told) => {
      if (!this.#isHeldAt(key, epoch)) return false;
      this.#tables.leases.removeSync(key);
      told.push({ is: 'lease-removed', key });
      return true;
    });
  }

  /** Writes now what waits. */
  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    const told: Unplaced[] = [];
    try {
      this.#write(() => {
        for (const { run } of queue) run(told);
      });
    } catch (error) {
      for (const { reject } of queue) reject(error);
      return;
    }
    for (const change of told) this.#log.add(change);
    for (const { resolve } of queue) resolve();
  }

  #isHeldAt(key: string, epoch: number): boolean {
    return this.#tables.leases.get(key)?.epoch === epoch;
  }

  /** Epochs rise over all leases and are stored: one that was removed and taken again never gets an old one back. */
  #nextEpoch(): number {
    const { meta } = this.#tables;
    // Written when the store was created.
    const present = meta.get('meta') as Meta;
    const epoch = present.epoch + 1;
    meta.putSync('meta', { ...present, epoch });
    return epoch;
  }

  #enqueue<Result>(run: (told: Unplaced[]) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length === 0) setImmediate(() => this.flush());
      let result: Result;
      this.#queue.push({
        run: (told) => {
          result = run(told);
        },
        resolve: () => resolve(result),
        reject,
      });
    });
  }
}
