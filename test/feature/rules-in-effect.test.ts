import { once } from 'node:events';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { type App, type Caller, type Mesh, startMesh } from '../support/start-mesh.ts';

/** A Route for reviews with these rules. */
function rules(...list: readonly string[]): string {
  return `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  rules:
${list.map((rule) => `    - ${rule}\n`).join('')}`;
}

function policy(spec: string): string {
  return `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: reviews }
spec: { service: reviews, ${spec} }
`;
}

describe('a rule comes into effect:', () => {
  let mesh: Mesh;
  let web: Caller;
  let v1: App;
  let v2: App;
  /** What the applications saw: "v1 GET /path host". */
  let seen: string[] = [];

  before(async () => {
    mesh = await startMesh();
    ({ app: v1 } = await mesh.startInstance('reviews', 'v1'));
    ({ app: v2 } = await mesh.startInstance('reviews', 'v2'));
    web = await mesh.startCaller();
  });

  beforeEach(() => {
    seen = [];
    for (const [name, app] of [
      ['v1', v1],
      ['v2', v2],
    ] as const) {
      app.onRequest = (request, response) => {
        if (request.url !== '/') seen.push(`${name} ${request.method} ${request.url} ${request.headers.host}`);
        response.setHeader('x-debug', 'yes').end(JSON.stringify(request.headers));
      };
    }
  });

  after(() => mesh.close());

  const applied = async (text: string) => {
    const { status, body } = await mesh.apply(text);
    expect([status, body.errors, body.rollout?.rejected, body.rollout?.pending]).to.deep.equal([
      200,
      undefined,
      [],
      [],
    ]);
  };

  it('paths and hosts are rewritten', async () => {
    await applied(
      rules(
        '{ match: [ { path: { prefix: /api } } ], backends: [ { subset: v1 } ], rewrite: { path: { prefix: / }, host: inner.example } }',
        '{ match: [ { path: { regex: "/old/.*" } } ], backends: [ { subset: v2 } ], rewrite: { path: { full: /new } } }',
        '{ backends: [ { subset: v1 } ], rewrite: { path: { prefix: /all } } }',
      ),
    );
    for (const path of ['/api/x?q=1', '/api', '/old/y?z', '/other']) await web.get('reviews', path);
    expect(seen).to.deep.equal(['v1 GET /x?q=1 inner.example', 'v2 GET /new?z reviews', 'v1 GET /all/other reviews']);
  });

  it('callers are redirected', async () => {
    await applied(
      rules(
        '{ match: [ { path: { prefix: /old } } ], redirect: { status: 308, path: { prefix: /new } } }',
        '{ redirect: { host: example.org }, headers: { response: { set: { x-why: moved } } } }',
      ),
    );
    const answers = [await web.get('reviews', '/old/x?q=1'), await web.get('reviews', '/a')];
    expect(answers.map(({ status, headers }) => [status, headers.location, headers['x-why']])).to.deep.equal([
      [308, 'http://reviews/new/x?q=1', undefined],
      [302, 'http://example.org/a', 'moved'],
    ]);
    expect(seen).to.deep.equal([]);
  });

  it('headers are changed in both directions', async () => {
    await applied(
      rules(
        '{ backends: [ { subset: v1 } ], headers: { request: { set: { x-team: "100%" }, add: { x-tag: b }, remove: [ x-secret ] }, response: { set: { x-by: sluice }, remove: [ x-debug ] } } }',
      ),
    );
    const { headers, text } = await web.get('reviews', '/h', { 'x-team': 'a', 'x-tag': 'a', 'x-secret': 's' });
    const { 'x-team': team, 'x-tag': tag, 'x-secret': secret } = JSON.parse(text);
    expect({ team, tag, secret }).to.deep.equal({ team: '100%', tag: 'a, b', secret: undefined });
    expect([headers['x-by'], headers['x-debug']]).to.deep.equal(['sluice', undefined]);
  });

  it('requests are delayed and aborted on purpose', async () => {
    await applied(
      rules(
        '{ backends: [ { subset: v1 } ], fault: { delay: { duration: 50ms, percent: 100 }, abort: { status: 418, percent: 100 } } }',
      ),
    );
    const before = performance.now();
    const { status, headers } = await web.get('reviews', '/f');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([418, 'fault']);
    expect(performance.now() - before).to.be.at.least(45);
    expect(seen).to.deep.equal([]);
  });

  it('requests are copied, and the copies go unseen', async () => {
    v2.onRequest = (request) => {
      seen.push(`v2 ${request.url}`);
      request.socket.destroy();
    };
    await applied(rules('{ backends: [ { subset: v1 } ], mirror: [ { subset: v2, percent: 100 } ] }'));
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push((await web.get('reviews', `/m${i}`)).status);
    expect(answers).to.deep.equal([200, 200, 200, 200, 200]);
    // A GET that met a connection which just closed is sent once more: that is as good as once.
    await mesh.until(async () => new Set(seen.filter((line) => line.startsWith('v2'))).size === 5);
  });

  it('requests are sent again for what the rule says, and not beyond', async () => {
    let failures = 0;
    v1.onRequest = (request, response) => {
      if (request.url === '/') return response.end();
      seen.push(`v1 ${request.url}`);
      if (request.headers['x-fail'] === 'reset') return request.socket.destroy();
      response.statusCode = failures-- > 0 ? 503 : 200;
      return response.end();
    };
    await applied(
      rules(
        '{ backends: [ { subset: v1 } ], retry: { attempts: 2, on: [ "503" ], backoff: { base: 1ms } }, timeout: 5s }',
      ),
    );
    const statuses = [];
    for (const wanted of [0, 2, 3]) {
      failures = wanted;
      statuses.push((await web.get('reviews', `/${wanted}`)).status);
    }
    expect(statuses).to.deep.equal([200, 200, 503]);
    expect(seen).to.deep.equal(['v1 /0', 'v1 /2', 'v1 /2', 'v1 /2', 'v1 /3', 'v1 /3', 'v1 /3']);
    expect((await web.get('reviews', '/x', { 'x-fail': 'reset' })).status).to.equal(502);
  });

  it('requests end by their timeout', async () => {
    let endLate = () => {};
    v1.onRequest = (request, response) => {
      if (request.url === '/') response.end();
      else endLate = () => response.end();
    };
    await applied(rules('{ backends: [ { subset: v1 } ], timeout: 100ms }'));
    const { status, headers } = await web.get('reviews', '/slow');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([504, 'timeout']);
    // Or the agent of the instance would wait for it when it ends.
    endLate();
  });

  it('a key keeps to its instance', async () => {
    await applied(
      `${rules('{ backends: [ {} ] }')}---${policy('loadBalancer: { policy: maglev }, hashOn: [ { query: user } ]')}`,
    );
    const instanceOf = async (user: string) => {
      seen = [];
      for (let i = 0; i < 5; i++) await web.get('reviews', `/k?user=${user}`);
      return new Set(seen.map((line) => line.slice(0, 2)));
    };
    const sets = [];
    for (let user = 0; user < 20; user++) sets.push(await instanceOf(String(user)));
    expect(sets.every(({ size }) => size === 1)).to.equal(true);
    expect(new Set(sets.flatMap((set) => [...set])).size).to.equal(2);
  });

  it('a limit of requests turns away what is too much', async () => {
    const held: (() => void)[] = [];
    v1.onRequest = (request, response) => {
      if (request.url === '/') response.end();
      else held.push(() => response.end());
    };
    await applied(`${rules('{ backends: [ { subset: v1 } ] }')}---${policy('connectionPool: { maxRequests: 2 }')}`);
    const under = [web.get('reviews', '/1'), web.get('reviews', '/2')];
    await mesh.until(async () => held.length === 2);
    const { status, headers } = await web.get('reviews', '/3');
    expect([status, headers['x-sluice-reason']]).to.deep.equal([503, 'overflow']);
    for (const end of held) end();
    expect((await Promise.all(under)).map((answer) => answer.status)).to.deep.equal([200, 200]);
  });

  it('an instance that fails in a row is ejected', async () => {
    v2.onRequest = (request, response) => {
      if (request.url !== '/') seen.push('v2');
      response.writeHead(request.url === '/' ? 200 : 500).end();
    };
    await applied(
      `${rules('{ backends: [ {} ] }')}---${policy('outlierDetection: { consecutive5xx: 3, baseEjectionTime: 10m, minHealthPercent: 0 }')}`,
    );
    const counts = await web.count(40, 'reviews', '/o');
    expect(seen.filter((line) => line === 'v2')).to.have.length(3);
    expect(Object.entries(counts).reduce((sum, [key, count]) => sum + (key.startsWith('500') ? count : 0), 0)).to.equal(
      3,
    );
  });
});

