import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { runProgram } from '../../../process/run-program.ts';

/** As it was built: whoever translates a source needs descriptors, too. */
const built = join(import.meta.dirname, '../../../dist/process/run-program.js');

describe('a program that is run to its end', () => {
  it('is told of by its exit code and what it wrote', async () => {
    const result = await runProgram(['sh', '-c', 'cat; echo fault >&2; exit 3'], 'text');
    expect(result).to.deep.equal({ code: 3, stdout: 'text', stderr: 'fault\n' });
  });

  it('is undefined when there is none of that name', async () => {
    expect(await runProgram(['sluice-has-no-such-program'])).to.equal(undefined);
  });

  it('is a fault, and nothing worse, where no descriptor is left', async () => {
    const script = `
      import { closeSync, openSync } from 'node:fs';
      const { runProgram } = await import(${JSON.stringify(built)});
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null', 'r')); } catch {}
      const answer = await runProgram(['true']).catch(({ message }) => message);
      taken.forEach((descriptor) => closeSync(descriptor));
      console.log(answer);
    `;
    const node = [process.execPath, '--input-type', 'module', '--eval', script];
    const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 100; exec "$@"', 'sh', ...node]);
    expect(stdout).to.equal('spawn true EMFILE\n');
  });
});
