import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

const top = new URL('../../', import.meta.url).pathname;

describe('sluice demo', function () {
  // It starts eight processes and then shows four steps.
  this.timeout(120_000);

  /** What `npm start` runs, and a checkout without a build, whose processes take three times as long to start. */
  const built = ['dist/cli/main.js'];
  const source = ['--import', 'tsx', 'cli/main.ts'];

  let folder: string;
  let demo: ChildProcess;
  let out: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-demo-test-'));
    out = '';
  });
  afterEach(() => {
    demo.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function start(program: readonly string[]): void {
    demo = spawn(process.execPath, [...program, 'demo'], {
      cwd: top,
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    demo.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
  }

  /** What is written to the temporary directory by the demo itself; compilers cache there too. */
  const leftBehind = () => readdirSync(folder).filter((name) => name.startsWith('sluice-demo'));

  it('applies four rule files under traffic, every split exact, no request failed, and ends with 0', async () => {
    start(built);
    const [code] = await once(demo, 'close');
    expect(code, out).to.equal(0);
    expect(out.match(/applied on 1 agent in \d+ ms/g)).to.have.length(4);
    expect(out.match(/ exact$/gm)).to.have.length(5);
    expect(out.match(/failed requests: 0$/gm)).to.have.length(4);
    expect(leftBehind()).to.deep.equal([]);
  });

  for (const { signal, leaves, program, how } of [
    { signal: 'SIGINT', leaves: 0, program: built, how: '' },
    { signal: 'SIGTERM', leaves: 0, program: source, how: ', run from source' },
    // Nobody is left who could remove the directory.
    { signal: 'SIGKILL', leaves: 1, program: built, how: '' },
  ] as const) {
    it(`leaves no process behind after ${signal}${how}`, async () => {
      start(program);
      await until(() => out.includes('applied on'));
      const children = childrenOf(demo.pid ?? 0);
      expect(children).to.have.length(8);
      demo.kill(signal);
      await once(demo, 'close');
      await until(() => children.every((pid) => !isAlive(pid)));
      expect(leftBehind()).to.have.length(leaves);
    });
  }
});

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' }).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/\s+/));
  return processes
    .filter(([, ppid, command]) => Number(ppid) === parent && command?.startsWith('node'))
    .map(([pid]) => Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}
