import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { lockFile } from '../../../process/file-lock.ts';

describe('a file lock', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
    path = join(folder, 'lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function take() {
    const lock = lockFile(path);
    return 'heldBy' in lock ? expect.fail(`held by ${lock.heldBy}`) : lock;
  }

  it('is had by one at a time, and says by whom', () => {
    const lock = take();
    expect(lockFile(path)).to.deep.equal({ heldBy: String(process.pid) });
    lock.release();
    take().release();
  });

  it('leaves the file where it is', () => {
    take().release();
    expect(readFileSync(path, 'utf8')).to.equal(`${process.pid}\n`);
  });

  it('is free when its process was killed', async () => {
    const module = JSON.stringify(join(import.meta.dirname, '../../../process/file-lock.ts'));
    const program = `import { lockFile } from ${module}; lockFile(${JSON.stringify(path)}); console.log('locked'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
    await once(holder.stdout, 'data');
    expect(lockFile(path)).to.deep.equal({ heldBy: String(holder.pid) });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    take().release();
  });
});
