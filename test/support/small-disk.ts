/** Disks of a test's own, small or read-only: tmpfs below a temporary folder, which takes root. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
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

  /** Leaves no byte free. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path);
    writeFileSync(join(this.path, 'ballast'), Buffer.alloc(bavail * bsize));
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
