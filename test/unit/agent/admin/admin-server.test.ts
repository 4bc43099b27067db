import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { type AdminServer, startAdmin } from '../../../../agent/admin/admin-server.ts';
import type { AgentReport } from '../../../../agent/admin/agent-report.ts';
import { dumpClusters, noPool } from '../../../../agent/admin/cluster-dump.ts';
import type { LookedAtMesh } from '../../../../agent/admin/explain-request.ts';
import { readinessOf } from '../../../../agent/admin/readiness.ts';
import { createStatistics } from '../../../../agent/telemetry/statistics.ts';
import { formatProblem } from '../../../../model/problem.ts';
import { formatHostPort } from '../../../../process/host-port.ts';
import { readPrometheus } from '../../../support/prometheus.ts';
import { batchOf } from '../xds/mesh-fixture.ts';
import { identity, SessionHarness } from '../xds/session-harness.ts';

const connected: AgentReport['controlPlane'] = {
  server: '127.0.0.1:15010',
  condition: '',
  conditionDetail: '',
  registrations: 1,
  disconnections: 0,
  nacks: 0,
  lastNack: '',
  lastEnd: '',
};

function traffic() {
  const outbound = createStatistics(() => new Map());
  const ended = { durationMs: 3, isTunnel: false, bytesIn: 100, bytesOut: 1_000 };
  for (const counter of [
    outbound.total,
    outbound.route({ cluster: 'reviews.default|http|v1', rule: 'default/canary/all' }),
  ]) {
    counter.begin();
    counter.end({ ...ended, ending: 'passed', status: 200 });
  }
  outbound.total.begin();
  outbound.total.end({ ...ended, ending: 'no-route', status: 404 });
  return { outbound: { ...outbound.snapshot(), openConnections: 3 } };
}

function report(changes: Partial<AgentReport> = {}): AgentReport {
  const harness = new SessionHarness({ names: ['reviews.default'] });
  harness.start();
  harness.receive(...batchOf(['reviews.default'], { revision: 7 }));
  return {
    identity,
    app: 'passing',
    isDraining: false,
    startedFromLastGood: false,
    held: harness.held,
    view: harness.view,
    dns: undefined,
    names: ['reviews.default'],
    swaps: 1,
    controlPlane: connected,
    lastGood: { writes: 2, failures: 1 },
    fault: '',
    traffic: traffic(),
    clusters: dumpClusters(harness.view, () => ({ connections: 0, idle: 0, waiting: 0 })),
    memory: { rss: 60_000_000, heapUsed: 20_000_000 },
    accessLog: { written: 7, dropped: 0 },
    workers: [],
    droppedConnections: 0,
    ...changes,
  };
}

function meshOf({ view }: AgentReport): LookedAtMesh {
  return { view, obstacle: '', standingOf: () => undefined, namespace: 'default', poolOf: () => noPool };
}

describe('/ready', () => {
  for (const { name, changes, want } of [
    {
      name: 'yes after the first mark and the registration',
      changes: {},
      want: { ready: true, stale: false, reason: '' },
    },
    {
      name: 'no before the first mark',
      changes: { swaps: 0, controlPlane: { ...connected, lastEnd: 'cp:1: UNAVAILABLE: refused' } },
      want: { ready: false, stale: false, reason: 'there is no complete revision yet: cp:1: UNAVAILABLE: refused' },
    },
    {
      name: 'no with an application that is not registered',
      changes: { controlPlane: { ...connected, registrations: 0 } },
      want: {
        ready: false,
        stale: false,
        reason: 'the application is not registered yet: the control plane has not answered yet',
      },
    },
    {
      name: 'yes, but stale, when started from last-good',
      changes: { swaps: 0, startedFromLastGood: true },
      want: {
        ready: true,
        stale: true,
        reason: 'routes by revision 7 of its last run: the control plane has not answered yet',
      },
    },
    {
      name: 'yes and not stale any more after a mark',
      changes: { startedFromLastGood: true },
      want: { ready: true, stale: false, reason: '' },
    },
    {
      name: 'no when nobody carries requests, for whatever reason',
      changes: { fault: 'no worker is running' },
      want: { ready: false, stale: false, reason: 'no worker is running' },
    },
    {
      name: 'no while draining',
      changes: { isDraining: true },
      want: { ready: false, stale: false, reason: 'the agent is draining' },
    },
    {
      name: 'whether the application is up or not: that is the state of the instance',
      changes: { app: 'failing' as const },
      want: { ready: true, stale: false, reason: '' },
    },
  ]) {
    it(name, () => expect(readinessOf(report(changes))).to.deep.equal({ revision: 7, ...want }));
  }
});

