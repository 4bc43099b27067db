/** Real processes: one agent for several applications, which come, go and change while others have traffic. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import {
  findFreePorts,
  Processes,
  runSluice,
  type ServerProcess,
  startReviews,
  startServer,
} from '../support/processes.ts';
import { SharedAgentProcess } from '../support/shared-agent.ts';
import { Traffic } from '../support/traffic.ts';

interface EntryStats {
  readonly traffic: {
    readonly outbound: { readonly requests: number; readonly connections: { readonly accepted: number } };
  };
}

const reviews = (version: string, app: string, more = '') =>
  `{ service: reviews, id: reviews-${version}, version: ${version}, app: "${app}"${more} }`;
const web = (id: string, more = '') => `{ service: web, id: ${id}${more} }`;

describe('an agent of several applications, as a real process', () => {
  const processes = new Processes();
  let server: ServerProcess;
  let agent: SharedAgentProcess;
  let apps: { readonly v1: string; readonly v2: string };
  let accessLog: string;
  /** With two instances and a caller. */
  let three: readonly string[];

  interface Known {
    readonly id: string;
    readonly service: string;
    readonly state: string;
    readonly labels: object;
  }

  /** Of the REST API; none when there is no such thing. */
  async function list(path: string): Promise<readonly Known[]> {
    const response = await fetch(`${server.api}/api/v1/${path}`);
    const { items = [] }: { items?: Known[] } = JSON.parse(await response.text());
    return items;
  }

  async function instances(service = 'reviews'): Promise<Record<string, string>> {
    const items = await list(`services/${service}/instances`);
    return Object.fromEntries(items.map(({ id, state }) => [id, state]));
  }

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const passing = (...ids: string[]) =>
    until(async () => {
      const states = await instances();
      return Object.keys(states).length === ids.length && ids.every((id) => states[id] === 'passing');
    });

  const connectionsOf = async (entry: string) => {
    const { body } = await agent.ask<EntryStats>(`/stats?entry=${entry}`);
    return body.traffic.outbound.connections.accepted;
  };

  before(async () => {
    server = await startServer(processes);
    const [v1, v2] = await Promise.all(['v1', 'v2'].map((version) => startReviews(processes, { version })));
    apps = { v1: v1?.address ?? '', v2: v2?.address ?? '' };
    three = [reviews('v1', apps.v1), reviews('v2', apps.v2), web('web-1')];
    accessLog = join(processes.folder, 'access.jsonl');
    agent = await SharedAgentProcess.start(processes, { server, entries: three, flags: ['--access-log', accessLog] });
    await passing('reviews-v1', 'reviews-v2');
  });
  after(() => processes.close());

  it('is an agent of its own for each, under one admin port', async () => {
    const items = await list('agents');
    expect(items.map(({ id, service }) => `${id} ${service}`).sort()).to.deep.equal([
      'reviews-v1 reviews',
      'reviews-v2 reviews',
      'web-1 web',
    ]);

    const { outbound } = agent.addressesOf('web-1');
    for (let n = 0; n < 4; n++) expect((await ask({ at: outbound, host: 'reviews' })).status).to.equal(200);
    const ready = await agent.ask<{ ready: boolean; entries: Record<string, unknown> }>('/ready');
    expect(ready.status).to.equal(200);
    expect(Object.keys(ready.body.entries)).to.deep.equal(['reviews-v1', 'reviews-v2', 'web-1']);
    const metrics = await (await fetch(`http://${agent.admin}/metrics`)).text();
    expect(metrics).to.contain('sluice_agent_requests_total{entry="web-1",listener="outbound"} 4\n');
    for (const entry of ['reviews-v1', 'reviews-v2']) {
      expect(metrics).to.contain(`sluice_agent_requests_total{entry="${entry}",listener="inbound"} 2\n`);
    }

    const logged = () =>
      readFileSync(accessLog, 'utf8')
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    await until(async () => logged().length >= 8);
    expect(
      logged()
        .map(({ entry, listener }) => `${entry} ${listener}`)
        .sort(),
    ).to.deep.equal([
      ...Array(2).fill('reviews-v1 inbound'),
      ...Array(2).fill('reviews-v2 inbound'),
      ...Array(4).fill('web-1 outbound'),
    ]);

    const body = JSON.stringify({ host: 'reviews', path: '/' });
    expect(await agent.ask('/explain', { method: 'POST', body })).to.deep.equal({
      status: 400,
      body: {
        status: 400,
        error: 'this is about one entry of the agent: name it by ?entry=ID; there are reviews-v1, reviews-v2, web-1',
      },
    });
    const explained = await agent.ask<{ outcome: string }>('/explain?entry=web-1', { method: 'POST', body });
    expect(explained.body.outcome).to.equal('forwarded');
    expect((await agent.ask('/stats?entry=web-2')).status).to.equal(404);
  });

  it('takes entries in and lets them go without the others noticing', async () => {
    const { outbound } = agent.addressesOf('web-1');
    const traffic = new Traffic(outbound, 2);
    traffic.start();
    await until(async () => traffic.versions.length > 10);
    const before = await connectionsOf('web-1');

    const { added } = await agent.change([...three, web('web-2')]);
    expect(added).to.deep.equal(['web-2']);
    expect((await ask({ at: agent.addressesOf('web-2').outbound, host: 'reviews' })).status).to.equal(200);

    // Without a signal: the file is looked at.
    const { removed } = await agent.says('entries have changed', () =>
      agent.replaceFile([reviews('v1', apps.v1), web('web-1')]),
    );
    expect(removed).to.deep.equal(['reviews-v2', 'web-2']);
    await passing('reviews-v1');
    const ended = () => agent.process.log.filter(({ msg }) => msg === 'the entry has ended').length;
    await agent.process.until('end two entries', () => (ended() === 2 ? true : undefined));
    traffic.versions.length = 0;
    await until(async () => traffic.versions.length > 10);
    await traffic.stop();

    expect(traffic.failures).to.deep.equal([]);
    expect(new Set(traffic.versions)).to.deep.equal(new Set(['v1']));
    expect(await connectionsOf('web-1')).to.equal(before);
    expect((await agent.ask<{ entries: object }>('/ready')).body.entries).to.have.all.keys('reviews-v1', 'web-1');
  });

  it('goes on with the entries that it has when the file cannot be used, and says all that is wrong', async () => {
    const broken = `entries:\n  - ${web('web-1')}\n  - ${web('web-1', ', wrong: 1')}\n  - { version: v1 }\n`;
    const { problems } = await agent.says('the settings cannot be used: the entries go on as they are', () =>
      agent.replaceFile(broken),
    );
    expect(
      String(problems)
        .replaceAll(agent.file, 'agent.yaml')
        .split(/,(?=agent)/),
    ).to.satisfy((lines: string[]) =>
      [
        'entries[1].wrong: is no setting',
        '"web-1" is entries[0].id as well',
        'entries[2].service: must be given',
      ].every((sentence) => lines.some((line) => line.startsWith('agent.yaml:') && line.includes(sentence))),
    );
    expect(await instances()).to.deep.equal({ 'reviews-v1': 'passing' });
    await agent.says('no entry has changed', () => agent.replaceFile([reviews('v1', apps.v1), web('web-1')]));
  });

  it('puts a changed entry in the place of the one before, at the same ports and under the same name', async () => {
    const [outboundPort, inboundPort] = await findFreePorts(2);
    const ports = `, outbound: 127.0.0.1:${outboundPort}, inbound: 127.0.0.1:${inboundPort}`;
    const entries = (version: string) => [
      `{ service: reviews, id: reviews-1, version: ${version}, app: "${apps.v1}"${ports} }`,
      web('web-1'),
    ];
    await agent.change(entries('v1'));
    await passing('reviews-1');
    const clients = [`127.0.0.1:${outboundPort}`, agent.addressesOf('web-1').outbound].map((at) => new Traffic(at, 2));
    for (const client of clients) client.start();
    await until(async () => clients.every(({ versions }) => versions.length > 5));
    for (const version of ['v2', 'v3']) {
      const { changed } = await agent.change(entries(version));
      expect(changed).to.deep.equal(['reviews-1']);
      for (const client of clients) client.versions.length = 0;
      await until(async () => clients.every(({ versions }) => versions.length > 20));
    }
    await Promise.all(clients.map((client) => client.stop()));
    expect(clients.flatMap(({ failures }) => failures)).to.deep.equal([]);
    const items = await list('services/reviews/instances');
    expect(items.map(({ id, state, labels }) => ({ id, state, labels }))).to.deep.equal([
      { id: 'reviews-1', state: 'passing', labels: { version: 'v3' } },
    ]);
  });

  describe('of which one is overloaded', () => {
    let app: Server;
    let held: ServerResponse[];
    let sockets: Socket[];
    before(async () => {
      held = [];
      sockets = [];
      app = createServer((_request, response) => void held.push(response)).listen(0, '127.0.0.1');
      await once(app, 'listening');
      const { port } = app.address() as AddressInfo;
      const slow = `{ service: slow, id: slow-1, app: "127.0.0.1:${port}" }`;
      const busy = web('busy', ', max-connections: 300, max-requests: 200, max-pending-requests: 200');
      await agent.change([...three, slow, busy]);
      await until(async () => (await instances('slow'))['slow-1'] === 'passing');
    });
    after(() => {
      for (const socket of sockets) socket.destroy();
      app.close();
      app.closeAllConnections();
    });

    /** So many requests of another application, which all have to be answered. */
    async function expectOthersServed(): Promise<void> {
      const kept = new Agent({ keepAlive: true, maxSockets: 4 });
      const { outbound } = agent.addressesOf('web-1');
      const answers = Array.from({ length: 100 }, () => ask({ at: outbound, host: 'reviews', agent: kept }));
      expect(new Set((await Promise.all(answers)).map(({ status }) => status))).to.deep.equal(new Set([200]));
      kept.destroy();
    }

    it('refuses what is beyond its limit of requests, and serves the others', async () => {
      const { outbound } = agent.addressesOf('busy');
      const answers = Array.from({ length: 250 }, () => ask({ at: outbound, host: 'slow' }));
      const refused: unknown[] = [];
      for (const answer of answers) {
        void answer.then(({ status, headers }) => {
          if (status !== 200) refused.push(`${status} ${headers['x-sluice-reason']}`);
        });
      }
      await until(async () => held.length === 200 && refused.length === 50);
      expect(new Set(refused)).to.deep.equal(new Set(['503 overflow']));
      await expectOthersServed();
      for (const response of held) response.end('done');
      await Promise.all(answers);
      expect((await ask({ at: outbound, host: 'reviews' })).status).to.equal(200);
    });

    it('closes the connections that are beyond its limit, thousands of them, and serves the others', async () => {
      const { outbound } = agent.addressesOf('busy');
      const [, port] = outbound.split(':');
      let closed = 0;
      for (let n = 0; n < 3_000; n++) {
        const socket = connect({ host: '127.0.0.1', port: Number(port) });
        socket.on('error', () => {}).once('close', () => closed++);
        sockets.push(socket);
      }
      await until(async () => closed === 2_700);
      await expectOthersServed();
      const { body } = await agent.ask<{ limits: { outbound: object } }>('/stats?entry=busy');
      expect(body.limits.outbound).to.deep.equal({
        maxConnections: 300,
        maxRequests: 200,
        maxPendingRequests: 200,
        active: { connections: 300, requests: 0, pending: 0 },
        overflow: { connectionOverflow: 2_700, requestOverflow: 50, pendingOverflow: 0 },
      });
    });
  });

  describe('at its end', () => {
    it('starts no application', async () => {
      const args = ['agent', '--config', agent.file, '--', 'true'];
      const { code, stderr } = await runSluice(processes, args);
      expect({ code, stderr }).to.deep.equal({
        code: 2,
        stderr:
          'error: agent: a command after -- goes with one application: those of the entries of a file are started by somebody else\n',
      });
    });

    it('ends all of them in order, also those that have just been changed', async () => {
      const changed = [reviews('v1', apps.v1, ', zone: z9'), reviews('v2', apps.v2, ', zone: z9'), web('web-1')];
      await agent.says('entries have changed', () => {
        agent.replaceFile(changed);
        agent.process.signal('SIGHUP');
      });
      expect(await agent.process.end()).to.deep.equal({ code: 0, signal: null });
      expect(await instances()).to.deep.equal({});
    });
  });
});
