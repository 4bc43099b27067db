/** Keeps what the agent holds on disk: written after each swap, newest only, never in the way of a request or an ACK. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { decodeLastGood, encodeLastGood, type LastGood, largestFileBytes } from './last-good-format.ts';
import { setAside } from './state-directory.ts';

export interface LastGoodFile {
  readonly writes: number;
  readonly failures: number;
  /** Takes note that there is something newer; `take` is asked for it when it is written. */
  changed(): void;
  /** Resolves when what there is now is on disk, or could not be written. */
  flush(): Promise<void>;
}

export interface LastGoodOptions {
  readonly path: string;
  /** What to keep; undefined when there is nothing worth keeping. */
  readonly take: () => LastGood | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Instances come and go all the time; to be this much behind after a power cut is no harm. */
const betweenWritesMs = 200;

/** What the last run held. A file that cannot be used is set aside, and the agent starts with nothing. */
export function readLastGood(path: string, now: () => number, log: Logger): LastGood | undefined {
  try {
    if (!existsSync(path)) return undefined;
    const { size } = statSync(path);
    const read = size > largestFileBytes ? `it has ${size} bytes` : decodeLastGood(readFileSync(path));
    if (typeof read !== 'string') return read;
    log.warn({ movedTo: setAside(path, now()) }, `the last-good file cannot be used, starting with nothing: ${read}`);
  } catch (cause) {
    log.warn({ err: cause, path }, 'the last-good file cannot be read, starting with nothing');
  }
  return undefined;
}

export function keepLastGood({ path, take, clock, log }: LastGoodOptions): LastGoodFile {
  let writes = 0;
  let failures = 0;
  let isChanged = false;
  let nextAt = 0;
  let writing: Promise<void> | undefined;

  const write = async () => {
    while (isChanged) {
      isChanged = false;
      const kept = take();
      if (kept === undefined) continue;
      nextAt = clock.now() + betweenWritesMs;
      try {
        await replaceFile(path, encodeLastGood(kept));
        writes += 1;
      } catch (cause) {
        failures += 1;
        log.error({ err: cause, path }, 'what the agent holds could not be kept on disk');
      }
    }
  };
  const start = () => {
    writing ??= write().finally(() => {
      writing = undefined;
    });
    return writing;
  };

  let cancel: (() => void) | undefined;
  return {
    get writes() {
      return writes;
    },
    get failures() {
      return failures;
    },
    changed: () => {
      isChanged = true;
      cancel ??= clock.after(Math.max(0, nextAt - clock.now()), () => {
        cancel = undefined;
        void start();
      });
    },
    flush: async () => {
      cancel?.();
      cancel = undefined;
      while (isChanged || writing !== undefined) await start();
    },
  };
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** The rename itself must reach the disk, too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