describe('a port of protocol tcp', () => {
  let mesh: Mesh;

  before(async () => {
    mesh = await startMesh();
  });

  after(() => mesh.close());

  it('passes connections on as bytes, in exact shares, also when the other side speaks first', async () => {
    const servers = await Promise.all(
      ['v1', 'v2'].map(async (version) => {
        const server = createTcpServer((socket: Socket) => socket.end(`hello from ${version}`)).listen(0, '127.0.0.1');
        await once(server, 'listening');
        return { version, server, address: server.address() };
      }),
    );
    const { status, body } = await mesh.apply(`
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: db }
spec: { ports: [ { name: sql, port: 5432, protocol: tcp } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: db }
spec:
  service: db
  allowEmpty: true
  rules: [ { backends: [ { subset: v1, weight: 3 }, { subset: v2, weight: 1 } ] } ]
`);
    expect([status, body.errors]).to.deep.equal([200, undefined]);
    for (const { version, address } of servers) {
      const port = typeof address === 'object' ? address?.port : undefined;
      const instance = JSON.stringify({ address: '127.0.0.1', port, labels: { version } });
      await mesh.call('PUT', `/services/db/instances/db-${version}`, instance);
    }
    const web = await mesh.startCaller('web', 'web-tcp', { upstream: ['db:5432=127.0.0.1:0'] });
    const [local] = web.agent.addresses.upstreams;
    expect(local).to.not.equal(undefined);
    const counts: Record<string, number> = {};
    for (let i = 0; i < 40; i++) {
      const socket = connect(local?.address.port ?? 0, '127.0.0.1');
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      await once(socket, 'close');
      counts[text] = (counts[text] ?? 0) + 1;
    }
    expect(counts).to.deep.equal({ 'hello from v1': 30, 'hello from v2': 10 });
    for (const { server } of servers) server.close();
  });
});
