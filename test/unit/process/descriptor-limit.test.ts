import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { descriptorLimit } from '../../../process/descriptor-limit.ts';

describe('the limit of descriptors', () => {
  it('is that of the shell that starts a process with the same', () => {
    const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
    const said = stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout);
    expect(descriptorLimit()).to.equal(said);
  });
});
