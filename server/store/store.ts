/**
 * The contract of the store: what a control plane must never lose (revisions, the documents they lead to, leases), and
 * how several servers share it. Redis and the embedded store keep the same law (test/contract/store-contract.ts).
 *
 * Every write has a place in one order, its cursor. `load` answers the whole state as of a cursor, `watch` every write
 * after a cursor, once, in order, whoever wrote it. A watcher that has fallen too far behind is told `gap` and loads again.
 */
import type { RevisionRecord, StoredResource } from '../../model/revision.ts';

/**
 * Something that lives only as long as somebody vouches for it: a registered instance, a known agent. The store keeps
 * it until it is removed; when that is due is the registry's business.
 */
export interface Lease<Value = unknown> {
  readonly key: string;
  /**
   * Rises each time the lease is taken over, and never comes again, not even when the lease was removed in between. A
   * server that was cut off holds an old one, and its writes are refused.
   */
  readonly epoch: number;
  readonly value: Value;
}

export interface StoreState {
  readonly cursor: number;
  /** 0 in a new store. */
  readonly revision: number;
  readonly resources: readonly StoredResource[];
  readonly leases: readonly Lease[];
}

export type StoreChange =
  | { readonly is: 'revision'; readonly cursor: number; readonly record: RevisionRecord }
  | { readonly is: 'lease-put'; readonly cursor: number; readonly lease: Lease }
  | { readonly is: 'lease-removed'; readonly cursor: number; readonly key: string }
  /** Writes are missing here: load again. Nothing follows on this watch. */
  | { readonly is: 'gap' };

export type Appended = { readonly is: 'appended' } | { readonly is: 'conflict'; readonly revision: number };

export interface Store {
  /** Drawn when the store was created; tells an emptied or foreign store from the one an agent knows. */
  readonly meshId: string;

  /** Why the newest write failed; undefined when it succeeded. While it is set the store is as good as read-only. */
  readonly trouble: string | undefined;

  load(): Promise<StoreState>;

  /**
   * Appends a revision and brings its documents up to date, both or neither, if `expected` is still the newest revision.
   * Its number has to be above that one. Resolves when it is on the disk. Throws MeshError STORE_READ_ONLY when the disk
   * takes no more; then nothing changed. The writes of leases throw it as well.
   */
  append(record: RevisionRecord, expected: number): Promise<Appended>;

  revision(number: number): Promise<RevisionRecord | undefined>;

  /** Newest first, at most `limit` (1 or more), all older than `before` (default: from the newest). */
  revisions(page: { readonly before?: number; readonly limit: number }): Promise<readonly RevisionRecord[]>;

  /** Takes the lease over, whoever held it: its epoch rises. */
  takeLease(key: string, value: unknown): Promise<Lease>;

  /** Changes the value of a lease that is still held at this epoch; undefined when another has taken it over. */
  updateLease(lease: Lease): Promise<Lease | undefined>;

  /** False when the lease is gone or another has taken it over. */
  removeLease(key: string, epoch: number): Promise<boolean>;

  /** Calls `onChange` for every write after `cursor`, once, in order, when it is on the disk. `close` ends it at once. */
  watch(cursor: number, onChange: (change: StoreChange) => void): { close(): void };

  close(): Promise<void>;
}
