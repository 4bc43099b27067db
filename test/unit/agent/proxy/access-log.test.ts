import { once } from 'node:events';
import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import { noAttempts } from '../../../../agent/telemetry/route-counters.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { type Cluster, HTTPFault, type Route, type RouteAction } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { cluster, type EndpointWords, serviceResources } from '../view/resources.ts';
import { ask, askRaw, type Handler, type LoggedLine, ManualClock, World } from './world.ts';

const v1 = 'reviews.default|http|v1';

describe('the access log', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  function outboundTo(
    endpoints: readonly EndpointWords[],
    { action, more, ...options }: Partial<OutboundOptions> & { action?: Input<RouteAction>; more?: Input<Route> } = {},
  ): Promise<ProxyListener> {
    const routes = [{ ...route('canary/all', { cluster: v1, ...action }), ...more }];
    world.directory.swap({ ...serviceResources({ routes, clusters: { [v1]: endpoints } }), revision: 12 });
    return world.outbound({ random: () => 0, ...options });
  }

  async function appOf(handler?: Handler): Promise<readonly EndpointWords[]> {
    return [{ id: 'reviews-1', port: await world.app('app', handler) }];
  }

  /** Of the requests so far, the last; once it has one. */
  async function lastLine(): Promise<LoggedLine> {
    while (world.lines.length === 0 || world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    return world.lines.at(-1) ?? {};
  }

  it('says everything of a request in one line', async () => {
    let seen: IncomingMessage['headers'] = {};
    const endpoints = await appOf(({ headers }, response) => {
      seen = headers;
      response.end('hello');
    });
    const outbound = await outboundTo(endpoints);
    await ask(outbound, '/api/x?token=secret', { method: 'POST', headers: { host: 'reviews:9080' }, body: 'abc' });
    const { time, durationMs, connectMs, firstByteMs, bytesIn, bytesOut, ...line } = await lastLine();
    expect(line).to.deep.equal({
      listener: 'test',
      protocol: 'http',
      method: 'POST',
      host: 'reviews:9080',
      path: '/api/x',
      status: 200,
      reason: null,
      detail: null,
      service: 'reviews.default',
      rule: 'canary/all',
      cluster: v1,
      subset: 'v1',
      instance: 'reviews-1',
      upstream: `127.0.0.1:${endpoints[0]?.port}`,
      attempts: 1,
      revision: 12,
      requestId: seen['x-request-id'],
      traceparent: seen.traceparent,
      remoteAddress: '127.0.0.1',
    });
    expect(Date.now() - Date.parse(String(time))).to.be.within(0, 60_000);
    expect(Number(connectMs)).to.be.within(0.001, Number(firstByteMs));
    expect(Number(firstByteMs)).to.be.at.most(Number(durationMs));
    expect(Number(bytesIn)).to.be.within(60, 300);
    expect(Number(bytesOut)).to.be.within(60, 300);
  });

  it('has the ids that the client sent, and a connection that was there costs nothing', async () => {
    const outbound = await outboundTo(await appOf());
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const id of ['one', 'two']) {
      await ask(outbound, '/', { headers: { host: 'reviews', 'x-request-id': id, traceparent } });
    }
    expect(world.lines.map(({ requestId }) => requestId)).to.deep.equal(['one', 'two']);
    expect(await lastLine()).to.include({ traceparent, connectMs: 0 });
  });

  for (const { what, head, want } of [
    {
      what: 'of a host without the password before it',
      head: 'GET /x?secret HTTP/1.1\r\nHost: ada:secret@reviews\r\nX-Request-Id: r1\r\n\r\n',
      want: { status: 400, reason: 'bad-request', host: 'reviews', path: '/x', requestId: 'r1', attempts: 0 },
    },
    {
      what: 'of a service that there is not',
      head: 'GET /x?secret HTTP/1.1\r\nHost: nobody\r\nX-Request-Id: r1\r\n\r\n',
      want: { status: 404, reason: 'no-route', host: 'nobody', path: '/x', requestId: 'r1', service: null, rule: null },
    },
    {
      what: 'of a port that the service has not',
      head: 'GET /x HTTP/1.1\r\nHost: reviews:81\r\n\r\n',
      want: { status: 404, reason: 'no-route', service: 'reviews.default', revision: 12, rule: null, requestId: null },
    },
    {
      what: 'that cannot be read, of which nothing is known, nor taken from another one',
      head: 'secret secret\r\n\r\n',
      want: { status: 400, reason: 'bad-request', detail: 'request-line', method: null, host: null, path: null },
    },
    {
      what: 'of which only the first line could be read',
      head: 'PUT /x?secret HTTP/1.1\r\nHost: reviews\r\nbad header: 1\r\n\r\n',
      want: { status: 400, reason: 'bad-request', detail: 'header-name', method: 'PUT', host: 'reviews', path: '/x' },
    },
    {
      what: 'whose target is absurdly long, in short',
      head: `GET /${'x'.repeat(5_000)} HTTP/1.1\r\nHost: nobody\r\n\r\n`,
      want: { path: `/${'x'.repeat(2_047)}…` },
    },
    {
      what: 'whose method is unknown here',
      head: 'PURGE * HTTP/1.1\r\nHost: reviews\r\n\r\n',
      want: { status: 400, method: null, detail: 'target-form' },
    },
    {
      what: 'that asks for nothing in particular',
      head: 'OPTIONS * HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n',
      want: { status: 200, method: 'OPTIONS', path: '*' },
    },
  ]) {
    it(`has a line ${what}`, async () => {
      const outbound = await outboundTo(await appOf());
      await ask(outbound, '/before', { method: 'DELETE' });
      await askRaw(outbound, head.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      const line = await lastLine();
      expect(line).to.include(want);
      expect(JSON.stringify(line)).not.to.contain('secret');
      expect(line.bytesIn).to.equal(head.length + 'Connection: close\r\n'.length);
    });
  }

  for (const { what, pieces } of [
    { what: 'a head in pieces that is none', pieces: ['GET / HTTP/1.1\r\nHo', 'st: reviews\r\nbad header: 1\r\n\r\n'] },
    {
      what: 'a body that is none',
      pieces: ['POST / HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\n\r\n', 'nonsense\r\n'],
    },
  ]) {
    it(`says how much was read of ${what}`, async () => {
      const outbound = await outboundTo(await appOf(() => {}));
      const client = connect({ ...outbound.address }).on('error', () => {});
      for (const piece of pieces) {
        client.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await text(client);
      expect(await lastLine()).to.include({ status: 400, bytesIn: pieces.join('').length });
    });
  }

  it('has one line for each of several requests that come at once, in their order', async () => {
    const outbound = await outboundTo(await appOf());
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${path === '/b' ? 'nobody' : 'reviews'}\r\n`;
    await askRaw(outbound, `${get('/a')}\r\n${get('/b')}\r\n${get('/c')}Connection: close\r\n\r\n`);
    expect(world.lines.map(({ path, status }) => `${path} ${status}`)).to.deep.equal(['/a 200', '/b 404', '/c 200']);
  });

  it('names path and host as they came, also where the rule sends the request as another', async () => {
    const outbound = await outboundTo(await appOf((request, response) => response.end(request.url)), {
      action: { prefixRewrite: '/v2/', hostRewriteLiteral: 'internal' },
    });
    expect((await ask(outbound, '/a')).body).to.equal('/v2/a');
    const line = await lastLine();
    expect(line).to.include({ host: 'reviews', path: '/a' });
    expect(line.requestId).to.have.length(36);
  });

  it('names the rule that redirects', async () => {
    const redirect: Input<Route> = {
      name: 'moved/all',
      match: { prefix: '/' },
      redirect: { hostRedirect: 'elsewhere', responseCode: 3 },
    };
    const routes = [redirect];
    world.directory.swap(serviceResources({ routes, clusters: { [v1]: [] } }));
    await ask(await world.outbound(), '/');
    expect(await lastLine()).to.include({ reason: 'redirect', rule: 'moved/all', cluster: null, attempts: 0 });
  });

  it('names the rule that injects a fault, after its delay', async () => {
    const value = HTTPFault.encode({
      delay: { fixedDelay: { nanos: 20_000_000 }, percentage: { numerator: 100 } },
      abort: { httpStatus: 418, percentage: { numerator: 100 } },
    });
    const typedPerFilterConfig = { 'envoy.filters.http.fault': { type_url: HTTPFault.typeUrl, value } };
    const outbound = await outboundTo(await appOf(), { more: { typedPerFilterConfig } });
    await ask(outbound, '/', { headers: { host: 'reviews', 'x-request-id': 'r1' } });
    const line = await lastLine();
    expect(line).to.include({ status: 418, reason: 'fault', rule: 'canary/all', attempts: 0, requestId: 'r1' });
    expect(Number(line.durationMs)).to.be.above(15);
  });

  it('counts attempts, and names who answered', async () => {
    const [good] = await appOf();
    const outbound = await outboundTo([{ port: await world.deadPort() }, { id: 'reviews-2', port: good?.port ?? 0 }]);
    await ask(outbound, '/');
    expect(await lastLine()).to.include({ status: 200, attempts: 2, instance: 'reviews-2', detail: null });
  });

  it('says why nobody could be reached, and who was asked last', async () => {
    const port = await world.deadPort();
    await ask(await outboundTo([{ id: 'reviews-1', port }]), '/');
    const line = await lastLine();
    expect(line).to.include({
      status: 503,
      reason: 'upstream-connect-failure',
      instance: 'reviews-1',
      connectMs: null,
    });
    expect(line.detail).to.match(
      /^reviews\.default, subset v1 cannot be reached: 127\.0\.0\.1:\d+: connect ECONNREFUSED/,
    );
    const { attempts, clusters } = world.statistics.snapshot();
    expect([attempts, clusters[v1]?.attempts]).to.deep.equal([noAttempts(), noAttempts()]);
  });

  it('says that an answer broke off, and why', async () => {
    const port = await world.tcp((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel');
        setImmediate(() => socket.destroy());
      });
    });
    await askRaw(await outboundTo([{ port }]), 'GET / HTTP/1.1\r\nHost: reviews\r\n\r\n');
    const line = await lastLine();
    expect(line).to.include({ status: 200, reason: 'broken-off' });
    expect(line.detail).to.match(/^the connection was closed$/);
  });

  it('says that the agent has ended, when a request takes longer than it waits', async () => {
    const outbound = await outboundTo(await appOf(() => {}));
    const answer = ask(outbound, '/').catch((error: NodeJS.ErrnoException) => error.code);
    while (world.statistics.snapshot().active === 0) await new Promise(setImmediate);
    await outbound.close();
    expect(await answer).to.equal('ECONNRESET');
    const line = await lastLine();
    expect(line).to.deep.include({ status: null, reason: 'broken-off', detail: 'the agent has ended' });
  });

  it('says what the agent of the instance answers in its place', async () => {
    const endpoints = await appOf((request, response) => {
      request.resume();
      response.writeHead(502, { 'x-sluice-reason': 'upstream-reset' }).end();
    });
    await ask(await outboundTo(endpoints), '/');
    const line = await lastLine();
    expect(line).to.deep.include({ status: 502, reason: null, detail: "the instance's agent says upstream-reset" });
  });

  it('says that time was over, before the answer and within it', async () => {
    const clock = new ManualClock();
    let answers = 0;
    const endpoints = await appOf((_request, response) => {
      if (answers++ > 0) response.write('hello');
      setImmediate(() => setImmediate(() => clock.pass(2_000)));
    });
    const outbound = await outboundTo(endpoints, { action: { timeout: { seconds: 2 } }, clock });
    for (let n = 0; n < 2; n++) await askRaw(outbound, 'GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n');
    expect(world.lines.map(({ status, reason, durationMs }) => ({ status, reason, durationMs }))).to.deep.equal([
      { status: 504, reason: 'timeout', durationMs: 2_000 },
      { status: 200, reason: 'broken-off', durationMs: 2_000 },
    ]);
    expect(world.lines.at(-1)?.detail).to.equal('the time was over');
  });

  it('knows the address of a client that has gone, whatever its request waited for', async () => {
    world.directory.answer = () => new Promise(() => {});
    const outbound = await outboundTo(await appOf(() => {}));
    for (const host of ['reviews', 'nobody']) {
      const socket = connect({ ...outbound.address });
      socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      while (world.statistics.snapshot().active === 0) await new Promise(setImmediate);
      socket.resetAndDestroy();
      const line = await lastLine();
      const gone = { status: null, reason: 'client-gone', host, path: '/x', remoteAddress: '127.0.0.1' };
      expect(line).to.include(gone);
    }
    expect(world.lines.map(({ attempts }) => attempts)).to.deep.equal([1, 0]);
  });

  it('has one line for a WebSocket, when it is over, with what went through', async () => {
    const port = await world.tcp((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.on('data', (bytes) => void socket.write(bytes));
        socket.on('end', () => socket.end());
      });
    });
    const outbound = await outboundTo([{ port }]);
    const headers = { host: 'reviews', connection: 'Upgrade', upgrade: 'websocket' };
    const request = sendRequest({ ...outbound.address, headers, agent: false }).end();
    const [, socket] = await once(request, 'upgrade');
    socket.write('x'.repeat(10_000));
    for (let count = 0; count < 10_000; ) count += (await once(socket, 'data'))[0].length;
    expect(world.lines).to.deep.equal([]);
    socket.destroy();
    const line = await lastLine();
    expect(line).to.include({ status: 101, reason: null, path: '/' });
    expect([Number(line.bytesIn), Number(line.bytesOut)].map((bytes) => Math.floor(bytes / 1_000))).to.deep.equal([
      10, 10,
    ]);
    expect(world.statistics.snapshot().durations.count).to.equal(0);
  });

  it('has one line for a CONNECT', async () => {
    const [app] = await appOf();
    const outbound = await world.outbound();
    const authority = `127.0.0.1:${app?.port}`;
    const inner = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const socket = connect({ ...outbound.address });
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await once(socket, 'data');
    socket.write(inner);
    expect(await text(socket)).to.match(/app$/);
    expect(await lastLine()).to.include({
      method: 'CONNECT',
      status: 200,
      host: authority,
      path: null,
      upstream: authority,
      service: null,
      revision: null,
    });
  });

  it('has one line for a connection to a TCP service', async () => {
    const tcp: Input<Cluster> = { metadata: { filterMetadata: { sluice: toStruct({ protocol: 'tcp' }) } } };
    const name = 'reviews.default|db|v1';
    const port = await world.tcp((socket) => void socket.end('hello'));
    const resources = serviceResources({
      routes: [route('r/all', { cluster: name })],
      clusters: { [name]: [{ port }] },
    });
    world.directory.swap({ ...resources, clusters: new Map([[name, cluster(name, tcp)]]) });
    const upstream = await world.upstream('reviews.default');
    const socket = connect({ ...upstream.address });
    socket.end('hi');
    expect(await text(socket)).to.equal('hello');
    expect(await lastLine()).to.include({
      protocol: 'tcp',
      method: null,
      status: null,
      reason: null,
      bytesIn: 2,
      bytesOut: 5,
      service: 'reviews.default',
      rule: 'r/all',
      cluster: name,
      upstream: `127.0.0.1:${port}`,
      attempts: 1,
      remoteAddress: '127.0.0.1',
    });
  });

  it('names the application behind an inbound, and who was meant by mistake', async () => {
    const port = await world.app('app');
    const inbound = await world.inbound({ app: { host: '127.0.0.1', port } });
    await ask(inbound, '/', { headers: { host: 'reviews', 'x-sluice-instance': 'reviews.default/reviews-1' } });
    await ask(inbound, '/', { headers: { host: 'reviews', 'x-sluice-instance': 'reviews.default/reviews-2' } });
    const common = { service: 'reviews.default', rule: null, cluster: null, revision: null, instance: null };
    const [passed, refused] = world.lines;
    expect(passed).to.include({ ...common, status: 200, upstream: `127.0.0.1:${port}` });
    expect(refused).to.include({ ...common, status: 421, reason: 'wrong-instance', upstream: null });
  });

  it('counts the bytes of bodies, however they are framed', async () => {
    const outbound = await outboundTo(
      await appOf((request, response) => {
        request.resume().once('end', () => {
          for (let n = 0; n < 10; n++) response.write('y'.repeat(10_000));
          response.end();
        });
      }),
    );
    const agent = new Agent({ keepAlive: true });
    for (const headers of [{ 'transfer-encoding': 'chunked' }, { 'content-length': '100000' }]) {
      await ask(outbound, '/', {
        method: 'POST',
        headers: { host: 'reviews', ...headers },
        body: 'x'.repeat(100_000),
        agent,
      });
    }
    agent.destroy();
    const bytes = world.lines.map(({ bytesIn, bytesOut }) =>
      [bytesIn, bytesOut].map((of) => Math.floor(Number(of) / 1_000)),
    );
    expect(bytes).to.deep.equal([
      [100, 100],
      [100, 100],
    ]);
  });
});
