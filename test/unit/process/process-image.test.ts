import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';

const program = 'test/unit/process/becoming-program.ts';
const flag = '--max-semi-space-size=1';

interface Said {
  readonly pid: number;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  readonly word: string;
  readonly added?: string;
}

async function run(options: { readonly environment?: Record<string, string>; readonly isForked?: boolean } = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', program, 'a b', 'ü'], {
    env: { ...process.env, WORD: 'kept', ...options.environment },
    stdio: ['ignore', 'pipe', 'inherit', ...(options.isForked ? ['ipc' as const] : [])],
  });
  const { stdout, pid = 0 } = child;
  if (stdout === null) throw new Error('its output was asked for');
  const lines = (await text(stdout)).trim().split('\n');
  const said = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Said);
  return { pid, said, end: lines.at(-1) };
}

describe('a program that becomes another one', () => {
  it('is the same process, with the same arguments and environment, and with what is added', async () => {
    const { pid, said, end } = await run();
    expect(said.map(({ pid, args, word, added }) => ({ pid, args, word, added }))).to.deep.equal([
      { pid, args: ['a b', 'ü'], word: 'kept', added: undefined },
      { pid, args: ['a b', 'ü'], word: 'kept', added: 'yes' },
    ]);
    expect(said.map(({ flags }) => flags.includes(flag))).to.deep.equal([false, true]);
    expect(end).to.equal('end yes');
  });

  it('leaves a flag alone that was given with another value', async () => {
    const { said } = await run({ environment: { NODE_OPTIONS: '--max-semi-space-size=8' } });
    expect(said.map(({ flags }) => flags.includes(flag))).to.deep.equal([false, false]);
  });

  it('goes on as it is, with its own environment, when its parent talks to it', async () => {
    const { said, end } = await run({ isForked: true });
    expect({ times: said.length, end }).to.deep.equal({ times: 1, end: 'end undefined' });
  });
});
