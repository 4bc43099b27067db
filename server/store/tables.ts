/** The LMDB file of the embedded store: its tables, and how it comes into being. */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { RevisionRecord, StoredResource } from '../../model/revision.ts';
import type { Lease } from './store.ts';

/** Bumped when the records change so that an older server could not read them. */
export const format = 1;

/** Less than this is no room: LMDB needs some pages for the smallest transaction. */
const leastRoomBytes = 64 * 1024;

export interface Meta {
  readonly format: number;
  readonly meshId: string;
  readonly revision: number;
  /** The greatest epoch that any lease ever had. */
  readonly epoch: number;
}

export interface Tables {
  readonly root: RootDatabase;
  readonly meta: Database<Meta, string>;
  readonly revisions: Database<RevisionRecord, number>;
  readonly resources: Database<StoredResource, string>;
  readonly leases: Database<Lease, string>;
}

export function storeFile(dataDir: string): string {
  return join(dataDir, 'store.mdb');
}

/** Opens the file, or creates it. A damaged one may end the process by a signal: `probe.ts` goes first. */
export function openTables(path: string): Tables {
  const root = open({
    path,
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

/** A new store with a new meshId. It appears whole or not at all: `store.mdb` is never a half-made file. */
export async function createStoreFile(dataDir: string): Promise<void> {
  const draft = `${storeFile(dataDir)}.new`;
  const clear = () => {
    for (const path of [draft, `${draft}-lock`]) rmSync(path, { force: true });
  };
  clear();
  const { root, meta } = openTables(draft);
  root.transactionSync(() => meta.putSync('meta', { format, meshId: randomUUID(), revision: 0, epoch: 0 }));
  await root.close();
  renameSync(draft, storeFile(dataDir));
  clear();
  syncDirectory(dataDir);
}

/** Whether the disk takes a small write. LMDB dies of a signal when it opens a file on a full one. */
export function hasRoom(dataDir: string): boolean {
  const { bavail, bsize } = statfsSync(dataDir);
  return bavail * bsize >= leastRoomBytes;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
