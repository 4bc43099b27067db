import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { canary } from '../dashboard-api/api-under-test.ts';
import { CliUnderTest } from './cli-under-test.ts';

const top = new URL('../../../', import.meta.url).pathname;

/** The command as the operator's shell starts it, from source. */
function sluice(args: readonly string[], options: { shell?: string; api?: string } = {}): ChildProcess {
  const { shell = '', api = '' } = options;
  const command = `"${process.execPath}" --import tsx cli/main.ts ${args.join(' ')} ${shell}`;
  return spawn('bash', ['-o', 'pipefail', '-c', command], { cwd: top, env: { ...process.env, SLUICE_API: api } });
}

async function ended(child: ChildProcess): Promise<{ code: number; out: string; err: string }> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('started without pipes');
  const [out, err, [code]] = await Promise.all([text(stdout), text(stderr), once(child, 'close')]);
  return { code, out, err };
}

describe('sluice as a process', () => {
  const cli = new CliUnderTest();
  before(() => cli.start());
  after(() => cli.stop());

  it('applies what comes on standard input and exits 0', async () => {
    const child = sluice(['apply', '-f', '-'], { api: cli.url });
    child.stdin?.end(canary(10));
    expect(await ended(child)).to.deep.include({ code: 0, err: '' });
  });

  it('exits 1 and writes to standard error alone when it is refused', async () => {
    const child = sluice(['apply', '-f', '-'], { api: cli.url });
    child.stdin?.end('kind: Nothing');
    const { code, out, err } = await ended(child);
    expect([code, out]).to.deep.equal([1, '']);
    expect(err).to.contain('stdin:1:');
  });

  it('ends quietly when nobody reads on', async () => {
    const { code, out, err } = await ended(sluice(['schema'], { shell: '| head -c 1' }));
    expect({ code, out, err }).to.deep.equal({ code: 0, out: '{', err: '' });
  });

  it('writes long answers whole', async () => {
    const { out } = await ended(sluice(['schema'], { shell: '| (sleep 0.3; cat)' }));
    expect(JSON.parse(out)).to.have.property('title');
  });

  it('ends at Ctrl-C while it waits', async () => {
    cli.fake.setAgent({ id: 'web-1', state: 'pending' });
    const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'apply', '--wait=1h', '-f', '-'], {
      cwd: top,
      env: { ...process.env, SLUICE_API: cli.url },
    });
    child.stdin.end(canary(20));
    while (cli.fake.waits === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGINT');
    expect((await ended(child)).code).to.equal(130);
  });

  for (const { args, code } of [
    { args: ['apply', '--nonsense'], code: 2 },
    { args: ['server', '--http', 'nonsense'], code: 2 },
    { args: ['get', 'routes', '--api', 'http://127.0.0.1:2'], code: 1 },
  ]) {
    it(`exits ${code} after ${args.join(' ')}`, async () => {
      const ran = await ended(sluice(args));
      expect(ran.code).to.equal(code);
      expect(ran.err).to.not.contain('    at ');
    });
  }

  it('gives an agent’s application its own flags', async () => {
    const { code, err } = await ended(sluice(['agent', '--id', '/', '--', 'node', '--version', '-o', 'x']));
    expect(code).to.equal(2);
    expect(err).to.contain('--service').and.to.contain('--id').and.not.to.contain('-o');
  });
});
