/** Real processes: an agent with workers, of which some are stopped or killed, and the agent itself. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import { type AgentProcess, Processes, runSluice, type ServerProcess, startAgent } from '../support/processes.ts';
import { startReviewsMesh } from '../support/reviews-mesh.ts';
import { Traffic } from '../support/traffic.ts';

interface Stats {
  readonly workers: readonly {
    readonly worker: number;
    readonly pid: number | null;
    readonly state: string;
    readonly connections: number;
    readonly rss: number;
    readonly restarts: number;
  }[];
  readonly traffic: { readonly outbound: { readonly requests: number } };
}

const route = (v1: number, v2: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: ${v1} }, { subset: v2, weight: ${v2} } ] } ] }
`;

const isRunning = (pid: number) => existsSync(`/proc/${pid}`) && stateOf(pid) !== 'Z';

/** proc(5): `PID (NAME) STATE PARENT …`. */
function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function stateOf(pid: number): string | undefined {
  return fieldsOf(pid)[0];
}

/** All that this process has started and not asked about yet, by state. */
function childrenOf(parent: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [state = '', of] = fieldsOf(Number(name));
        return Number(of) === parent ? [state] : [];
      } catch {
        return [];
      }
    });
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('an agent with workers, as real processes', () => {
  const processes = new Processes();
  let server: ServerProcess;
  /** Another one for each test, under a name of its own: it is stopped and killed. */
  let web: AgentProcess;
  let id: string;
  let agents = 0;
  let clients: Traffic[];

  before(async () => {
    ({ server } = await startReviewsMesh(processes));
  });
  after(() => processes.close());

  beforeEach(async () => {
    clients = [];
    id = `workers-${++agents}`;
    web = await startAgent(processes, { server, args: ['--service', 'web', '--id', id, '--workers', '3'] });
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    // In order: one that just goes would be waited for by the applies of the next test.
    if (web.process.isRunning) await web.process.end();
  });

  const stats = async () => (await (await fetch(`http://${web.admin}/stats`)).json()) as Stats;

  const pids = async () => (await stats()).workers.flatMap(({ pid }) => pid ?? []);

  const apply = (text: string, wait = '10s') =>
    runSluice(processes, ['apply', '-f', '-', `--wait=${wait}`, '--api', server.api], { input: text });

  /** Each with a connection that is open. */
  async function connect(count: number): Promise<Traffic[]> {
    clients = Array.from({ length: count }, () => new Traffic(web.outbound, 1));
    for (const client of clients) await client.get();
    return clients;
  }

  it('keep an apply waiting, by the name of the agent, until the last worker uses it', async () => {
    await connect(3);
    const [, stopped = 0] = await pids();
    process.kill(stopped, 'SIGSTOP');
    const { code, stdout, stderr } = await apply(route(1, 0), '1s');
    expect(code, stderr).to.equal(3);
    expect(stdout).to.match(new RegExp(`pending +${id}: `));
    process.kill(stopped, 'SIGCONT');
    expect((await apply(route(1, 0))).code).to.equal(0);
    expect(await Promise.all(clients.map((client) => client.get()))).to.deep.equal(['v1', 'v1', 'v1']);
    expect((await stats()).workers.map(({ restarts }) => restarts)).to.deep.equal([0, 0, 0]);
  });

  it('lose only the connections of a worker that is killed, and replace it by one that knows the present rules', async () => {
    await apply(route(1, 0));
    await connect(12);
    const { workers, traffic } = await stats();
    expect(workers.map(({ connections }) => connections)).to.deep.equal([4, 4, 4]);
    for (const { rss } of workers) expect(rss, 'memory').to.be.above(20e6);
    for (const client of clients) client.start();
    const killed = workers[0]?.pid ?? 0;
    process.kill(killed, 'SIGKILL');
    const { code, stdout } = await apply(route(0, 1));
    expect(code, stdout).to.equal(0);
    await until(async () => (await stats()).workers.every(({ state }) => state === 'serving'));
    for (const client of clients) client.versions.length = 0;
    await until(() => clients.every(({ versions }) => versions.length > 20));
    await Promise.all(clients.map((client) => client.stop()));

    const hit = clients.filter(({ failures }) => failures.length > 0);
    expect(hit.length).to.be.within(1, 4);
    expect(hit.flatMap(({ failures }) => failures)).to.have.lengthOf(hit.length);
    expect(new Set(clients.flatMap(({ versions }) => versions))).to.deep.equal(new Set(['v2']));
    const { workers: after, traffic: inTheEnd } = await stats();
    const answered = clients.reduce((sum, { versions }) => sum + versions.length, 0);
    expect(inTheEnd.outbound.requests, 'what it did still counts').to.be.at.least(traffic.outbound.requests + answered);
    expect(after.map(({ restarts }) => restarts)).to.deep.equal([1, 0, 0]);
    expect(after[0]?.pid).not.to.equal(killed);
    expect(childrenOf(web.process.pid), 'no zombie').to.have.lengthOf(3).and.not.include('Z');

    const fresh = await Promise.all([1, 2, 3, 4, 5, 6].map(() => new Traffic(web.outbound, 1).get()));
    expect(fresh).to.deep.equal(fresh.map(() => 'v2'));
  });

  it('carry all requests of new connections while a worker is stopped', async () => {
    const [stopped = 0] = await pids();
    process.kill(stopped, 'SIGSTOP');
    const answers = Array.from({ length: 20 }, () => ask({ at: web.outbound, host: 'reviews' }));
    let answered = 0;
    for (const answer of answers) void answer.then(() => answered++);
    // One connection was on its way to the worker that is stopped.
    await until(() => answered === 19);
    process.kill(stopped, 'SIGCONT');
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
  });

  it('end with the agent, which ends in order', async () => {
    const workers = await pids();
    await connect(3);
    expect(await web.process.end('SIGTERM')).to.deep.equal({ code: 0, signal: null });
    expect(workers.filter(isRunning)).to.deep.equal([]);
  });

  it('do not end by a signal that is meant for the agent, but with it: Ctrl-C comes to all of them', async () => {
    const workers = await pids();
    for (const pid of [...workers, web.process.pid]) process.kill(pid, 'SIGINT');
    expect(await web.process.ended).to.deep.equal({ code: 0, signal: null });
    expect(workers.filter(isRunning)).to.deep.equal([]);
  });

  it('open no debugger to the machine when somebody who rotates logs signals them', async () => {
    for (const pid of [...(await pids()), web.process.pid]) process.kill(pid, 'SIGUSR1');
    await connect(3);
    await web.process.end('SIGTERM');
    expect(web.process.stderr).not.to.include('Debugger');
  });

  it('end at once when the agent is told twice', async () => {
    const workers = await pids();
    // It cannot drain as long as the server does not answer.
    server.process.signal('SIGSTOP');
    web.process.signal('SIGTERM');
    await web.process.logged('draining');
    web.process.signal('SIGTERM');
    expect((await web.process.ended).code).to.equal(143);
    await until(() => !workers.some(isRunning));
    server.process.signal('SIGCONT');
  });

  describe('of a main process that is killed', () => {
    let slow: Server;
    let arrived: Promise<ServerResponse>;
    beforeEach(async () => {
      slow = createServer();
      arrived = once(slow, 'request').then(([, response]) => response);
      slow.listen(0, '127.0.0.1');
      await once(slow, 'listening');
      const { port } = slow.address() as AddressInfo;
      await fetch(`${server.api}/api/v1/services/slow/instances/slow-1`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ address: '127.0.0.1', port }),
      });
    });
    afterEach(() => {
      slow.close();
      slow.closeAllConnections();
    });

    it('finish what is under way, and end', async () => {
      const workers = await pids();
      const asked = ask({ at: web.outbound, host: 'slow' });
      const response = await arrived;
      web.process.signal('SIGKILL');
      const failure = () => ask({ at: web.outbound, host: 'nobody' }).then(String, ({ code }) => String(code));
      await until(async () => (await failure()) === 'ECONNREFUSED');
      // The others have nothing to do any more.
      await until(() => workers.filter(isRunning).length === 1);
      response.end('late, but there');
      expect((await asked).body).to.equal('late, but there');
      await until(() => !workers.some(isRunning));
    });
  });
});
