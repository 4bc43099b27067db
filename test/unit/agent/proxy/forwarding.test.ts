import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { Agent, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { Clock } from '../../../../process/clock.ts';
import { route } from '../../routing/resources.ts';
import { type EndpointWords, serviceResources } from '../view/resources.ts';
import { type Ask, ask, ManualClock, reasonOf, World, withoutTrace } from './world.ts';

const all = 'reviews.default|http|';

/** A second is over before anything else happens. */
class HastyClock extends ManualClock {
  override after(delayMs: number, run: () => void): () => void {
    const callOff = super.after(delayMs, run);
    if (delayMs === 1_000) queueMicrotask(() => this.pass(1_000));
    return callOff;
  }
}

describe('forwarding', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** An outbound to one service with these endpoints. */
  function outboundTo(endpoints: readonly EndpointWords[], timeoutMs = 0, clock?: Clock): Promise<ProxyListener> {
    const timeout = { seconds: 0, nanos: timeoutMs * 1_000_000 };
    world.directory.swap(
      serviceResources({ routes: [route('', { cluster: all, timeout })], clusters: { [all]: endpoints } }),
    );
    // The first instance is always asked first.
    return world.outbound({ random: () => 0, ...(clock && { clock }) });
  }

  /** An instance that answers the method, target, headers and body it was sent. */
  function echo(): Promise<number> {
    return world.app('echo', async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
    });
  }

  /** An inbound that has become another instance. */
  function someoneElse(): Promise<number> {
    return world.app('else', (request, response) => {
      request.resume();
      response.writeHead(421, { 'x-sluice-reason': 'wrong-instance' }).end('no');
    });
  }

  /** An inbound whose application is down: no byte of the request reached it. */
  function withoutApp(): Promise<number> {
    return world.app('down', (request, response) => {
      request.resume();
      response.writeHead(503, { 'x-sluice-reason': 'upstream-connect-failure' }).end('no');
    });
  }

  function activeRequests(): number[] {
    return [...world.directory.view.clusters.values()].flatMap(({ endpoints }) =>
      endpoints.map(({ load }) => load.active),
    );
  }

  it('takes interim answers to each of many requests over one connection', async () => {
    let connections = 0;
    const port = await world.tcp((socket) => {
      connections++;
      const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
      socket.on('data', () => socket.write(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`));
    });
    const outbound = await outboundTo([{ port }]);
    const statuses = new Set<number>();
    for (let n = 0; n < 40; n++) statuses.add((await ask(outbound, '/')).status);
    expect({ statuses: [...statuses], connections }).to.deep.equal({ statuses: [200], connections: 1 });
  });

  describe('passes on', () => {
    it('method, target, headers and body', async () => {
      const outbound = await outboundTo([{ id: 'reviews-1', port: await echo() }]);
      const answer = await ask(outbound, '/a/../b?c=%20', {
        method: 'PUT',
        headers: { host: 'reviews:9080', 'x-one': '1' },
        body: 'hello',
      });
      const echoed = JSON.parse(answer.body);
      expect({ ...echoed, headers: withoutTrace(echoed.headers) }).to.deep.equal({
        method: 'PUT',
        url: '/a/../b?c=%20',
        headers: {
          host: 'reviews:9080',
          'x-one': '1',
          'content-length': '5',
          'x-sluice-instance': 'reviews.default/reviews-1',
        },
        body: 'hello',
      });
    });

    for (const { what, sent, want } of [
      {
        what: 'nothing that is about the connection',
        sent: {
          connection: 'close, X-Hop',
          'x-hop': '1',
          'keep-alive': '5',
          te: 'trailers',
          'proxy-authorization': 'x',
        },
        want: {},
      },
      {
        what: 'what a client may not declare to be about the connection',
        sent: { connection: 'close, cookie, authorization', cookie: 'a=1', authorization: 'b' },
        want: { cookie: 'a=1', authorization: 'b' },
      },
      {
        what: 'its own word on whom the request is meant for, not the client’s',
        sent: { connection: 'close', 'X-Sluice-Instance': 'reviews.default/evil' },
        want: {},
      },
      {
        what: 'nothing of the client that looks like the word of an agent, but who it says that it is to the control plane',
        sent: { 'x-sluice-reason': 'timeout', 'X-SLUICE-Whatever': '1', 'x-sluice-by': 'ann', 'x-sluicer': '2' },
        want: { 'x-sluice-by': 'ann', 'x-sluicer': '2' },
      },
    ]) {
      it(what, async () => {
        const outbound = await outboundTo([{ id: 'r1', port: await echo() }]);
        const answer = await ask(outbound, '/', { headers: { host: 'reviews', ...sent } });
        expect(withoutTrace(JSON.parse(answer.body).headers)).to.deep.equal({
          host: 'reviews',
          'x-sluice-instance': 'reviews.default/r1',
          ...want,
        });
      });
    }

    it('to an instance without agent nothing that only an agent would read', async () => {
      const outbound = await outboundTo([{ id: 'r1', agent: false, port: await echo() }]);
      const sent = { host: 'reviews', 'x-sluice-instance': 'reviews.default/evil' };
      const { headers } = JSON.parse((await ask(outbound, '/', { headers: sent })).body);
      expect(withoutTrace(headers)).to.deep.equal({ host: 'reviews' });
      expect(world.lines[0]).to.include({ instance: 'r1' });
    });

    for (const { who, endpoint, want } of [
      { who: 'an agent', endpoint: { id: 'r1' }, want: 'fault' },
      { who: 'an instance without agent', endpoint: { id: 'r1', agent: false }, want: undefined },
      { who: 'an instance of which nobody knows more than its address', endpoint: {}, want: undefined },
    ]) {
      it(`the reason in an answer of ${who}: ${want ?? 'not at all'}`, async () => {
        const port = await world.app('app', (_request, response) =>
          response.writeHead(503, { 'x-sluice-reason': 'fault', 'x-other': '1' }).end('app'),
        );
        const { status, headers, body } = await ask(await outboundTo([{ ...endpoint, port }]), '/');
        expect([status, body, headers['x-other'], headers['x-sluice-reason']]).to.deep.equal([503, 'app', '1', want]);
      });
    }

    it('what an application says instead of an agent, as its answer: nobody else is asked', async () => {
      const apps = [await withoutApp(), await withoutApp()].map((port, n) => ({ id: `r${n}`, agent: false, port }));
      const { status, headers, body } = await ask(await outboundTo(apps), '/');
      expect([status, headers['x-sluice-reason'], body]).to.deep.equal([503, undefined, 'no']);
    });

    for (const { what, options, want } of [
      { what: 'a POST without a body', options: { method: 'POST' }, want: { 'content-length': '0' } },
      {
        what: 'a GET with a body',
        options: { body: 'x', headers: { host: 'r', 'content-length': '1' } },
        want: { 'content-length': '1' },
      },
      {
        what: 'a GET with a body in chunks',
        options: { body: 'x', headers: { host: 'r', 'transfer-encoding': 'chunked' } },
        want: { 'transfer-encoding': 'chunked' },
      },
      { what: 'a DELETE', options: { method: 'DELETE' }, want: {} },
    ] satisfies { what: string; options: Ask; want: object }[]) {
      it(`how the body of ${what} ends`, async () => {
        const outbound = await outboundTo([{ port: await echo() }]);
        const { headers, body } = JSON.parse((await ask(outbound, 'http://reviews/', options)).body);
        const { host: _host, ...framing } = withoutTrace(headers);
        expect({ framing, body }).to.deep.equal({ framing: want, body: options.body ?? '' });
      });
    }

    it('status, reason phrase and repeated headers of the answer', async () => {
      const port = await world.app('app', (_request, response) => {
        response.writeHead(207, 'Quite', [
          'Set-Cookie',
          'a=1',
          'Set-Cookie',
          'b=2',
          'Connection',
          'X-Hop',
          'X-Hop',
          '1',
          'X-End',
          '2',
        ]);
        response.end('body');
      });
      const { status, headers, body } = await ask(await outboundTo([{ port }]), '/');
      expect({ status, body }).to.deep.equal({ status: 207, body: 'body' });
      expect(headers)
        .to.deep.include({ 'set-cookie': ['a=1', 'b=2'], 'x-end': '2' })
        .and.to.not.have.property('x-hop');
    });

    for (const { what, method, status, headers } of [
      { what: 'an answer to HEAD', method: 'HEAD', status: 200, headers: { 'content-length': '5' } },
      { what: 'an answer without content', method: 'GET', status: 204, headers: {} },
      { what: 'an answer that nothing was modified', method: 'GET', status: 304, headers: { etag: '"1"' } },
    ]) {
      it(`${what}, and goes on with the connection`, async () => {
        const port = await world.app('app', (_request, response) => response.writeHead(status, headers).end());
        const outbound = await outboundTo([{ port }]);
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const answers = [await ask(outbound, '/', { method, agent }), await ask(outbound, '/', { method, agent })];
        agent.destroy();
        expect(answers.map((answer) => answer.status)).to.deep.equal([status, status]);
        expect(answers[0]?.headers).to.include(headers);
      });
    }

    it('128 MiB up and down, without running ahead of a slow reader', async () => {
      const port = await world.app('mirror', (request, response) => request.pipe(response));
      const outbound = await outboundTo([{ port }]);
      const chunk = randomBytes(64 * 1024);
      const [sent, received] = [createHash('sha256'), createHash('sha256')];
      const progress = { sent: 0, received: 0, greatestLead: 0 };
      const upload = Readable.from(
        (function* () {
          for (let n = 0; n < 2_048; n++) {
            sent.update(chunk);
            progress.sent += chunk.length;
            progress.greatestLead = Math.max(progress.greatestLead, progress.sent - progress.received);
            yield chunk;
          }
        })(),
      );
      const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
      const sending = pipeline(upload, request);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      for await (const part of response as AsyncIterable<Buffer>) {
        received.update(part);
        progress.received += part.length;
        // Slow: everyone else gets a turn before the next part is read.
        await new Promise(setImmediate);
      }
      await sending;
      expect(progress.received).to.equal(128 * 1024 * 1024);
      expect(received.digest('hex')).to.equal(sent.digest('hex'));
      // What streams and the kernel hold for four connections, which it lets grow (tcp_rmem, tcp_wmem): 41 MB have been seen.
      expect(progress.greatestLead).to.be.below(64 * 1024 * 1024);
    });
  });

  describe('asks another instance', () => {
    it('when one cannot be connected to', async () => {
      const outbound = await outboundTo([{ port: await world.deadPort() }, { port: await echo() }]);
      const answer = await ask(outbound, '/', { method: 'POST', body: 'once' });
      expect(JSON.parse(answer.body).body).to.equal('once');
      expect(world.statistics.snapshot().attempts.unreachable).to.equal(1);
    });

    it('when one says that it is another', async () => {
      const outbound = await outboundTo([
        { id: 'a', port: await someoneElse() },
        { id: 'b', port: await echo() },
      ]);
      const body = 'x'.repeat(60_000);
      const answer = await ask(outbound, '/', { method: 'POST', body });
      const { headers, body: echoed } = JSON.parse(answer.body);
      expect(headers['x-sluice-instance']).to.equal('reviews.default/b');
      expect(echoed).to.equal(body);
      expect(world.statistics.snapshot().attempts['wrong-instance']).to.equal(1);
    });

    it('but not with a body that is too long to be kept', async () => {
      const outbound = await outboundTo([
        { id: 'a', port: await someoneElse() },
        { id: 'b', port: await echo() },
      ]);
      const { status, headers } = await ask(outbound, '/', { method: 'POST', body: 'x'.repeat(200_000) });
      expect([status, headers['x-sluice-reason']]).to.deep.equal([421, 'wrong-instance']);
    });

    it('but not for a 421 of an application', async () => {
      const port = await world.app('app', (_request, response) => response.writeHead(421).end('app'));
      const outbound = await outboundTo([{ port }, { port: await echo() }]);
      const { status, body } = await ask(outbound, '/');
      expect({ status, body }).to.deep.equal({ status: 421, body: 'app' });
    });

    it('when the application of one has died and no byte reached it', async () => {
      const outbound = await outboundTo([
        { id: 'a', port: await withoutApp() },
        { id: 'b', port: await echo() },
      ]);
      const answer = await ask(outbound, '/', { method: 'POST', body: 'once' });
      const { headers, body } = JSON.parse(answer.body);
      expect([headers['x-sluice-instance'], body]).to.deep.equal(['reviews.default/b', 'once']);
      expect(world.statistics.snapshot().attempts).to.deep.include({ 'app-unreachable': 1, unreachable: 0 });
    });

    it('but says 503 when the applications of all have died', async () => {
      const [first, second] = [await withoutApp(), await withoutApp()];
      const outbound = await outboundTo([
        { id: 'a', port: first },
        { id: 'b', port: second },
      ]);
      const { status, reason, sentence } = reasonOf(await ask(outbound, '/'));
      expect({ status, reason }).to.deep.equal({ status: 503, reason: 'upstream-connect-failure' });
      expect(sentence).to.match(
        new RegExp(
          `^reviews.default cannot be reached: 127.0.0.1:(${first}|${second}): its application takes no connections$`,
        ),
      );
      expect(world.statistics.snapshot().attempts['app-unreachable']).to.equal(1);
    });

    it('but not for a 503 of what is no inbound: the request named nobody', async () => {
      const outbound = await outboundTo([{ port: await withoutApp() }, { port: await echo() }]);
      const { status, body } = await ask(outbound, '/');
      expect({ status, body }).to.deep.equal({ status: 503, body: 'no' });
    });

    it('but each only once, and says why none could be reached', async () => {
      const [first, second] = [await world.deadPort(), await world.deadPort()];
      const outbound = await outboundTo([{ port: first }, { port: second }]);
      const { status, reason, sentence } = reasonOf(await ask(outbound, '/'));
      expect({ status, reason }).to.deep.equal({ status: 503, reason: 'upstream-connect-failure' });
      expect(sentence).to.match(
        new RegExp(`^reviews.default cannot be reached: 127.0.0.1:(${first}|${second}): connect ECONNREFUSED`),
      );
      expect(world.statistics.snapshot().attempts.unreachable).to.equal(1);
    });

    it('but does not wait long for any of them', async () => {
      // A second passes before either can accept.
      const outbound = await outboundTo([{ port: await echo() }, { port: await echo() }], 0, new HastyClock());
      const { status, sentence } = reasonOf(await ask(outbound, '/'));
      expect(status).to.equal(503);
      expect(sentence).to.match(/it did not accept the connection in time$/);
      expect(world.statistics.snapshot().attempts.unreachable).to.equal(1);
    });
  });

  describe('meets a kept connection that has just been closed', () => {
    /** Answers the first request of each connection, and ends it when the next one comes. */
    function closesOnSecond(): Promise<number> {
      return world.tcp((socket) => {
        let requests = 0;
        socket.on('data', () => {
          requests++;
          if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          else socket.destroy();
        });
      });
    }

    it('and repeats a GET on a new one', async () => {
      const outbound = await outboundTo([{ port: await closesOnSecond() }]);
      const bodies = [await ask(outbound, '/'), await ask(outbound, '/')].map(({ body }) => body);
      expect(bodies).to.deep.equal(['ok', 'ok']);
      expect(world.statistics.snapshot().attempts['stale-connection']).to.equal(1);
    });

    it('and does not try the others that were kept, which are probably closed too', async () => {
      const outbound = await outboundTo([{ port: await closesOnSecond() }]);
      await Promise.all([ask(outbound, '/'), ask(outbound, '/')]);
      expect((await ask(outbound, '/')).body).to.equal('ok');
      expect(world.statistics.snapshot().attempts['stale-connection']).to.equal(1);
    });

    it('and repeats it once, over a new connection, however many others are kept meanwhile', async () => {
      let requests = 0;
      const port = await world.tcp((socket) => {
        let ofThis = 0;
        socket.on('data', (bytes) => {
          const isAgain = ++ofThis > 1;
          if (String(bytes).includes('/stale')) {
            requests++;
            if (isAgain) return socket.destroy();
          }
          return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      });
      const outbound = await outboundTo([{ port }]);
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      let isOver = false;
      const load = Array.from({ length: 8 }, async () => {
        while (!isOver) await ask(outbound, '/', { agent });
      });
      for (let n = 0; n < 50; n++) expect((await ask(outbound, '/stale', { method: 'PUT' })).status).to.equal(200);
      isOver = true;
      await Promise.all(load);
      agent.destroy();
      expect(requests).to.be.within(50, 100);
      expect(world.lines.map(({ attempts }) => attempts)).to.satisfy((all: number[]) => Math.max(...all) <= 2);
    });

    it('but repeats nothing that was under way for longer: it was being carried out', async () => {
      const clock = new ManualClock();
      const port = await world.tcp((socket) => {
        let requests = 0;
        socket.on('data', () => {
          requests++;
          if (requests === 1) return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          clock.pass(1_500);
          return socket.destroy();
        });
      });
      const outbound = await outboundTo([{ port }], 0, clock);
      await ask(outbound, '/');
      const { status, reason } = reasonOf(await ask(outbound, '/'));
      expect({ status, reason }).to.deep.equal({ status: 502, reason: 'upstream-reset' });
    });

    it('and does not repeat a POST, which may have been carried out', async () => {
      const outbound = await outboundTo([{ port: await closesOnSecond() }]);
      await ask(outbound, '/');
      const { status, reason, sentence } = reasonOf(await ask(outbound, '/', { method: 'POST', body: 'pay' }));
      expect({ status, reason }).to.deep.equal({ status: 502, reason: 'upstream-reset' });
      expect(sentence).to.match(/^127\.0\.0\.1:\d+ ended the connection before it answered: /);
    });
  });

  describe('says 502', () => {
    for (const { what, bytes, why } of [
      { what: 'when the connection ends without an answer', bytes: '', why: 'upstream-reset' },
      { what: 'when it ends in the head of an answer', bytes: 'HTTP/1.1 200 OK\r\nContent-', why: 'upstream-reset' },
      { what: 'when what comes back is no HTTP', bytes: 'hello\r\n\r\n', why: 'upstream-malformed' },
    ]) {
      it(what, async () => {
        const port = await world.tcp((socket) => void socket.once('data', () => socket.end(bytes)));
        const { status, reason } = reasonOf(await ask(await outboundTo([{ port }]), '/'));
        expect({ status, reason }).to.deep.equal({ status: 502, reason: why });
        expect(activeRequests()).to.deep.equal([0]);
      });
    }
  });

  it('breaks the answer off when the upstream breaks off', async () => {
    const port = await world.tcp(
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
    );
    const failure = await ask(await outboundTo([{ port }]), '/').catch((error: NodeJS.ErrnoException) => error.code);
    expect(failure).to.equal('ECONNRESET');
    expect(world.statistics.snapshot()).to.deep.include({ brokenOff: 1, active: 0 });
  });

  for (const { what, start } of [
    { what: 'a status that is none', start: 'HTTP/1.1 099 Odd' },
    { what: 'a control character', start: 'HTTP/1.1 200 O\u0001K' },
  ]) {
    it(`ends the connection to an upstream whose answer cannot be passed on: ${what}`, async () => {
      const ended = new EventEmitter();
      const port = await world.tcp((socket) => {
        socket.once('close', () => ended.emit('ended'));
        socket.once('data', () => socket.write(`${start}\r\nContent-Length: 100\r\n\r\nhalf`));
      });
      const outbound = await outboundTo([{ port }]);
      const isEnded = once(ended, 'ended');
      const { status, reason } = reasonOf(await ask(outbound, '/'));
      expect({ status, reason }).to.deep.equal({ status: 502, reason: 'upstream-malformed' });
      await isEnded;
      expect(activeRequests()).to.deep.equal([0]);
    });
  }

  describe('when time is up', () => {
    it('says 504 and ends the connection to the instance', async () => {
      const clock = new ManualClock();
      const ended = new EventEmitter();
      const port = await world.app('silent', (request) => {
        request.socket.once('close', () => ended.emit('ended'));
        clock.pass(1_500);
      });
      const isEnded = once(ended, 'ended');
      expect(reasonOf(await ask(await outboundTo([{ port }], 1_500, clock), '/'))).to.deep.equal({
        status: 504,
        reason: 'timeout',
        sentence: 'reviews.default did not answer within 1500 ms, the timeout of its rule',
      });
      await isEnded;
      expect(activeRequests()).to.deep.equal([0]);
    });

    it('breaks off an answer that has begun', async () => {
      const clock = new ManualClock();
      const port = await world.app('slow', (_request, response) => {
        response.write('begun');
      });
      const outbound = await outboundTo([{ port }], 500, clock);
      const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response, 'data');
      clock.pass(500);
      const [error] = await once(response, 'error');
      expect(error.code).to.equal('ECONNRESET');
      expect(world.statistics.snapshot()).to.deep.include({ brokenOff: 1 });
    });

    it('is in time when the answer is whole before', async () => {
      const clock = new ManualClock();
      const outbound = await outboundTo([{ port: await echo() }], 500, clock);
      expect((await ask(outbound, '/')).status).to.equal(200);
      clock.pass(1_000);
      expect(world.statistics.snapshot().passed).to.deep.equal({ '2xx': 1 });
    });
  });

  describe('when the client goes', () => {
    async function goWhile(stage: 'waiting' | 'reading'): Promise<void> {
      const events = new EventEmitter();
      const port = await world.app('app', (request, response) => {
        request.socket.once('close', () => events.emit('ended'));
        if (stage === 'reading') response.write('begun');
        events.emit('arrived');
      });
      const clock = new ManualClock();
      const outbound = await outboundTo([{ port }], 0, clock);
      const [arrived, ended] = [once(events, 'arrived'), once(events, 'ended')];
      const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
      request.on('error', () => {});
      await arrived;
      if (stage === 'reading') await once(request, 'response');
      request.destroy();
      // It has only said that it sends nothing more; that it reads nothing either shows after a while.
      const passing = setInterval(() => clock.pass(5_000), 10);
      await ended.finally(() => clearInterval(passing));
    }

    for (const stage of ['waiting', 'reading'] as const) {
      it(`while ${stage}, ends the request to the instance`, async () => {
        await goWhile(stage);
        while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
        expect(world.statistics.snapshot()).to.deep.include({ clientGone: 1 });
        expect(activeRequests()).to.deep.equal([0]);
      });
    }
  });

  it('goes on with a connection whose request was answered before it was read', async () => {
    const port = await world.app('hasty', (_request, response) => response.writeHead(413).end('too much'));
    const outbound = await outboundTo([{ port }]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) {
      statuses.push((await ask(outbound, '/', { method: 'POST', body: Buffer.alloc(1_000_000), agent })).status);
    }
    agent.destroy();
    expect(statuses).to.deep.equal([413, 413, 413]);
  });

  it('keeps connections to instances', async () => {
    const sockets = new Set<Socket>();
    const port = await world.app('app', ({ socket }: IncomingMessage, response: ServerResponse) => {
      sockets.add(socket);
      response.end();
    });
    const outbound = await outboundTo([{ port }]);
    for (let n = 0; n < 20; n++) await ask(outbound, '/');
    expect(sockets.size).to.equal(1);
  });
});
