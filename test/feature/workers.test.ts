/** An agent with workers is one agent: one port, one word on what is applied, one set of numbers. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { formatHostPort } from '../../process/host-port.ts';
import { ask } from '../support/ask.ts';
import { type Caller, type Mesh, route, startMesh } from '../support/start-mesh.ts';

interface Stats {
  readonly workers: readonly { readonly worker: number; readonly pid: number; readonly connections: number }[];
  readonly traffic: Readonly<
    Record<string, { readonly requests: number; readonly active: number; readonly clusters: Record<string, object> }>
  >;
}

/** A client of one connection, so of one worker. */
class Client {
  readonly #at: string;
  readonly #host: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(at: string, host: string) {
    this.#at = at;
    this.#host = host;
  }

  async get(): Promise<string> {
    const { status, body } = await ask({ at: this.#at, host: this.#host, agent: this.#agent });
    return status === 200 ? body : `${status} ${body}`;
  }

  /** How often each answer came. */
  async count(times: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let index = 0; index < times; index++) {
      const answer = await this.get();
      counts[answer] = (counts[answer] ?? 0) + 1;
    }
    return counts;
  }

  close(): void {
    this.#agent.destroy();
  }
}

describe('an agent with workers', () => {
  let mesh: Mesh;
  let web: Caller;
  let clients: Client[];

  before(async () => {
    mesh = await startMesh();
    for (const version of ['v1', 'v2']) await mesh.startInstance('reviews', version);
    web = await mesh.startCaller('web', 'web-1', { workers: 3, upstream: ['reviews=127.0.0.1:0'] });
  });

  beforeEach(() => {
    clients = [];
  });

  afterEach(() => {
    for (const client of clients) client.close();
  });

  after(() => mesh.close());

  const admin = async <T>(path: string): Promise<T> =>
    (await (await fetch(`http://${formatHostPort(web.agent.addresses.admin)}${path}`)).json()) as T;

  /** As many connections as there are workers: one each. */
  async function clientOfEach(host = 'reviews'): Promise<Client[]> {
    // Those of the test before have ended when the workers have seen so.
    await mesh.until(async () => (await admin<Stats>('/stats')).workers.every(({ connections }) => connections === 0));
    clients = [1, 2, 3].map(() => new Client(formatHostPort(web.agent.addresses.outbound), host));
    for (const client of clients) await client.get();
    const { workers } = await admin<Stats>('/stats');
    expect(workers.map(({ connections }) => connections)).to.deep.equal([1, 1, 1]);
    return clients;
  }

  it('shares its ports among them, also those that it was free to choose', async () => {
    const { outbound, upstreams } = web.agent.addresses;
    const [reviews] = upstreams;
    expect(outbound.port).to.be.above(0);
    for (const at of [outbound, reviews?.address ?? expect.fail('an upstream port')]) {
      for (let times = 0; times < 6; times++) {
        const { status } = await ask({ at: formatHostPort(at), host: 'reviews' });
        expect(status).to.equal(200);
      }
    }
  });

  it('uses a revision in all of them when the apply that waits returns', async () => {
    const all = await clientOfEach();
    for (const version of ['v1', 'v2', 'v1', 'v2']) {
      const { body } = await mesh.apply(route('reviews', { [version]: 1 }));
      expect(body.rollout).to.include({ agents: 1, applied: 1 });
      expect(await Promise.all(all.map((client) => client.get()))).to.deep.equal(
        [1, 2, 3].map(() => `reviews ${version}`),
      );
    }
  });

  it('splits exactly in each of them', async () => {
    await mesh.apply(route('reviews', { v1: 90, v2: 10 }));
    for (const client of await clientOfEach()) {
      const { 'reviews v1': v1 = 0, 'reviews v2': v2 = 0 } = await client.count(200);
      expect(v1 + v2).to.equal(200);
      expect(v2).to.be.within(19, 21);
    }
  });

  it('adds up what they did', async () => {
    const requestsOf = async () => (await admin<Stats>('/stats')).traffic.outbound?.requests ?? 0;
    const before = await requestsOf();
    for (const [index, client] of (await clientOfEach()).entries()) await client.count(10 * (index + 1) - 1);
    expect((await requestsOf()) - before).to.equal(60);
    const metrics = await (await fetch(`http://${formatHostPort(web.agent.addresses.admin)}/metrics`)).text();
    expect(metrics).to.contain(`sluice_agent_requests_total{listener="outbound"} ${before + 60}\n`);
    expect(metrics).to.contain('sluice_agent_workers 3\n');
    const clusters = await admin<{ name: string; active: { connections: number } }[]>('/clusters');
    const v1 = clusters.find(({ name }) => name === 'reviews.default|http|v1');
    expect(v1?.active.connections, 'each worker has its own connections').to.be.at.least(3);
  });

  it('asks for a new name in whichever of them it is said', async () => {
    await mesh.startInstance('ratings', 'v1');
    const { outbound } = web.agent.addresses;
    const answers = await Promise.all(
      ['ratings', 'ratings', 'nobody', 'ratings'].map((host) => ask({ at: formatHostPort(outbound), host })),
    );
    expect(answers.map(({ status, body }) => (status === 200 ? body : status))).to.deep.equal([
      'ratings v1',
      'ratings v1',
      404,
      'ratings v1',
    ]);
  });

  it('takes a burst of connections in all of them', async () => {
    const { outbound } = web.agent.addresses;
    const sockets = await Promise.all(
      Array.from(
        { length: 30 },
        () =>
          new Promise<ReturnType<typeof connect>>((resolve) => {
            const socket = connect(outbound, () => socket.write('GET / HTTP/1.1\r\nhost: reviews\r\n\r\n'));
            socket.once('data', () => resolve(socket));
          }),
      ),
    );
    const { workers } = await admin<Stats>('/stats');
    expect(workers.reduce((sum, { connections }) => sum + connections, 0)).to.equal(30);
    for (const { connections } of workers) expect(connections).to.be.within(7, 13);
    for (const socket of sockets) socket.destroy();
    await mesh.until(async () => (await admin<Stats>('/stats')).workers.every(({ connections }) => connections === 0));
  });

  it('goes by what the main process has found of instances', async () => {
    await mesh.startInstance('checked', 'v1');
    const { app } = await mesh.startInstance('checked', 'v2', 'checked-v2');
    app.onRequest = (request, response) => {
      response.statusCode = request.url === '/health' ? 500 : 200;
      response.end('checked v2');
    };
    await mesh.apply(`
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: checked }
spec:
  service: checked
  healthCheck: { http: { path: /health }, interval: 1s, timeout: 500ms, unhealthyThreshold: 1, healthyThreshold: 1 }
`);
    interface Dump {
      readonly name: string;
      readonly instances: readonly { readonly instance: string; readonly check: string | null }[];
    }
    const checks = async () =>
      (await admin<Dump[]>('/clusters'))
        .filter(({ name }) => name === 'checked.default|http|')
        .flatMap(({ instances }) => instances.map(({ check }) => check));
    const all = await clientOfEach('checked');
    await mesh.until(async () => (await checks()).join() === 'passing,failing');
    const before = app.requests;
    const answers = await Promise.all(all.map((client) => client.count(4)));
    expect(answers).to.deep.equal([1, 2, 3].map(() => ({ 'checked v1': 4 })));
    // Three workers and one main process: it is checked once in a second, not three times.
    expect(app.requests - before).to.be.below(3);
  });
});

