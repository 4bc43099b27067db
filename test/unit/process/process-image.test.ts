import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';

const program = 'test/unit/process/restarting-program.mjs';
const flag = '--max-semi-space-size=1';

interface Started {
  readonly pid: number;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  readonly word: string;
}

async function run(environment: Record<string, string> = {}): Promise<{ pid: number; lines: readonly string[] }> {
  const arguments_ = [program, 'a b', 'ü'];
  const child = spawn(process.execPath, arguments_, {
    env: { ...process.env, WORD: 'kept', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = (await text(child.stdout)).trim().split('\n');
  return { pid: child.pid ?? 0, lines };
}

describe('starting anew with other flags', () => {
  it('is the same process with the same arguments and environment, once', async () => {
    const { pid, lines } = await run();
    const [before, after, end] = lines;
    const started = [before, after].map((line) => JSON.parse(line ?? '') as Started);
    expect(started.map(({ pid, args, word }) => ({ pid, args, word }))).to.deep.equal([
      { pid, args: ['a b', 'ü'], word: 'kept' },
      { pid, args: ['a b', 'ü'], word: 'kept' },
    ]);
    expect(started.map(({ flags }) => flags.includes(flag))).to.deep.equal([false, true]);
    expect(end).to.equal('end');
  });

  it('is left out when the flag is given with whatever value', async () => {
    const { lines } = await run({ NODE_OPTIONS: '--max-semi-space-size=8' });
    expect(lines).to.have.lengthOf(2);
    expect(lines[1]).to.equal('end');
  });
});
