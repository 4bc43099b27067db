/**
 * Brings leases in the store to what is wanted of them: the newest wish, never a backlog. A store that takes no writes
 * stops nobody: what it did not take stays wanted, and is tried again.
 */
import type { Logger } from '../../process/log.ts';
import type { Lease, Store } from '../store/store.ts';

interface Wish {
  /** Undefined: the lease is to be gone. */
  readonly value: unknown;
  /** Whoever holds the lease loses it. */
  readonly isClaim: boolean;
}

interface Entry {
  /** As the store gave it; undefined before it did. After another server has taken it over, every write is refused. */
  held: Lease | undefined;
  /** What the store is still to be told. */
  wish: Wish | undefined;
  writing: Promise<void> | undefined;
}

export class LeaseKeeper {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  /** Keys of what the store did not take. */
  readonly #behind = new Set<string>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** A lease that the store has had since before. */
  restore(lease: Lease): void {
    this.#entries.set(lease.key, { held: lease, wish: undefined, writing: undefined });
  }

  /** Takes the lease, whoever held it. Resolves when the store has it, or did not take it for now. */
  claim(key: string, value: unknown): Promise<void> {
    return this.#want(key, { value, isClaim: true });
  }

  /** Changes the value, unless another server has taken the lease over. */
  change(key: string, value: unknown): Promise<void> {
    // A claim that waits stays a claim.
    const isClaim = this.#entries.get(key)?.wish?.isClaim ?? false;
    return this.#want(key, { value, isClaim });
  }

  /** Lets go of the lease. Resolves like `claim`. */
  drop(key: string): Promise<void> {
    return this.#want(key, { value: undefined, isClaim: false });
  }

  /** Tries again what the store did not take. To be called from time to time. */
  retry(): void {
    for (const key of this.#behind) {
      const entry = this.#entries.get(key);
      if (entry) void this.#write(key, entry);
    }
  }

  #want(key: string, wish: Wish): Promise<void> {
    const entry = this.#entries.get(key) ?? { held: undefined, wish: undefined, writing: undefined };
    this.#entries.set(key, entry);
    entry.wish = wish;
    return this.#write(key, entry);
  }

  #write(key: string, entry: Entry): Promise<void> {
    entry.writing ??= this.#writeAll(key, entry).finally(() => {
      entry.writing = undefined;
      // A wish that came after the last look and before this.
      if (entry.wish && !this.#behind.has(key)) void this.#write(key, entry);
    });
    return entry.writing;
  }

  async #writeAll(key: string, entry: Entry): Promise<void> {
    for (let wish = entry.wish; wish; wish = entry.wish) {
      try {
        await this.#perform(key, entry, wish);
      } catch (error) {
        this.#onFailed(key, error);
        return;
      }
      this.#onStored(key);
      // Otherwise another wish has come meanwhile.
      if (entry.wish !== wish) continue;
      entry.wish = undefined;
      if (wish.value === undefined) this.#entries.delete(key);
    }
  }

  async #perform(key: string, entry: Entry, { value, isClaim }: Wish): Promise<void> {
    if (value === undefined) {
      if (entry.held) await this.#store.removeLease(key, entry.held.epoch);
      entry.held = undefined;
    } else if (isClaim || !entry.held) {
      entry.held = await this.#store.takeLease(key, value);
    } else {
      await this.#store.updateLease({ ...entry.held, value });
    }
  }

  #onFailed(key: string, error: unknown): void {
    if (this.#behind.size === 0) {
      this.#log.error({ err: error }, 'leases cannot be stored for now; after a restart they would be as they were');
    }
    this.#behind.add(key);
  }

  #onStored(key: string): void {
    if (this.#behind.delete(key) && this.#behind.size === 0) this.#log.info('all leases are stored again');
  }
}