describe('the access log of an agent with workers', () => {
  let mesh: Mesh;
  beforeEach(async () => {
    mesh = await startMesh();
  });
  afterEach(() => mesh.close());

  it('has a line for each request, whoever carried it, also after its file was moved away', async () => {
    await mesh.startInstance('reviews', 'v1');
    const file = join(mesh.folder, 'access.log');
    const web = await mesh.startCaller('web', 'web-1', { workers: 3, accessLog: file });
    await web.count(3, 'reviews');
    const clients = Array.from(
      { length: 6 },
      () => new Client(formatHostPort(web.agent.addresses.outbound), 'reviews'),
    );
    const written = async () => {
      const stats = await fetch(`http://${formatHostPort(web.agent.addresses.admin)}/stats`);
      return ((await stats.json()) as { accessLog: { written: number } }).accessLog.written;
    };
    await Promise.all(clients.map((client) => client.count(10)));
    await mesh.until(async () => (await written()) === 63);
    renameSync(file, `${file}.1`);
    web.agent.reopenAccessLog();
    await mesh.until(async () => existsSync(file));
    await Promise.all(clients.map((client) => client.count(10)));
    await mesh.until(async () => (await written()) === 123);
    for (const client of clients) client.close();
    const lines = [`${file}.1`, file].map((path) => readFileSync(path, 'utf8').trimEnd().split('\n'));
    expect(lines.flat().map((line) => JSON.parse(line).status)).to.deep.equal(Array(123).fill(200));
    expect(lines.map(({ length }) => length > 0)).to.deep.equal([true, true]);
  });
});

