import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { markTypeUrl } from '../../../../agent/xds/resources.ts';
import { formatHostPort } from '../../../../process/host-port.ts';
import { markOf, response } from '../xds/mesh-fixture.ts';
import { FakeServer } from './fake-server.ts';

/** An agent as its own process; its log lines are what the test waits for. */
class AgentProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly ended: Promise<unknown[]>;

  constructor(flags: object, command: readonly string[] = [], stdout: 'ignore' | 'pipe' = 'ignore') {
    const program = join(import.meta.dirname, 'agent-process.ts');
    const args = ['--import', 'tsx', program, JSON.stringify(flags), JSON.stringify(command)];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
    this.ended = once(this.#child, 'exit');
    if (this.#child.stderr === null) throw new Error('it has no standard error');
    this.#lines = createInterface({ input: this.#child.stderr })[Symbol.asyncIterator]();
  }

  /** The next log line with this message. */
  async said(message: RegExp): Promise<Record<string, unknown>> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`the agent ended without saying ${message}`);
      const line: unknown = JSON.parse(value);
      if (isRecord(line) && message.test(String(line.msg))) return line;
    }
  }

  get stdout(): Readable {
    if (this.#child.stdout === null) throw new Error('it has no standard output');
    return this.#child.stdout;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async exitCode(): Promise<unknown> {
    return (await this.ended)[0];
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.ended;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

describe('an agent as a process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-process-'));
  let server: FakeServer;
  let agents: AgentProcess[];
  beforeEach(async () => {
    server = await new FakeServer().start();
    agents = [];
  });
  afterEach(async () => {
    for (const agent of agents) await agent.close();
    server.close();
  });
  after(() => rmSync(folder, { recursive: true }));

  function start(
    command: readonly string[] = [],
    flags: object = {},
    stdout: 'ignore' | 'pipe' = 'ignore',
  ): AgentProcess {
    const common = { service: 'web', id: `web-${agents.length}`, outbound: '127.0.0.1:0', admin: '127.0.0.1:0' };
    const stateDir = join(folder, String(Math.random()));
    const agent = new AgentProcess(
      { ...common, stateDir, server: formatHostPort(server.address), ...flags },
      command,
      stdout,
    );
    agents.push(agent);
    return agent;
  }

  async function applyRevision(): Promise<void> {
    await server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
    server.send(response(markTypeUrl, [markOf()]));
  }

  async function letDrain(): Promise<void> {
    await server.nextSession('drain');
    server.say({ drained: { pending: [] } });
  }

  it('says where it listens, in one line', async () => {
    const agent = start([], { app: '127.0.0.1:1', inbound: '127.0.0.1:0', upstream: 'reviews:9080=127.0.0.1:0' });
    const { outbound, inbound, admin, upstreams } = await agent.said(/^listening$/);
    const address = '127\\.0\\.0\\.1:[1-9]\\d*';
    expect(outbound).to.match(new RegExp(`^${address}$`));
    expect(admin).to.match(new RegExp(`^${address}$`));
    expect(inbound).to.have.length(1);
    expect(String(inbound)).to.match(new RegExp(`^${address}$`));
    expect(String(upstreams)).to.match(new RegExp(`^reviews:9080=${address}$`));
  });

  it('drains on SIGTERM and ends with 0', async () => {
    const agent = start();
    await applyRevision();
    await agent.said(/^ready/);
    agent.signal('SIGTERM');
    await letDrain();
    expect(await agent.exitCode()).to.equal(0);
  });

  it('ends at once on a second signal', async () => {
    const agent = start();
    await applyRevision();
    await agent.said(/^ready/);
    agent.signal('SIGTERM');
    await server.nextSession('drain');
    agent.signal('SIGTERM');
    expect(await agent.exitCode()).to.equal(143);
  });

  it('starts the application once the first revision is applied, and drains and ends with its exit code', async () => {
    const agent = start([process.execPath, '-e', 'process.exit(7)']);
    await server.nextSession('hello');
    await applyRevision();
    await agent.said(/^starting the application$/);
    await letDrain();
    expect(await agent.exitCode()).to.equal(7);
  });

  it('drains first, then passes the signal to the application, and ends with 128+n', async () => {
    const agent = start([process.execPath, '-e', 'setInterval(() => {}, 1000)']);
    await applyRevision();
    await agent.said(/^starting the application$/);
    agent.signal('SIGTERM');
    await letDrain();
    expect(await agent.exitCode()).to.equal(143);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`leaves nothing behind that the application's shell started, on ${signal}`, async () => {
      const file = join(folder, `pid-${signal}`);
      const agent = start(['sh', '-c', `sh -c 'echo $$ > ${file}; exec sleep 100'; true`]);
      await applyRevision();
      while (!existsSync(file) || readFileSync(file, 'utf8') === '')
        await new Promise((resolve) => setTimeout(resolve, 10));
      const pid = Number(readFileSync(file, 'utf8'));
      agent.signal(signal);
      await letDrain();
      await agent.exitCode();
      expect(existsSync(`/proc/${pid}/exe`)).to.equal(false);
    });
  }

  it('ends with 127 when there is no such command, and says which', async () => {
    const agent = start(['no-such-command-anywhere']);
    await applyRevision();
    expect((await agent.said(/^cannot start/)).msg).to.equal(
      'cannot start the application "no-such-command-anywhere": there is no such command (ENOENT)',
    );
    await letDrain();
    expect(await agent.exitCode()).to.equal(127);
  });

  describe('with an access log', () => {
    /** The status of a request that names nobody: the agent needs no server for that. */
    async function askAt(address: string, path: string): Promise<number | undefined> {
      const asked = request(`http://${address}${path}`, { headers: { host: '@' }, agent: false }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    }

    it('writes it to its standard output, all of it before it ends', async () => {
      const agent = start([], { accessLog: '-' }, 'pipe');
      await applyRevision();
      const { outbound } = await agent.said(/^listening$/);
      expect(await askAt(String(outbound), '/x')).to.equal(400);
      agent.signal('SIGTERM');
      await letDrain();
      const lines = (await text(agent.stdout)).split('\n').slice(0, -1);
      expect(lines.map((line) => JSON.parse(line).path)).to.deep.equal(['/x']);
      expect(await agent.exitCode()).to.equal(0);
    });

    it('goes on, and ends in time, when nobody reads its standard output', async () => {
      const agent = start([], { accessLog: '-' }, 'pipe');
      await applyRevision();
      const { outbound } = await agent.said(/^listening$/);
      const path = `/${'x'.repeat(2_000)}`;
      for (let n = 0; n < 400; n++) expect(await askAt(String(outbound), path)).to.equal(400);
      agent.signal('SIGTERM');
      await letDrain();
      expect(await agent.exitCode()).to.equal(0);
    });

    it('opens its file again on SIGUSR1', async () => {
      const accessLog = join(folder, 'access.log');
      const agent = start([], { accessLog });
      await applyRevision();
      const { outbound } = await agent.said(/^listening$/);
      await askAt(String(outbound), '/one');
      while (readFileSync(accessLog, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 10));
      renameSync(accessLog, `${accessLog}.1`);
      agent.signal('SIGUSR1');
      while (!existsSync(accessLog)) await new Promise((resolve) => setTimeout(resolve, 10));
      await askAt(String(outbound), '/two');
      agent.signal('SIGTERM');
      await letDrain();
      expect(await agent.exitCode()).to.equal(0);
      const paths = [`${accessLog}.1`, accessLog].map((file) => JSON.parse(readFileSync(file, 'utf8')).path);
      expect(paths).to.deep.equal(['/one', '/two']);
    });

    it('that cannot be opened says so and ends with 1', async () => {
      const agent = start([], { accessLog: folder });
      expect((await agent.said(/^cannot start/)).msg).to.match(/^cannot start: --access-log: EISDIR/);
      expect(await agent.exitCode()).to.equal(1);
    });
  });

  it('that cannot listen says so and ends with 1', async () => {
    const agent = start([], { outbound: formatHostPort(server.address) });
    expect((await agent.said(/^cannot start/)).msg).to.match(/cannot start: .*EADDRINUSE/);
    expect(await agent.exitCode()).to.equal(1);
  });
});
