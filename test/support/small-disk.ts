/** Disks of a test's own, small or read-only: tmpfs below a temporary folder, which takes root. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk {
  readonly path: string;

  /** Throws when nothing can be mounted here. */
  constructor(bytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
    try {
      run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'sluice-test', this.path);
    } catch (error) {
      rmSync(this.path, { recursive: true });
      throw error;
    }
  }

  makeReadOnly(): void {
    run('mount', '-o', 'remount,ro', this.path);
  }

  /** Leaves no byte free, whoever else is writing meanwhile. */
  fill(): void {
    const file = openSync(join(this.path, 'ballast'), 'w');
    const piece = Buffer.alloc(statfsSync(this.path).bsize);
    try {
      for (;;) writeSync(file, piece);
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC')) throw cause;
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(join(this.path, 'ballast'));
  }

  /** What is still open there does not keep it. */
  unmount(): void {
    run('umount', '--lazy', this.path);
    rmSync(this.path, { recursive: true });
  }
}

/** Why no disk can be mounted; undefined when one can. */
export function whyNoDisk(): string | undefined {
  try {
    new SmallDisk(65_536).unmount();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
