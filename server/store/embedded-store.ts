/**
 * The store in a data directory: LMDB in one file. One server at a time, held off by flock(2); the file is probed in a
 * child process before it is opened, since LMDB answers a truncated file with SIGBUS, which no process survives.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { MeshError } from '../../model/errors.ts';
import { type Resource, resourceIdKey } from '../../model/resource.ts';
import { type FileLock, lockFile } from '../../process/file-lock.ts';
import { ChangeLog } from './change-log.ts';
import { LeaseWriter } from './lease-writer.ts';
import { probeInChild } from './probe.ts';
import type { Appended, Lease, RevisionRecord, Store, StoreChange, StoredResource, StoreState } from './store.ts';

/** Bumped when the records change so that an older server could not read them. */
const format = 1;

/** Writes a watcher may be behind. Within one process it is never behind; the bound guards against leaks. */
const logCapacity = 10_000;

interface Meta {
  readonly format: number;
  readonly meshId: string;
  readonly revision: number;
}

/** The tables of the LMDB file. */
export interface Tables {
  readonly root: RootDatabase;
  readonly meta: Database<Meta, string>;
  readonly revisions: Database<RevisionRecord, number>;
  readonly resources: Database<StoredResource, string>;
  readonly leases: Database<Lease, string>;
}

/** Opens or creates the file. A damaged one may end the process by a signal: `probeInChild` goes first. */
export function openTables(dataDir: string): Tables {
  const root = open({
    path: join(dataDir, 'store.mdb'),
    noSubdir: true,
    maxDbs: 4,
    encoding: 'json',
    // A commit has to be on the disk when it returns: a revision is acknowledged after it.
    overlappingSync: false,
  });
  const table = <Value, Key extends string | number>(name: string) =>
    root.openDB<Value, Key>({ name, encoding: 'json', ...(name === 'revisions' ? { keyEncoding: 'uint32' } : {}) });
  return {
    root,
    meta: table<Meta, string>('meta'),
    revisions: table<RevisionRecord, number>('revisions'),
    resources: table<StoredResource, string>('resources'),
    leases: table<Lease, string>('leases'),
  };
}

/**
 * Opens the store of a data directory, creating it when the directory is new. Throws MeshError STORE_FAILED, with what
 * to do, when the directory is held by another server, cannot be written, or its file is damaged; what is there stays.
 */
export async function openEmbeddedStore(dataDir: string): Promise<Store> {
  const lock = holdDirectory(dataDir);
  try {
    await probeInChild(dataDir);
    const tables = openTables(dataDir);
    const meta = tables.meta.get('meta') ?? { format, meshId: randomUUID(), revision: 0 };
    if (meta.format !== format) {
      throw failed(dataDir, `it has format ${meta.format}, this server reads ${format}; use the server that wrote it`);
    }
    write(tables, () => tables.meta.putSync('meta', meta));
    return new EmbeddedStore(tables, meta, lock);
  } catch (error) {
    lock.release();
    throw error instanceof MeshError ? error : failed(dataDir, messageOf(error), error);
  }
}

class EmbeddedStore implements Store {
  readonly meshId: string;
  readonly #tables: Tables;
  readonly #lock: FileLock;
  readonly #log = new ChangeLog(logCapacity);
  readonly #leases: LeaseWriter;
  #trouble: string | undefined;
  #revision: number;

  constructor(tables: Tables, meta: Meta, lock: FileLock) {
    this.#tables = tables;
    this.#lock = lock;
    this.meshId = meta.meshId;
    this.#revision = meta.revision;
    this.#leases = new LeaseWriter(
      new Map([...tables.leases.getRange()].map(({ key, value }) => [key, value])),
      (changes) =>
        this.#write(() => {
          for (const [key, lease] of changes) {
            if (lease) tables.leases.putSync(key, lease);
            else tables.leases.removeSync(key);
          }
        }),
      this.#log,
    );
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  async load(): Promise<StoreState> {
    return {
      cursor: this.#log.cursor,
      revision: this.#revision,
      resources: [...this.#tables.resources.getRange()].map(({ value }) => value),
      leases: [...this.#leases.current.values()],
    };
  }

  async append(record: RevisionRecord, expected: number): Promise<Appended> {
    if (this.#revision !== expected) return { is: 'conflict', revision: this.#revision };
    const { meta, revisions, resources } = this.#tables;
    this.#write(() => {
      revisions.putSync(record.revision, record);
      for (const change of record.changes) putOrRemove(resources, resourceIdKey(change), change.after, record.revision);
      meta.putSync('meta', { format, meshId: this.meshId, revision: record.revision });
    });
    this.#revision = record.revision;
    this.#log.add({ is: 'revision', record });
    return { is: 'appended' };
  }

  async revision(number: number): Promise<RevisionRecord | undefined> {
    return this.#tables.revisions.get(number);
  }

  async revisions(page: { readonly before?: number; readonly limit: number }): Promise<readonly RevisionRecord[]> {
    const start = (page.before ?? this.#revision + 1) - 1;
    if (start < 0) return [];
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
    await this.#leases.flushed();
    await this.#tables.root.close();
    this.#lock.release();
  }

  #write(action: () => void): void {
    try {
      write(this.#tables, action);
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = messageOf(error);
      throw error;
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

/** One transaction: all of it is on the disk when this returns, or nothing of it is there. */
function write(tables: Tables, action: () => void): void {
  try {
    tables.root.transactionSync(action);
  } catch (error) {
    throw new MeshError('STORE_READ_ONLY', [`${messageOf(error)}; nothing was changed. Make room, then try again`], {
      cause: error,
    });
  }
}

function holdDirectory(dataDir: string): FileLock {
  try {
    mkdirSync(dataDir, { recursive: true });
    const lock = lockFile(join(dataDir, 'lock'));
    if ('release' in lock) return lock;
    const holder = lock.heldBy === '' ? '' : ` (process ${lock.heldBy})`;
    throw failed(dataDir, `another server${holder} is using it; stop that one, or give this one its own --data-dir`);
  } catch (error) {
    throw error instanceof MeshError ? error : failed(dataDir, messageOf(error), error);
  }
}

function failed(dataDir: string, reason: string, cause?: unknown): MeshError {
  return new MeshError('STORE_FAILED', [`cannot open the data directory ${dataDir}: ${reason}`], { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
