/**
 * Opens a store file and reads all of it, in a process that may die of it. Run as a program it does so for the data
 * directory it is given; `probeInChild` runs it and turns its end into a sentence.
 */
import { fork } from 'node:child_process';
import { MeshError } from '../../model/errors.ts';

/** Resolves when the file can be opened, read to its end and written. Throws STORE_FAILED with what to do if not. */
export async function probeInChild(dataDir: string): Promise<void> {
  const child = fork(import.meta.filename, [dataDir], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (code, signal) => resolve([code, signal]));
  });
  if (code === 0) return;
  const reason = signal
    ? `reading it ends with ${signal}: the disk is full, or the file is cut off`
    : lastLine(complaint);
  throw new MeshError('STORE_FAILED', [
    `cannot open the data directory ${dataDir}: ${reason}. Nothing was changed. Make room if the disk is full; if ` +
      'store.mdb is damaged, restore a backup, or move the directory away and start with an empty one (agents keep ' +
      'routing by what they have)',
  ]);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'the probe failed without a word';
}

async function probe(dataDir: string): Promise<void> {
  const { openTables } = await import('./embedded-store.ts');
  const { root, meta, revisions, resources, leases } = openTables(dataDir);
  for (const table of [meta, revisions, resources, leases]) for (const _entry of table.getRange());
  // A write that changes nothing: shows whether the disk takes one.
  root.transactionSync(() => {
    meta.putSync('probe', { format: 0, meshId: '', revision: 0 });
    meta.removeSync('probe');
  });
  await root.close();
}

if (process.argv[1] === import.meta.filename) {
  probe(process.argv[2] ?? '').catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  });
}
