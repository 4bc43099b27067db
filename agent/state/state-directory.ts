/** The agent's directory: one agent at a time, and the key by which servers know that it is the same agent. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../../process/file-lock.ts';
import type { Logger } from '../../process/log.ts';

export interface StateDirectory {
  readonly path: string;
  /** 32 random bytes, drawn once. Secret: whoever has them can take over the registration. */
  readonly key: Uint8Array;
  /** Lets another agent have it. */
  close(): void;
}

const keyBytes = 32;

/** The directory, or a sentence for the operator that says why it cannot be used. */
export function openStateDirectory(
  path: string,
  now: () => number,
  log: Logger,
): StateDirectory | { readonly refused: string } {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = lockFile(join(path, 'lock'));
    if ('heldBy' in lock) {
      const holder = lock.heldBy === '' ? 'another agent' : `another agent (process ${lock.heldBy})`;
      return {
        refused: `the state directory ${path} is in use by ${holder}; give each agent its own --id or --state-dir`,
      };
    }
    try {
      return { path, key: readOrDrawKey(join(path, 'key'), now, log), close: () => lock.release() };
    } catch (cause) {
      lock.release();
      throw cause;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { refused: `the state directory ${path} cannot be used: ${reason}` };
  }
}

/** Where a file goes that cannot be used: out of the way, but there to be looked at. */
export function setAside(path: string, now: number): string {
  const aside = `${path}.damaged-${new Date(now).toISOString().replaceAll(':', '-')}`;
  renameSync(path, aside);
  return aside;
}

function readOrDrawKey(path: string, now: () => number, log: Logger): Uint8Array {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
    const key = readFileSync(path);
    if (key.length === keyBytes) {
      chmodSync(path, 0o600);
      return key;
    }
    log.warn({ movedTo: setAside(path, now()) }, 'the key file is damaged; a new key is drawn');
  }
  const key = randomBytes(keyBytes);
  writeDurably(path, key);
  return key;
}

/** All of it or nothing, also when the machine stops in the middle. */
function writeDurably(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    writeSync(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}
