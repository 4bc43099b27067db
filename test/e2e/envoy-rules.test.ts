/** What rules and policies ask for, done by a real Envoy: one request for each field. */
import { expect } from 'chai';
import type { Answered } from '../support/ask.ts';
import { type Echo, type EchoApp, readConnection, register, startEcho, startTcpEcho } from '../support/echo.ts';
import { type Envoy, skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { Processes } from '../support/processes.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

const rules = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: shop }
spec: { ports: [ { name: http, port: 8080 } ], aliases: [ store, com.example.Shop ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: shop }
spec:
  service: shop
  rules:
    - { match: [ { path: { exact: /exact } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { prefix: /prefix } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { regex: "/re[0-9]+" } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /method }, method: POST } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /header }, headers: { x-a: { exact: b } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /header-prefix }, headers: { x-a: { prefix: b } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /header-regex }, headers: { x-a: { regex: "b+" } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /header-present }, headers: { x-a: { present: true } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /header-absent }, headers: { x-a: { present: false } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /query }, query: { a: { exact: b } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /query-present }, query: { a: { present: true } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { exact: /query-absent }, query: { a: { present: false } } } ], backends: [ { subset: v2 } ] }
    - { match: [ { path: { prefix: /other } } ], backends: [ { service: other } ] }
    - { match: [ { path: { prefix: /slow } } ], backends: [ { subset: v1 } ], timeout: 100ms }
    - { match: [ { path: { prefix: /once } } ], backends: [ { subset: v1 } ], retry: { attempts: 2, on: [ "503" ] } }
    - { match: [ { path: { prefix: /copied } } ], backends: [ { subset: v1 } ], mirror: [ { subset: v2, percent: 100 } ] }
    - match: [ { path: { prefix: /delayed } } ]
      backends: [ { subset: v1 } ]
      fault: { delay: { duration: 200ms, percent: 100 } }
    - match: [ { path: { prefix: /aborted } } ]
      backends: [ { subset: v1 } ]
      fault: { abort: { status: 418, percent: 100 } }
    - match: [ { path: { prefix: /headers } } ]
      backends: [ { subset: v1 } ]
      headers:
        request: { set: { x-set: "100%" }, add: { x-add: two }, remove: [ x-gone ] }
        response: { set: { x-answer: set }, remove: [ x-taken ] }
    - match: [ { path: { prefix: /api } } ]
      backends: [ { subset: v1 } ]
      rewrite: { path: { prefix: / }, host: shop.internal }
    - { match: [ { path: { prefix: /v1 } } ], backends: [ { subset: v1 } ], rewrite: { path: { prefix: /v2 } } }
    - { match: [ { path: { prefix: /whole } } ], backends: [ { subset: v1 } ], rewrite: { path: { full: /new } } }
    - { match: [ { path: { prefix: /old } } ], redirect: { status: 308, path: { prefix: /new } } }
    - { match: [ { path: { exact: /away } } ], redirect: { host: status.example, path: { full: / } } }
    - { match: [ { path: { prefix: /sticky } } ], backends: [ { subset: v1, weight: 1 }, { subset: v2, weight: 1 } ], sticky: { header: x-user } }
    - { match: [ { path: { prefix: /cookie } } ], backends: [ { subset: v1, weight: 1 }, { subset: v2, weight: 1 } ], sticky: { cookie: side } }
    - { match: [ { path: { prefix: /dead } } ], backends: [ { subset: dead } ] }
    - { match: [ { path: { prefix: /v } } ], backends: [ { subset: v1 } ] }
    - { match: [ { path: { exact: / } } ], backends: [ { subset: v1 } ] }
    - { match: [ { path: { prefix: /reset } } ], backends: [ { subset: v1 } ] }
    - { match: [ { path: { prefix: /status } } ], backends: [ { subset: v1 } ] }
  allowEmpty: true