describe('an agent with workers beside an application', () => {
  let mesh: Mesh;
  beforeEach(async () => {
    mesh = await startMesh();
  });
  afterEach(() => mesh.close());

  it('is one instance, tells soon when the application takes no connection, and drains as one', async () => {
    const web = await mesh.startCaller();
    const { app, port } = await mesh.startInstance('reviews', 'v1');
    const second = await mesh.startAgent({
      service: 'reviews',
      id: 'reviews-2',
      version: 'v2',
      app: [`127.0.0.1:${port}`],
      workers: 2,
    });
    await mesh.until(async () => (await mesh.instance('reviews', 'reviews-2'))?.state === 'passing');
    expect(await web.count(10, 'reviews')).to.deep.equal({ 'reviews v1': 10 });
    const inbound = (traffic: Stats['traffic']) => traffic.inbound?.requests;
    const stats = await fetch(`http://${formatHostPort(second.addresses.admin)}/stats`);
    expect(inbound(((await stats.json()) as Stats).traffic)).to.equal(5);

    await app.close();
    await mesh.until(async () => (await web.get('reviews')).status === 503);
    await mesh.until(async () => (await mesh.instance('reviews', 'reviews-2'))?.state === 'failing');

    await second.drain();
    await second.closeInbound();
    const refused = await ask({
      at: formatHostPort(second.addresses.inbound[0]?.address ?? expect.fail('inbound')),
    }).catch(({ code }: NodeJS.ErrnoException) => code);
    expect(refused).to.equal('ECONNREFUSED');
  });

  it('lets a request finish that is under way when it closes', async () => {
    const { app, agent } = await mesh.startInstance('reviews', 'v1', 'reviews-1', 'slow', { workers: 2 });
    let answer = () => {};
    const arrived = new Promise<void>((resolve) => {
      app.onRequest = (_request, response) => {
        answer = () => response.end('slow, but there');
        resolve();
      };
    });
    const [inbound] = agent.addresses.inbound;
    const asked = ask({ at: formatHostPort(inbound?.address ?? expect.fail('inbound')), host: 'reviews' });
    await arrived;
    const closed = agent.closeInbound();
    answer();
    expect((await asked).body).to.equal('slow, but there');
    await closed;
  });

  it('does not start when the access log cannot be opened', async () => {
    const failed = await mesh
      .startAgent({ service: 'shop', id: 'shop-1', accessLog: join(mesh.folder, 'missing', 'access.log'), workers: 2 })
      .catch((cause: Error) => cause.message);
    expect(failed).to.match(/^--access-log: .*ENOENT/);
  });

  it('does not start when a port is taken', async () => {
    const web = await mesh.startCaller();
    const taken = formatHostPort(web.agent.addresses.outbound);
    const failed = await mesh
      .startAgent({ service: 'shop', id: 'shop-1', outbound: taken, workers: 2 })
      .catch((cause: Error) => cause.message);
    expect(failed).to.contain('EADDRINUSE');
  });
});
