/**
 * An exclusive lock on a file by flock(2), which Node does not offer. The kernel lets go of it when the process ends,
 * however it ends. The pid inside the file only informs: in a container it is always 1.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import koffi from 'koffi';

const LOCK_EX = 2;
const LOCK_NB = 4;

// `null`: the symbols of this very process, which is linked with libc, whatever libc is called on this system.
const flock = koffi.load(null).func('int flock(int fd, int operation)');

export interface FileLock {
  /** Lets go of the lock. The file stays: removing it would let two processes hold "the" lock. */
  release(): void;
}

/** Takes the lock, or answers with what the present holder wrote into the file (its pid). Throws when it cannot open the file. */
export function lockFile(path: string): FileLock | { readonly heldBy: string } {
  const descriptor = openSync(path, 'a+');
  if (flock(descriptor, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(descriptor);
    return { heldBy: readFileSync(path, 'utf8').trim() };
  }
  try {
    ftruncateSync(descriptor);
    writeSync(descriptor, `${process.pid}\n`);
  } catch {
    // A full disk takes no pid; the lock holds without it.
  }
  return { release: () => closeSync(descriptor) };
}
