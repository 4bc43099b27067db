import { EventEmitter, once } from 'node:events';
import { Agent, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { HealthStatus, HTTPFault } from '../../../../proto/types.ts';
import { route, routeConfiguration, sticky, weighted } from '../../routing/resources.ts';
import { assignment, name, serviceResources, withAssignment, withRoutes } from '../view/resources.ts';
import { ask, askRaw, ManualClock, reasonOf, runLoad, World, withoutTrace } from './world.ts';

const v1 = 'reviews.default|http|v1';
const v2 = 'reviews.default|http|v2';

describe('outbound', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** The service reviews with one instance behind each of v1 and v2. */
  async function reviews(weights: Record<string, number> = { [v1]: 1 }, timeoutMs = 0) {
    const [first, second] = [await world.app('v1'), await world.app('v2')];
    const timeout = { seconds: 0, nanos: timeoutMs * 1_000_000 };
    return serviceResources({
      routes: [route('all', { ...weighted(weights), timeout })],
      clusters: { [v1]: [{ id: 'reviews-1', port: first }], [v2]: [{ id: 'reviews-2', port: second }] },
    });
  }

  describe('finds the service', () => {
    for (const { by, host, target = '/' } of [
      { by: 'a name without namespace', host: 'reviews' },
      { by: 'a name with namespace', host: 'reviews.default' },
      { by: 'a name in upper case with a port', host: 'Reviews.Default:9080' },
      { by: 'a name with a dot behind it', host: 'reviews.default.' },
      { by: 'an absolute target, whatever the Host', host: 'other', target: 'http://reviews:9080/' },
      { by: 'an absolute target without a path', host: 'other', target: 'http://reviews' },
    ]) {
      it(`by ${by}`, async () => {
        world.directory.swap(await reviews());
        const outbound = await world.outbound();
        expect((await ask(outbound, target, { headers: { host } })).body).to.equal('v1');
      });
    }

    it('by an alias', async () => {
      const resources = await reviews();
      const alias = name('com.example.facade', ['reviews.default:9080'], 'reviews.default');
      world.directory.swap({ ...resources, names: new Map(resources.names).set(alias.name, alias) });
      const outbound = await world.outbound();
      expect((await ask(outbound, '/', { headers: { host: 'com.example.Facade' } })).body).to.equal('v1');
    });
  });

  describe('does not know the service yet', () => {
    it('and waits until the mesh has told it', async () => {
      const resources = await reviews();
      world.directory.answer = () => {
        world.directory.swap(resources);
        return 'known';
      };
      const outbound = await world.outbound();
      expect((await ask(outbound, '/')).body).to.equal('v1');
      expect((await ask(outbound, '/')).body).to.equal('v1');
      expect(world.directory.asked).to.deep.equal(['reviews.default']);
    });

    it('and asks once for all requests that wait for it', async () => {
      const resources = await reviews();
      const told = new EventEmitter();
      world.directory.answer = async () => (await once(told, 'answer'))[0];
      const outbound = await world.outbound();
      const answers = Array.from({ length: 10 }, () => ask(outbound, '/'));
      while (world.statistics.snapshot().active < 10) await new Promise(setImmediate);
      world.directory.swap(resources);
      told.emit('answer', 'known');
      expect((await Promise.all(answers)).map(({ body }) => body)).to.deep.equal(
        Array.from({ length: 10 }, () => 'v1'),
      );
      expect(world.directory.asked).to.deep.equal(['reviews.default']);
    });

    it('and says 404 when there is none', async () => {
      const outbound = await world.outbound();
      expect(reasonOf(await ask(outbound, '/', { headers: { host: 'nobody' } }))).to.deep.equal({
        status: 404,
        reason: 'no-route',
        sentence: '"nobody" is no service of the mesh',
      });
    });

    for (const { when, resolution, obstacle, why } of [
      {
        when: 'nobody can be asked',
        resolution: 'unavailable',
        obstacle: 'no server is there',
        why: 'no server is there',
      },
      { when: 'nobody answers', resolution: 'unavailable', obstacle: '', why: 'the control plane has not answered' },
      {
        when: 'what came for it cannot be used',
        resolution: 'unusable',
        obstacle: '',
        why: 'what the control plane sent for it cannot be used',
      },
    ] as const) {
      it(`and says 503 and why when ${when}`, async () => {
        world.directory.answer = () => resolution;
        world.directory.obstacle = obstacle;
        const outbound = await world.outbound();
        expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
          status: 503,
          reason: 'unavailable',
          sentence: `whether "reviews" is a service of the mesh is not known: ${why}`,
        });
      });
    }

    it('and says 503 when the answer takes longer than 3 s', async () => {
      const clock = new ManualClock();
      world.directory.answer = () => {
        setImmediate(() => clock.pass(3_000));
        return new Promise(() => {});
      };
      const outbound = await world.outbound({ clock });
      expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
        status: 503,
        reason: 'unavailable',
        sentence:
          'whether "reviews" is a service of the mesh is not known: the control plane did not answer within 3000 ms',
      });
    });

    it('and does not ask the mesh for an address', async () => {
      const outbound = await world.outbound();
      const { status } = await ask(outbound, '/', { headers: { host: '127.0.0.1:15001' } });
      expect({ status, asked: world.directory.asked }).to.deep.equal({ status: 404, asked: [] });
    });

    for (const { what, resolution } of [
      { what: 'there is none', resolution: 'absent' },
      { what: 'nobody can be asked', resolution: 'unavailable' },
    ] as const) {
      it(`and forwards an absolute target to where it was going when ${what}`, async () => {
        world.directory.answer = () => resolution;
        const seen: unknown[] = [];
        const port = await world.app('outside', ({ url, headers }, response) => {
          seen.push(url, headers.host, headers['x-sluice-instance']);
          response.end('outside');
        });
        const outbound = await world.outbound();
        const headers = { host: 'ignored', 'x-sluice-instance': 'a/b' };
        expect((await ask(outbound, `http://localhost:${port}/a?b`, { headers })).body).to.equal('outside');
        expect(seen).to.deep.equal(['/a?b', `localhost:${port}`, undefined]);
      });
    }
  });

  it('keeps connections to hosts outside the mesh', async () => {
    const sockets = new Set<unknown>();
    const port = await world.app('outside', (request, response) => {
      sockets.add(request.socket);
      response.end('outside');
    });
    const outbound = await world.outbound();
    for (let n = 0; n < 10; n++) expect((await ask(outbound, `http://127.0.0.1:${port}/`)).body).to.equal('outside');
    expect(sockets.size).to.equal(1);
  });

  for (const status of [204, 205, 304]) {
    it(`answers an injected ${status} without a body, and the connection goes on`, async () => {
      const fault = { abort: { httpStatus: status, percentage: { numerator: 100 } } };
      const filter = { type_url: HTTPFault.typeUrl, value: HTTPFault.encode(fault) };
      const injected = {
        ...route('broken', { cluster: v1 }, { path: '/broken' }),
        typedPerFilterConfig: { 'envoy.filters.http.fault': filter },
      };
      const resources = await reviews();
      world.directory.swap(withRoutes(resources, routeConfiguration([injected, route('all', { cluster: v1 })])));
      const outbound = await world.outbound();
      const bytes = ['/broken', '/'].map((path) => `GET ${path} HTTP/1.1\r\nHost: reviews\r\n`);
      const answers = await askRaw(outbound, `${bytes[0]}\r\n${bytes[1]}Connection: close\r\n\r\n`);
      expect(answers).to.match(
        new RegExp(
          `^HTTP/1.1 ${status} [^]*x-sluice-reason: fault\\r\\n\\r\\nHTTP/1.1 200 OK[^]*v1$`.replaceAll(
            '[^]',
            '[\\s\\S]',
          ),
        ),
      );
    });
  }

  it('says which ports a service has when asked for another', async () => {
    world.directory.swap(await reviews());
    const outbound = await world.outbound();
    expect(reasonOf(await ask(outbound, '/', { headers: { host: 'reviews:1234' } }))).to.deep.equal({
      status: 404,
      reason: 'no-route',
      sentence: 'reviews.default has no port 1234; it has 9080',
    });
  });

  it('says so when no rule takes the request', async () => {
    const resources = await reviews();
    world.directory.swap(withRoutes(resources, routeConfiguration([route('a', { cluster: v1 }, { path: '/a' })])));
    const outbound = await world.outbound();
    expect(reasonOf(await ask(outbound, '/b?c=d'))).to.deep.equal({
      status: 404,
      reason: 'no-route',
      sentence: 'no rule of reviews.default:9080 takes GET /b?c=d',
    });
  });

  it('says 503 when no instance takes requests', async () => {
    const resources = await reviews();
    const drained = [HealthStatus.UNHEALTHY, HealthStatus.DRAINING].map((health, index) => ({
      port: index + 1,
      health,
    }));
    world.directory.swap(withAssignment(resources, assignment(v1, drained)));
    const outbound = await world.outbound();
    expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
      status: 503,
      reason: 'no-healthy-instance',
      sentence: `reviews.default, subset v1 has no instance that takes requests`,
    });
  });

  it('gives 10,000 requests at 90:10 to v2 1,000 times, give or take one', async () => {
    world.directory.swap(await reviews({ [v1]: 90, [v2]: 10 }));
    const outbound = await world.outbound();
    const load = await runLoad(outbound, { clients: 20, requests: 500 });
    expect(load.answers.filter((answer) => answer === '200 v2').length).to.be.within(999, 1_001);
    expect(world.statistics.snapshot().clusters[v2]?.requests).to.be.within(999, 1_001);
  });

  it('loses no request and closes no connection while the rules change 100 times', async () => {
    const resources = await reviews();
    world.directory.swap(resources);
    const outbound = await world.outbound();
    const load = runLoad(outbound, { clients: 8, requests: 250 });
    for (let n = 0; n < 100; n++) {
      const weights = { [v1]: n, [v2]: 100 - n };
      world.directory.swap(withRoutes(resources, routeConfiguration([route('all', weighted(weights))])));
      await new Promise(setImmediate);
    }
    const { answers, connections } = await load;
    expect(answers.filter((answer) => !/^200 v[12]$/.test(answer))).to.deep.equal([]);
    expect({ answers: answers.length, connections }).to.deep.equal({ answers: 2_000, connections: 8 });
  });

  it('issues a sticky cookie and sends the user who brings it to the same backend', async () => {
    const resources = await reviews();
    const canary = sticky({ [v1]: 50, [v2]: 50 }, { cookie: 'canary' });
    world.directory.swap(withRoutes(resources, routeConfiguration([route('canary', canary)])));
    const outbound = await world.outbound();
    const first = await ask(outbound, '/');
    const [setCookie = ''] = first.headers['set-cookie'] ?? [];
    expect(setCookie).to.match(/^canary=[0-9a-z]+; Path=\/$/);
    const headers = { host: 'reviews', cookie: setCookie.split(';')[0] ?? '' };
    const again = await Promise.all(Array.from({ length: 10 }, () => ask(outbound, '/', { headers })));
    expect(new Set(again.map(({ body }) => body))).to.deep.equal(new Set([first.body]));
    expect(again.flatMap((answer) => answer.headers['set-cookie'] ?? [])).to.deep.equal([]);
  });

  describe('answers to what is no good request', () => {
    for (const { what, bytes, status, reason, sentence } of [
      {
        what: 'one without a Host',
        bytes: 'GET / HTTP/1.1\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence: 'this is no HTTP/1.1 request that can be passed on: the request has no Host header (RFC 9112, 3.2)',
      },
      {
        what: 'one with two Hosts',
        bytes: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence:
          'this is no HTTP/1.1 request that can be passed on: the request has several Host headers (RFC 9112, 3.2)',
      },
      {
        what: 'an empty Host',
        bytes: 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence: 'the request has no Host header, so it does not say which service it is for',
      },
      {
        what: 'a bad port',
        bytes: 'GET / HTTP/1.1\r\nHost: reviews:99999\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence: '"reviews:99999" is no host with or without a port',
      },
      {
        what: 'an absolute target with a user name',
        bytes: 'GET http://me:secret@reviews/ HTTP/1.1\r\nHost: reviews\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence:
          'this is no HTTP/1.1 request that can be passed on: the host of the request has a character that no host has (RFC 9112, 3.2)',
      },
      {
        what: 'an absolute target without a host',
        bytes: 'GET http:///x HTTP/1.1\r\nHost: reviews\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence:
          'this is no HTTP/1.1 request that can be passed on: the request target is neither a path nor an http:// URL (RFC 9112, 3.2)',
      },
      {
        what: 'an absolute target of another scheme',
        bytes: 'GET ftp://reviews/ HTTP/1.1\r\nHost: reviews\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence:
          'this is no HTTP/1.1 request that can be passed on: the request target is neither a path nor an http:// URL (RFC 9112, 3.2)',
      },
      {
        what: 'bytes that are no HTTP',
        bytes: 'hello\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence: 'this is no HTTP/1.1 request that can be passed on: the method is no token (RFC 9110, 9.1)',
      },
      {
        what: 'both ways to say where the body ends',
        bytes: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        status: 400,
        reason: 'bad-request',
        sentence:
          'this is no HTTP/1.1 request that can be passed on: Content-Length and Transfer-Encoding stand side by side (RFC 9112, 6.1)',
      },
      {
        what: 'a head of 70 KiB',
        bytes: `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(70 * 1024)}\r\n\r\n`,
        status: 431,
        reason: 'head-too-large',
        sentence: 'this is no HTTP/1.1 request that can be passed on: the head is too large (RFC 6585, 5)',
      },
    ]) {
      it(what, async () => {
        const outbound = await world.outbound();
        const answer = await askRaw(outbound, bytes.replace(/\r\n\r\n/, '\r\nConnection: close\r\n\r\n'));
        const [head = '', body = ''] = answer.split('\r\n\r\n');
        expect(head)
          .to.match(new RegExp(`^HTTP/1.1 ${status} `))
          .and.to.include(`x-sluice-reason: ${reason}`);
        expect(body).to.equal(`${sentence}\n`);
        expect(world.statistics.snapshot().refused).to.deep.equal({ [reason]: 1 });
      });
    }

    it('and goes on serving others', async () => {
      world.directory.swap(await reviews());
      const outbound = await world.outbound();
      await Promise.all(
        ['\0\0\0', 'GET', '{"a":1}\r\n\r\n', 'GET / HTTP/9\r\n\r\n'].map((bytes) =>
          askRaw(outbound, `${bytes}\r\n\r\n`),
        ),
      );
      expect((await ask(outbound, '/')).body).to.equal('v1');
    });
  });

  it('serves the offer of h2c as HTTP/1.1', async () => {
    world.directory.swap(await reviews());
    const outbound = await world.outbound();
    const headers = {
      host: 'reviews',
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABk',
    };
    expect((await ask(outbound, '/', { headers })).body).to.equal('v1');
  });

  it('finishes what is under way when it is closed, and accepts nothing more', async () => {
    const arrived = new EventEmitter();
    const port = await world.app('slow', (_request, response) => void arrived.emit('request', response));
    world.directory.swap(serviceResources({ routes: [route('all', { cluster: v1 })], clusters: { [v1]: [{ port }] } }));
    const outbound = await world.outbound({ drainTimeoutMs: 10_000 });
    const idle = new Agent({ keepAlive: true });
    const answer = ask(outbound, '/', { agent: idle });
    const [response] = (await once(arrived, 'request')) as [ServerResponse];
    const closed = outbound.close();
    const refused = await ask(outbound, '/').catch((error: NodeJS.ErrnoException) => error.code);
    response.end('slow');
    expect((await answer).body).to.equal('slow');
    await closed;
    idle.destroy();
    expect(refused).to.equal('ECONNREFUSED');
  });

  it('is one service alone on an upstream port, whatever the Host says', async () => {
    const resources = await reviews();
    const seen: unknown[] = [];
    const port = await world.app('app', ({ headers }, response) => {
      seen.push(headers.host);
      response.end('app');
    });
    world.directory.swap(withAssignment(resources, assignment(v1, [{ port }])));
    const upstream = await world.upstream('reviews.default', 9080);
    expect((await ask(upstream, '/', { headers: { host: 'localhost:19080' } })).body).to.equal('app');
    expect(seen).to.deep.equal(['localhost:19080']);
  });

  it('says on an upstream port that its service is unknown', async () => {
    const upstream = await world.upstream('ratings.default');
    expect(reasonOf(await ask(upstream, '/'))).to.deep.equal({
      status: 404,
      reason: 'no-route',
      sentence: '"ratings.default" is no service of the mesh',
    });
  });

  it('says that there was a proxy, and nothing of where a request came from, if it is asked to', async () => {
    const port = await world.app('app', (request, response) => response.end(JSON.stringify(request.headers)));
    world.directory.swap(serviceResources({ routes: [route('', { cluster: v1 })], clusters: { [v1]: [{ port }] } }));
    const outbound = await world.outbound({ forwarded: ['x-forwarded-for', 'forwarded', 'via'] });
    const headers = JSON.parse((await ask(outbound, '/')).body);
    expect(withoutTrace(headers)).to.deep.equal({ host: 'reviews', via: '1.1 sluice' });
  });

  it('counts what it did', async () => {
    world.directory.swap(await reviews({ [v1]: 1, [v2]: 1 }));
    const outbound = await world.outbound();
    for (let n = 0; n < 4; n++) await ask(outbound, '/');
    await ask(outbound, '/', { headers: { host: 'nobody' } });
    const { clusters, bytesIn, bytesOut, durations, ...all } = world.statistics.snapshot();
    expect(all).to.deep.equal({
      requests: 5,
      active: 0,
      passed: { '2xx': 4 },
      refused: { 'no-route': 1 },
      answered: { '2xx': 4, '4xx': 1 },
      brokenOff: 0,
      clientGone: 0,
      attempts: { unreachable: 0, 'wrong-instance': 0, 'app-unreachable': 0, 'stale-connection': 0, retry: 0 },
      mirrors: { sent: 0, failed: 0, 'left-out': 0 },
      connections: { accepted: 5, refused: 0 },
    });
    expect(durations.count).to.equal(5);
    expect(Object.values(clusters).reduce((sum, of) => sum + of.bytesIn, 0)).to.be.within(1, bytesIn - 1);
    expect(Object.values(clusters).reduce((sum, of) => sum + of.bytesOut, 0)).to.be.within(1, bytesOut - 1);
    expect(Object.keys(clusters)).to.deep.equal([v1, v2]);
    for (const { requests, passed, rules } of Object.values(clusters)) {
      expect({ requests, passed }).to.deep.equal({ requests: 2, passed: { '2xx': 2 } });
      expect(Object.values(rules).map((rule) => rule.requests)).to.deep.equal([2]);
    }
  });
});