describe('the admin server', () => {
  let server: AdminServer;
  let current: AgentReport;
  let drains: number;
  beforeEach(async () => {
    current = report();
    drains = 0;
    server = await startAdmin({
      listen: { host: '127.0.0.1', port: 0 },
      agents: {
        report: async () => current,
        readiness: () => readinessOf(current),
        mesh: () => meshOf(current),
        drain: async () => {
          drains += 1;
          current = report({ isDraining: true });
        },
      },
    });
  });
  afterEach(() => server.close());

  const get = (path: string, init?: RequestInit) => fetch(`http://${formatHostPort(server.address)}${path}`, init);

  const json = async (answer: Response | Promise<Response>) => JSON.parse(await (await answer).text());

  it('answers /ready with 200 or 503', async () => {
    expect((await get('/ready')).status).to.equal(200);
    current = report({ swaps: 0 });
    const answer = await get('/ready?verbose');
    expect({ status: answer.status, body: await json(answer) }).to.deep.include({ status: 503 });
  });

  it('shows every resource with its version in /config_dump, and the mesh and revision', async () => {
    const { clusters, endpoints, routeConfigurations, names, ...rest } = await json(get('/config_dump'));
    expect(rest).to.deep.equal({
      agent: identity,
      meshId: 'mesh-a',
      revision: 7,
      subscribed: ['reviews.default'],
      listeners: [],
    });
    expect(names).to.deep.equal([
      {
        name: 'reviews.default',
        version: current.held.tables.names.get('reviews.default')?.version,
        resource: { name: 'reviews.default', service: 'reviews.default', routeConfigurations: ['reviews.default:80'] },
      },
    ]);
    expect([clusters, endpoints, routeConfigurations].map((list) => list.length)).to.deep.equal([1, 1, 1]);
  });

  it('shows each cluster with its instances in /clusters', async () => {
    const [cluster] = await json(get('/clusters'));
    expect(cluster.name).to.equal('reviews.default|http|');
    expect(cluster.instances).to.have.length(1);
    expect(cluster.instances[0]).to.deep.include({ address: '127.0.0.1', port: 8080, activeRequests: 0 });
  });

  it('counts in /stats', async () => {
    const stats = await json(get('/stats'));
    expect(stats).to.deep.include({ revision: 7, app: 'passing', swaps: 1, lastGood: { writes: 2, failures: 1 } });
    expect(stats.traffic.outbound).to.deep.include({
      requests: 2,
      refused: { 'no-route': 1 },
      durations: { count: 2, seconds: 0.006, upTo: { '0.00390625': 2 } },
    });
  });

  it('counts in /metrics, in the format of Prometheus', async () => {
    const answer = await get('/metrics');
    expect(answer.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
    const page = await answer.text();
    const lines = page.split('\n');
    expect(lines).to.include.members([
      '# TYPE sluice_agent_requests_total counter',
      'sluice_agent_requests_total{listener="outbound"} 2',
      'sluice_agent_local_answers_total{listener="outbound",reason="no-route"} 1',
      'sluice_agent_cluster_requests_total{listener="outbound",cluster="reviews.default|http|v1"} 1',
      'sluice_agent_request_duration_seconds_bucket{listener="outbound",le="0.00390625"} 2',
      'sluice_agent_connections{listener="outbound"} 3',
      'sluice_agent_revision 7',
      'sluice_agent_connected 1',
      'sluice_agent_last_good_failures_total 1',
    ]);
    expect([...readPrometheus(page).keys()]).to.include('process_resident_memory_bytes');
  });

  const explain = (body: string) => get('/explain', { method: 'POST', body });

  it('says in /explain what becomes of a request', async () => {
    const answer = await explain('{"host": "reviews"}');
    const { outcome, service, destination } = await json(answer);
    expect([answer.status, outcome, service, destination.instances.length]).to.deep.equal([
      200,
      'forwarded',
      'reviews.default',
      1,
    ]);
  });

  it('says in /explain that other processes know better, when there are', async () => {
    const worker = { worker: 1, pid: 1, state: 'serving', connections: 0, rss: 0, restarts: 0 } as const;
    current = report({ workers: [worker, { ...worker, worker: 2 }] });
    expect((await json(explain('{"host": "reviews"}'))).notes[0]).to.match(/^2 processes carry requests/);
  });

  it('refuses in /explain what is no request, with every fault', async () => {
    const answer = await explain('{"method": "get it", "path": "x", "headers": {"a b": "1"}, "more": 1}');
    const { error, problems } = await json(answer);
    const want = [
      'method: must be an HTTP method in upper case, such as GET; found "get it"',
      'path: must begin with "/" or "http://"',
      'headers["a b"]: is no header name',
      'more: unknown field "more"; allowed here: method, host, service, path, headers, sourceAddress',
      'host: is missing, and there is no "service" instead',
    ];
    expect([answer.status, error, problems.map(formatProblem)]).to.deep.equal([400, want.join('; '), want]);
  });

  it('refuses in /explain a body that is too large, without reading all of it', async () => {
    const answer = await explain(`{"host": "reviews", "headers": {"x-a": "${'x'.repeat(300_000)}"}}`);
    expect([answer.status, (await json(answer)).error]).to.deep.equal([413, 'the body is larger than 131072 bytes']);
  });

  it('drains on POST /drain and answers when callers know', async () => {
    const answer = await get('/drain', { method: 'POST' });
    expect({ status: answer.status, drains }).to.deep.equal({ status: 200, drains: 1 });
    expect(await json(answer)).to.deep.include({ ready: false, reason: 'the agent is draining' });
  });

  /** As a browser sends it: `fetch` does not let us choose these headers. */
  async function send(method: string, path: string, headers: Record<string, string>) {
    const { host, port } = server.address;
    const sent = request({ host, port, method, path, headers, agent: false }).end();
    const [response] = await once(sent, 'response');
    return { status: response.statusCode, body: JSON.parse(await text(response)) };
  }

  for (const { who, origin } of [
    { who: 'a page from elsewhere', origin: () => 'http://evil.example' },
    { who: 'a page that hides where it is from', origin: () => 'null' },
    { who: 'a page from another port of this machine', origin: () => 'http://127.0.0.1:1' },
  ]) {
    it(`does not drain for ${who} in a browser`, async () => {
      const host = formatHostPort(server.address);
      const { status, body } = await send('POST', '/drain', { host, origin: origin() });
      expect({ status, drains }).to.deep.equal({ status: 403, drains: 0 });
      expect(body.error).to.match(/^requests of pages from .* are refused$/);
    });
  }

  it('drains for a page of its own', async () => {
    const host = formatHostPort(server.address);
    const { status } = await send('POST', '/drain', { host, origin: `http://${host}` });
    expect({ status, drains }).to.deep.equal({ status: 200, drains: 1 });
  });

  for (const { host, want } of [
    { host: 'evil.example', want: 421 },
    { host: 'evil.example:15000', want: 421 },
    { host: '127.0.0.1.evil.example:15000', want: 421 },
    { host: '127.0.0.1@evil.example', want: 421 },
    { host: 'localhost', want: 200 },
    { host: 'LocalHost:15000', want: 200 },
    { host: '10.0.0.7:15000', want: 200 },
    { host: '[::1]', want: 200 },
    { host: '[fd00::7]:15000', want: 200 },
  ]) {
    it(`answers a request to the host "${host}" with ${want}: a name may be anyone's`, async () => {
      const answer = await send('GET', '/config_dump', { host });
      expect({ status: answer.status, hasMesh: 'meshId' in answer.body }).to.deep.equal({
        status: want,
        hasMesh: want === 200,
      });
    });
  }

  it('answers HEAD as GET, without a body', async () => {
    const answer = await get('/ready', { method: 'HEAD' });
    expect({ status: answer.status, body: await answer.text() }).to.deep.equal({ status: 200, body: '' });
  });

  for (const { path, method, want } of [
    { path: '/', method: 'GET', want: { status: 404, allow: null } },
    { path: '/toString', method: 'GET', want: { status: 404, allow: null } },
    { path: '/ready', method: 'DELETE', want: { status: 405, allow: 'GET' } },
    { path: '/drain', method: 'GET', want: { status: 405, allow: 'POST' } },
  ]) {
    it(`answers ${method} ${path} with ${want.status} and a sentence in JSON`, async () => {
      const answer = await get(path, { method });
      expect({ status: answer.status, allow: answer.headers.get('allow') }).to.deep.equal(want);
      expect((await json(answer)).error).to.be.a('string');
    });
  }

  it('refuses an address that is in use', async () => {
    const refused = await startAdmin({ listen: server.address, agents: () => new Map() }).then(
      () => 'it started',
      (cause: Error) => cause.message,
    );
    expect(refused).to.contain('EADDRINUSE');
  });
});

describe('the admin server of several agents', () => {
  let server: AdminServer;
  /** By entry. */
  let reports: Map<string, AgentReport>;
  let drained: string[];
  const limits = {
    maxConnections: 10,
    maxRequests: 20,
    maxPendingRequests: 30,
    counts: {
      connections: 1,
      requests: 2,
      pending: 3,
      retries: 0,
      connectionOverflow: 4,
      requestOverflow: 5,
      pendingOverflow: 6,
      retryOverflow: 0,
    },
  };

  beforeEach(async () => {
    drained = [];
    reports = new Map([
      ['web-1', report({ limits: { outbound: limits, inbound: limits } })],
      ['shop-1', report({ swaps: 0, traffic: {} })],
    ]);
    const agentOf = ([id, own]: readonly [string, AgentReport]) =>
      [
        id,
        {
          report: async () => own,
          readiness: () => readinessOf(own),
          mesh: () => meshOf(own),
          drain: async () => void drained.push(id),
        },
      ] as const;
    const agents = () => new Map([...reports].map(agentOf));
    server = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, agents });
  });
  afterEach(() => server.close());

  async function ask(path: string, init?: RequestInit) {
    const answer = await fetch(`http://${formatHostPort(server.address)}${path}`, init);
    const body = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json');
    return { status: answer.status, body: isJson ? JSON.parse(body) : body };
  }

  it('is ready when all of them are, and says of each why not', async () => {
    const notReady = readinessOf(report({ swaps: 0 }));
    const ready = readinessOf(report());
    expect(await ask('/ready')).to.deep.equal({
      status: 503,
      body: { ready: false, entries: { 'web-1': ready, 'shop-1': notReady } },
    });
    expect(await ask('/ready?entry=web-1')).to.deep.equal({ status: 200, body: ready });
    expect(await ask('/ready?entry=shop-1')).to.deep.equal({ status: 503, body: notReady });
    reports.delete('shop-1');
    expect(await ask('/ready')).to.deep.include({ status: 200 });
  });

  for (const path of ['/stats', '/config_dump', '/clusters']) {
    it(`shows ${path} of each, or of the one that is named`, async () => {
      const { body } = await ask(path);
      expect(Object.keys(body.entries)).to.deep.equal(['web-1', 'shop-1']);
      for (const id of ['web-1', 'shop-1']) {
        expect(await ask(`${path}?entry=${id}`)).to.deep.equal({ status: 200, body: body.entries[id] });
      }
    });
  }

  it('shows what an application may have, what it has and how often it was refused more', async () => {
    const { body } = await ask('/stats?entry=web-1');
    expect(body.limits.inbound).to.deep.equal({
      maxConnections: 10,
      maxRequests: 20,
      maxPendingRequests: 30,
      active: { connections: 1, requests: 2, pending: 3 },
      overflow: { connectionOverflow: 4, requestOverflow: 5, pendingOverflow: 6 },
    });
  });

  it('has the metrics of all by the label entry, and those of the process once', async () => {
    const { body } = await ask('/metrics');
    const families = readPrometheus(body);
    const valuesOf = (name: string) =>
      families.get(name)?.samples.map(({ labels, value }) => `${Object.values(labels).join(' ')} ${value}`.trim());
    expect(valuesOf('sluice_agent_ready')).to.deep.equal(['web-1 1', 'shop-1 0']);
    expect(valuesOf('sluice_agent_requests_total')).to.deep.equal(['web-1 outbound 2']);
    expect(valuesOf('process_resident_memory_bytes')).to.deep.equal(['60000000']);
    expect(valuesOf('sluice_agent_limit_active')?.slice(0, 3)).to.deep.equal([
      'web-1 outbound connections 1',
      'web-1 outbound requests 2',
      'web-1 outbound pending 3',
    ]);
    expect(valuesOf('sluice_agent_limit_overflow_total')?.slice(3)).to.deep.equal([
      'web-1 inbound connections 4',
      'web-1 inbound requests 5',
      'web-1 inbound pending 6',
    ]);
    expect((await ask('/metrics?entry=web-1')).body).to.contain('\nsluice_agent_ready 1\n');
  });

  it('drains all of them, or the one that is named', async () => {
    expect((await ask('/drain?entry=shop-1', { method: 'POST' })).body).to.deep.equal(
      readinessOf(report({ swaps: 0 })),
    );
    expect(drained).to.deep.equal(['shop-1']);
    expect((await ask('/drain', { method: 'POST' })).body).to.have.all.keys('ready', 'entries');
    expect(drained).to.deep.equal(['shop-1', 'web-1', 'shop-1']);
  });

  it('explains for the one that is named, and says which there are', async () => {
    const body = JSON.stringify({ host: 'reviews.default', path: '/' });
    expect((await ask('/explain?entry=web-1', { method: 'POST', body })).status).to.equal(200);
    expect(await ask('/explain', { method: 'POST', body })).to.deep.equal({
      status: 400,
      body: {
        status: 400,
        error: 'this is about one entry of the agent: name it by ?entry=ID; there are web-1, shop-1',
      },
    });
    expect(await ask('/stats?entry=web-2')).to.deep.equal({
      status: 404,
      body: { status: 404, error: 'there is no entry "web-2"; there are web-1, shop-1' },
    });
  });
});
