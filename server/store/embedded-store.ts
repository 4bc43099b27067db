/**
 * The store in a data directory: LMDB in one file. One server at a time, held off by flock(2); the file is probed in a
 * child process before it is opened, since LMDB answers a damaged file with a signal, which no process survives.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Database } from 'lmdb';
import { MeshError } from '../../model/errors.ts';
import { type Resource, resourceIdKey } from '../../model/resource.ts';
import type { RevisionRecord, StoredResource } from '../../model/revision.ts';
import { type FileLock, lockFile } from '../../process/file-lock.ts';
import { ChangeLog } from './change-log.ts';
import { LeaseBatch } from './lease-batch.ts';
import { probeInChild } from './probe.ts';
import type { Appended, Lease, Store, StoreChange, StoreState } from './store.ts';
import { createStoreFile, hasRoom, type Meta, messageOf, openTables, storeFile, type Tables } from './tables.ts';

/** Writes a watcher may be behind. Within one process it is never behind; the bound guards against leaks. */
const logCapacity = 10_000;

/**
 * Opens the store of a data directory, creating it when the directory is new. Throws MeshError STORE_FAILED, with what
 * to do, when the directory is held by another server, cannot be written, or its file is damaged; what is there stays.
 */
export async function openEmbeddedStore(dataDir: string): Promise<Store> {
  const lock = holdDirectory(dataDir);
  try {
    if (!hasRoom(dataDir)) throw failed(dataDir, `${full(dataDir)}, then start again. Nothing was changed`);
    if (existsSync(storeFile(dataDir))) await probeInChild(dataDir);
    else await createStoreFile(dataDir);
    return new EmbeddedStore(dataDir, openTables(storeFile(dataDir)), lock);
  } catch (error) {
    lock.release();
    throw error instanceof MeshError ? error : failed(dataDir, messageOf(error), error);
  }
}

class EmbeddedStore implements Store {
  readonly meshId: string;
  readonly #dataDir: string;
  readonly #tables: Tables;
  readonly #lock: FileLock;
  readonly #log = new ChangeLog(logCapacity);
  readonly #leases: LeaseBatch;
  #trouble: string | undefined;
  #isClosed = false;

  constructor(dataDir: string, tables: Tables, lock: FileLock) {
    this.#dataDir = dataDir;
    this.#tables = tables;
    this.#lock = lock;
    this.meshId = this.#meta.meshId;
    this.#leases = new LeaseBatch(tables, (action) => this.#write(action), this.#log);
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  async load(): Promise<StoreState> {
    const { resources, leases } = this.#tables;
    return {
      cursor: this.#log.cursor,
      revision: this.#meta.revision,
      resources: [...resources.getRange()].map(({ value }) => value),
      leases: [...leases.getRange()].map(({ value }) => value),
    };
  }

  async append(record: RevisionRecord, expected: number): Promise<Appended> {
    const { meta, revisions, resources } = this.#tables;
    const present = this.#meta;
    if (present.revision !== expected) return { is: 'conflict', revision: present.revision };
    if (record.revision <= expected) throw new Error(`revision ${record.revision} is not above ${expected}`);
    this.#write(() => {
      revisions.putSync(record.revision, record);
      for (const change of record.changes) putOrRemove(resources, resourceIdKey(change), change.after, record.revision);
      meta.putSync('meta', { ...present, revision: record.revision });
    });
    this.#log.add({ is: 'revision', record });
    return { is: 'appended' };
  }

  async revision(number: number): Promise<RevisionRecord | undefined> {
    // A key is 32 bits of the number: others would find a revision that was not asked for.
    const isPossible = Number.isInteger(number) && number > 0 && number <= this.#meta.revision;
    return isPossible ? this.#tables.revisions.get(number) : undefined;
  }

  async revisions(page: { readonly before?: number; readonly limit: number }): Promise<readonly RevisionRecord[]> {
    const newest = this.#meta.revision;
    const start = Math.min(newest, (page.before ?? newest + 1) - 1);
    if (start < 1) return [];
    return [...this.#tables.revisions.getRange({ start, reverse: true, limit: page.limit })].map(({ value }) => value);
  }

  takeLease(key: string, value: unknown): Promise<Lease> {
    return this.#leases.take(key, value);
  }

  updateLease(lease: Lease): Promise<Lease | undefined> {
    return this.#leases.update(lease);
  }

  removeLease(key: string, epoch: number): Promise<boolean> {
    return this.#leases.remove(key, epoch);
  }

  watch(cursor: number, onChange: (change: StoreChange) => void): { close(): void } {
    return this.#log.watch(cursor, onChange);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#leases.flush();
    this.#isClosed = true;
    await this.#tables.root.close();
    this.#lock.release();
  }

  get #meta(): Meta {
    const meta = this.#tables.meta.get('meta');
    if (!meta) throw new Error('the record of the store itself is gone');
    return meta;
  }

  /** One transaction: all of it is on the disk when this returns, or nothing of it is there. */
  #write(action: () => void): void {
    if (this.#isClosed) throw new MeshError('STORE_READ_ONLY', ['the server is shutting down']);
    try {
      this.#tables.root.transactionSync(action);
      this.#trouble = undefined;
    } catch (error) {
      // LMDB's own words for a full disk differ by what it was about to do.
      this.#trouble = hasRoom(this.#dataDir) ? messageOf(error) : full(this.#dataDir);
      throw new MeshError('STORE_READ_ONLY', [`${this.#trouble}; nothing was changed`], { cause: error });
    }
  }
}

function putOrRemove(
  resources: Database<StoredResource, string>,
  key: string,
  resource: Resource | null,
  revision: number,
): void {
  if (resource) resources.putSync(key, { resource, revision });
  else resources.removeSync(key);
}

function holdDirectory(dataDir: string): FileLock {
  try {
    makeDirectory(resolve(dataDir));
    const lock = lockFile(join(dataDir, 'lock'));
    if ('release' in lock) return lock;
    const holder = lock.heldBy === '' ? '' : ` (process ${lock.heldBy})`;
    throw failed(dataDir, `another server${holder} is using it; stop that one, or give this one its own --data-dir`);
  } catch (error) {
    throw error instanceof MeshError ? error : failed(dataDir, messageOf(error), error);
  }
}

/** One by one: what Node does by itself hides why it failed, and does not end where nothing can be created. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

function full(dataDir: string): string {
  return `the disk of ${dataDir} is full; make room`;
}

function failed(dataDir: string, reason: string, cause?: unknown): MeshError {
  return new MeshError('STORE_FAILED', [`cannot open the data directory ${dataDir}: ${reason}`], { cause });
}
