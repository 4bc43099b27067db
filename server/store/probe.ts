/**
 * Opens a store file and reads all of it, in a process that may die of it. Run as a program it does so for the data
 * directory it is given; `probeInChild` runs it and turns its end into a sentence.
 */
import { fork } from 'node:child_process';
import { statSync } from 'node:fs';
import { MeshError } from '../../model/errors.ts';
import { format, messageOf, openTables, storeFile } from './tables.ts';

/** Resolves when the file can be opened, read to its end and written. Throws STORE_FAILED with what to do if not. */
export async function probeInChild(dataDir: string): Promise<void> {
  const child = fork(import.meta.filename, [dataDir], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let complaint: string | undefined;
  let noise = '';
  child.on('message', (message) => {
    complaint = String(message);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    noise = (noise + text).slice(-2_000);
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (code, signal) => resolve([code, signal]));
  });
  if (code === 0) return;
  const end = signal ? `reading it ends with ${signal}` : (noise.trim().split('\n').at(-1) ?? '');
  const reason = complaint ?? damaged(`it is cut off or overwritten: ${end}`);
  throw new MeshError('STORE_FAILED', [`cannot open the data directory ${dataDir}: ${reason}. Nothing was changed`]);
}

function damaged(what: string): string {
  return (
    `store.mdb is damaged (${what}); restore a backup, or move the directory away and start with an empty one ` +
    '(agents keep routing by what they have)'
  );
}

/** Answers what is wrong, if anything. */
async function probe(dataDir: string): Promise<string | undefined> {
  const path = storeFile(dataDir);
  if (statSync(path).size === 0) return damaged('it is empty: 0 bytes');
  const { root, meta, revisions, resources, leases } = openTables(path);
  const own = meta.get('meta');
  if (!own) return damaged('it is no store of Sluice');
  if (own.format !== format) {
    return `store.mdb has format ${own.format}, this server reads ${format}; use the server that wrote it`;
  }
  for (const table of [revisions, resources, leases]) for (const _entry of table.getRange());
  // A write that changes nothing: shows whether the disk takes one.
  root.transactionSync(() => meta.putSync('meta', own));
  await root.close();
  return undefined;
}

async function run(dataDir: string): Promise<void> {
  const complaint = await probe(dataDir).catch((error: unknown) => `store.mdb cannot be used: ${messageOf(error)}`);
  if (complaint === undefined) return;
  process.exitCode = 1;
  process.send?.(complaint, () => process.disconnect());
}

if (process.argv[1] === import.meta.filename) await run(process.argv[2] ?? '');