`;

describe('what rules ask for, done by an Envoy', function () {
  this.timeout(60_000);
  const processes = new Processes();
  const apps: EchoApp[] = [];
  let mesh: Mesh;
  let envoy: Envoy;
  let v2: EchoApp;

  before(async function () {
    skipUnlessEnvoy(this);
    mesh = await startMesh();
    for (const [service, version] of [
      ['shop', 'v1'],
      ['shop', 'v2'],
      ['other', 'v1'],
    ] as const) {
      const app = await startEcho(`${service}-${version}`);
      apps.push(app);
      await register(mesh, service, `${service}-${version}`, { port: app.port, version });
      v2 = version === 'v2' ? app : (v2 ?? app);
    }
    const { status, body } = await mesh.apply(rules, '');
    expect(status, JSON.stringify(body.errors)).to.be.below(300);
    envoy = await startEnvoy(processes, { server: mesh.server.grpc });
  });
  after(async () => {
    await processes.close();
    for (const app of apps) await app.close();
    await mesh?.close();
  });

  const echoOf = ({ body }: Answered): Echo => JSON.parse(body) as Echo;

  for (const { path, method = 'GET', headers = {}, to } of [
    { path: '/', to: 'shop-v1' },
    { path: '/exact', to: 'shop-v2' },
    { path: '/exact/', to: '404' },
    { path: '/prefix', to: 'shop-v2' },
    { path: '/prefix/x?y', to: 'shop-v2' },
    { path: '/prefixed', to: '404' },
    { path: '/re12', to: 'shop-v2' },
    { path: '/re12x', to: '404' },
    { path: '/method', method: 'POST', to: 'shop-v2' },
    { path: '/method', to: '404' },
    { path: '/header', headers: { 'x-a': 'b' }, to: 'shop-v2' },
    { path: '/header', headers: { 'x-a': 'bb' }, to: '404' },
    { path: '/header-prefix', headers: { 'x-a': 'bb' }, to: 'shop-v2' },
    { path: '/header-regex', headers: { 'x-a': 'bb' }, to: 'shop-v2' },
    { path: '/header-regex', headers: { 'x-a': 'bbc' }, to: '404' },
    { path: '/header-present', headers: { 'x-a': '' }, to: 'shop-v2' },
    { path: '/header-present', to: '404' },
    { path: '/header-absent', to: 'shop-v2' },
    { path: '/header-absent', headers: { 'x-a': 'b' }, to: '404' },
    { path: '/query?a=b', to: 'shop-v2' },
    { path: '/query?a=c', to: '404' },
    { path: '/query-present?a=', to: 'shop-v2' },
    { path: '/query-present', to: '404' },
    { path: '/query-absent', to: 'shop-v2' },
    { path: '/query-absent?b=a', to: 'shop-v2' },
    { path: '/query-absent?a=1', to: '404' },
    { path: '/other', to: 'other-v1' },
  ] as readonly { path: string; method?: string; headers?: Record<string, string>; to: string }[]) {
    it(`${method} ${path} ${JSON.stringify(headers)} goes to ${to}`, async () => {
      const answer = await envoy.get('shop', path, { method, headers });
      expect(answer.status === 200 ? echoOf(answer).instance : String(answer.status)).to.equal(to);
    });
  }

  for (const host of ['store', 'store.default', 'com.example.shop:8080', 'COM.example.Shop']) {
    it(`${host} is an alias`, async () => expect((await envoy.get(host)).status).to.equal(200));
  }

  it('another port is none of the service', async () => {
    const { status, headers } = await envoy.get('shop:81');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([404, 'no-route']);
  });

  it('ends a request at its timeout', async () => {
    const { status, headers } = await envoy.get('shop', '/slow/5000');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([504, 'timeout']);
  });

  it('has no timeout of its own', async () => {
    const { status } = await envoy.get('other', '/slow/300');
    expect(status).to.equal(200);
  });

  it('sends a request again', async () => {
    const answer = await envoy.get('shop', '/once/503');
    expect([answer.status, echoOf(answer).instance]).to.deep.equal([200, 'shop-v1']);
  });

  it('passes on what nobody wants again', async () => {
    expect((await envoy.get('shop', '/status/503')).status).to.equal(503);
  });

  it('tells a connection that broke off as an agent does', async () => {
    const { status, headers } = await envoy.get('shop', '/reset');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([502, 'upstream-reset']);
  });

  it('tells that nobody is there as an agent does', async () => {
    const { status, headers } = await envoy.get('shop', '/dead');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([503, 'no-healthy-instance']);
  });

  it('copies requests', async () => {
    expect(echoOf(await envoy.get('shop', '/copied')).instance).to.equal('shop-v1');
    await envoy.until(async () => v2.asked.includes('/copied'));
  });

  it('delays', async () => {
    const start = performance.now();
    expect((await envoy.get('shop', '/delayed')).status).to.equal(200);
    expect(performance.now() - start).to.be.greaterThan(190);
  });

  it('aborts', async () => {
    const { status, headers } = await envoy.get('shop', '/aborted');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([418, 'fault']);
  });

  it('changes headers', async () => {
    const answer = await envoy.get('shop', '/headers', { headers: { 'x-gone': '1', 'x-set': '0', 'x-add': 'one' } });
    const { headers } = echoOf(answer);
    expect([headers['x-set'], headers['x-add'], headers['x-gone']]).to.deep.equal(['100%', 'one, two', undefined]);
    expect([answer.headers['x-answer'], answer.headers['x-taken']]).to.deep.equal(['set', undefined]);
  });

  it('adds nothing that nobody asked for', async () => {
    const answer = await envoy.get('shop', '/v', { headers: { 'x-sluice-scope': 'other.default' } });
    const { 'x-forwarded-proto': _, ...headers } = echoOf(answer).headers;
    expect(Object.keys(headers).sort()).to.deep.equal(['host']);
    expect(Object.keys(answer.headers).filter((name) => /envoy|server/.test(name))).to.deep.equal([]);
  });

  for (const { path, url, host = 'shop' } of [
    { path: '/api/x?y=1', url: '/x?y=1', host: 'shop.internal' },
    { path: '/api', url: '/', host: 'shop.internal' },
    { path: '/v1/x', url: '/v2/x' },
    { path: '/v1', url: '/v2' },
    { path: '/whole/x?y=1', url: '/new?y=1' },
  ]) {
    it(`writes ${url} for ${path}`, async () => {
      const { url: written, headers } = echoOf(await envoy.get('shop', path));
      expect([written, headers.host]).to.deep.equal([url, host]);
    });
  }

  for (const { path, status, location } of [
    { path: '/old/x?y=1', status: 308, location: 'http://shop:8080/new/x?y=1' },
    { path: '/away', status: 302, location: 'http://status.example/' },
  ]) {
    it(`redirects ${path} to ${location}`, async () => {
      const answer = await envoy.get('shop:8080', path);
      expect([answer.status, answer.headers.location]).to.deep.equal([status, location]);
    });
  }

  it('keeps who has the same header with one backend, half of them with each', async () => {
    const sides = new Map<string, Set<string>>();
    for (let i = 0; i < 300; i++) {
      const user = `user-${i % 100}`;
      const side = echoOf(await envoy.get('shop', '/sticky', { headers: { 'x-user': user } })).instance;
      sides.set(user, (sides.get(user) ?? new Set()).add(side));
    }
    expect([...sides.values()].every((seen) => seen.size === 1)).to.equal(true);
    const second = [...sides.values()].filter((seen) => seen.has('shop-v2')).length;
    expect(second).to.be.within(25, 75);
  });

  it('gives who comes without the cookie one, and keeps him by it', async () => {
    for (let i = 0; i < 20; i++) {
      const first = await envoy.get('shop', '/cookie');
      const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
      expect(cookie).to.match(/^side=/);
      const again = await envoy.get('shop', '/cookie', { headers: { cookie } });
      expect(echoOf(again).instance).to.equal(echoOf(first).instance);
      expect(again.headers['set-cookie']).to.equal(undefined);
    }
  });
});

describe('what policies ask for, done by an Envoy', function () {
  this.timeout(60_000);
  const processes = new Processes();
  const apps: EchoApp[] = [];
  let mesh: Mesh;
  let envoy: Envoy;

  before(async function () {
    skipUnlessEnvoy(this);
    mesh = await startMesh();
    for (const service of ['plain', 'hashed', 'zoned']) {
      for (const zone of ['a', 'b', 'c']) {
        const app = await startEcho(`${service}-${zone}`);
        apps.push(app);
        await register(mesh, service, `${service}-${zone}`, { port: app.port, zone });
      }
    }
    for (const version of ['v1', 'v2']) {
      const app = await startTcpEcho(`db-${version}`);
      apps.push(app);
      await register(mesh, 'db', `db-${version}`, { port: app.port, version });
    }
    const { status, body } = await mesh.apply(policies, '');
    expect(status, JSON.stringify(body.errors)).to.be.below(300);
    const upstreams = { 'plain:80': '127.0.0.1:0', 'db:5432': '127.0.0.1:0' };
    const app = apps[0] ? `127.0.0.1:${apps[0].port}` : '';
    envoy = await startEnvoy(processes, { server: mesh.server.grpc, zone: 'b', upstreams, app });
  });
  after(async () => {
    await processes.close();
    for (const app of apps) await app.close();
    await mesh?.close();
  });

  async function instances(
    host: string,
    times: number,
    headers: (turn: number) => Record<string, string> = () => ({}),
  ) {
    const seen = new Map<string, number>();
    for (let i = 0; i < times; i++) {
      const { body } = await envoy.get(host, '/', { headers: headers(i) });
      const { instance } = JSON.parse(body) as Echo;
      seen.set(instance, (seen.get(instance) ?? 0) + 1);
    }
    return seen;
  }

  it('takes turns', async () => {
    // Each of Envoy's workers by itself, and anew whenever endpoints come: not exactly in turn.
    expect([...(await instances('plain', 30)).values()].sort()).to.satisfy(
      (all: number[]) => all.length === 3 && all.every((n) => n > 2),
    );
  });

  it('sends what has the same key to one instance, and different keys to all', async () => {
    expect((await instances('hashed', 20, () => ({ 'x-user': 'one' }))).size).to.equal(1);
    expect((await instances('hashed', 60, (turn) => ({ 'x-user': `user-${turn}` }))).size).to.equal(3);
  });

  it('prefers its own zone', async () => {
    expect([...(await instances('zoned', 20)).keys()]).to.deep.equal(['zoned-b']);
  });

  it('shares connections of a tcp port among backends', async () => {
    const at = await envoy.listener('upstream|db.default:5432');
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) seen.add(await readConnection(at));
    expect([...seen].sort()).to.deep.equal(['db-v1', 'db-v2']);
  });

  it('has a port for one service, whatever Host says', async () => {
    const at = await envoy.listener('upstream|plain.default:80');
    const { ask } = await import('../support/ask.ts');
    const { status, body } = await ask({ at, host: 'whatever.example' });
    expect([status, (JSON.parse(body) as Echo).headers.host]).to.deep.equal([200, 'whatever.example']);
  });

  it('lets requests in to its application', async () => {
    const at = await envoy.listener('inbound');
    const { ask } = await import('../support/ask.ts');
    const { status, body } = await ask({ at, host: 'web' });
    expect([status, (JSON.parse(body) as Echo).instance]).to.deep.equal([200, 'plain-a']);
  });

  it('has refused nothing, and waits for nothing', async () => {
    expect(await envoy.sum(/update_rejected$/)).to.equal(0);
    expect(await envoy.sum(/warming_clusters$|total_listeners_warming$/)).to.equal(0);
  });
});

const policies = `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: plain }
spec:
  service: plain
  loadBalancer: { policy: least-request }
  connectionPool: { maxConnections: 100, maxPendingRequests: 50, maxRequests: 60, retryBudget: { percent: 10 }, idleTimeout: 2s, connectTimeout: 300ms }
  outlierDetection: { consecutive5xx: 3, consecutiveGatewayErrors: 2, consecutiveLocalOriginFailures: 4, interval: 1s, baseEjectionTime: 5s, maxEjectionPercent: 40, minHealthPercent: 10 }
---
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: hashed }
spec: { service: hashed, loadBalancer: { policy: ring-hash }, hashOn: [ { header: x-user }, { cookie: c }, { query: q }, { sourceAddress: true } ] }
---
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: zoned }
spec: { service: zoned, localityPreference: same-zone-first, loadBalancer: { policy: random } }
---
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: db }
spec: { ports: [ { name: sql, port: 5432, protocol: tcp } ] }
---
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: db }
spec: { service: db, loadBalancer: { policy: maglev }, hashOn: [ { sourceAddress: true } ], connectionPool: { idleTimeout: 5m } }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: db }
spec: { service: db, rules: [ { backends: [ { subset: v1, weight: 1 }, { subset: v2, weight: 1 }, { subset: v3, weight: 0 } ] } ], allowEmpty: true }
`;
