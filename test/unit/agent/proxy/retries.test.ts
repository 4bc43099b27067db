import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import type { Input } from '../../../../proto/load.ts';
import type { Cluster, RetryPolicy, RouteAction } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { type Ask, ask, type Handler, ManualClock, reasonOf, World } from './world.ts';

const all = 'reviews.default|http|';

/** One that stands still, and remembers the pauses that were asked for. */
class PauseClock extends ManualClock {
  readonly pauses: number[] = [];
  readonly asked = new EventEmitter();

  override after(delayMs: number, run: () => void): () => void {
    const callOff = super.after(delayMs, run);
    this.pauses.push(delayMs);
    this.asked.emit('pause');
    return callOff;
  }
}

interface Given {
  readonly retry?: Input<RetryPolicy>;
  readonly action?: Input<RouteAction>;
  readonly policy?: Input<Cluster>;
  readonly options?: Partial<OutboundOptions>;
}

describe('retries', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** An outbound to instances that are asked in this order. */
  function outboundTo(
    ports: readonly number[],
    { retry, action, policy = {}, options }: Given,
  ): Promise<ProxyListener> {
    const target = { cluster: all, ...action, ...(retry && { retryPolicy: retry }) };
    world.directory.swap(
      serviceResources({
        routes: [route('reviews/split', target)],
        clusters: { [all]: ports.map((port) => ({ port })) },
        policies: { [all]: policy },
      }),
    );
    // No pause, and round robin begins with the first.
    return world.outbound({ random: () => 0, ...options });
  }

  const good = () => world.app('good');

  /** What each of them does to the one request it gets. */
  const failing: Readonly<Record<string, () => Promise<number>>> = {
    'takes no connection': () => world.deadPort(),
    'ends the connection': () => world.tcp((socket) => void socket.once('data', () => socket.destroy())),
    'ends the connection in the head of its answer': () =>
      world.tcp((socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-'))),
    'answers nonsense': () => world.tcp((socket) => void socket.once('data', () => socket.write('hello\r\n\r\n'))),
    'answers 500': () => world.app('500', (_request, response) => response.writeHead(500).end('500')),
    'answers 503': () => world.app('503', (_request, response) => response.writeHead(503).end('503')),
  };

  for (const { on, when, want, retries } of [
    { on: 'connect-failure', when: 'takes no connection', want: '200 good', retries: 1 },
    { on: 'connect-failure', when: 'ends the connection', want: '502 upstream-reset', retries: 0 },
    { on: 'reset', when: 'ends the connection', want: '200 good', retries: 1 },
    { on: 'reset', when: 'ends the connection in the head of its answer', want: '200 good', retries: 1 },
    { on: 'reset', when: 'answers nonsense', want: '200 good', retries: 1 },
    { on: 'reset', when: 'answers 503', want: '503 503', retries: 0 },
    { on: 'retriable-status-codes', when: 'answers 503', want: '200 good', retries: 1 },
    { on: 'retriable-status-codes', when: 'answers 500', want: '500 500', retries: 0 },
    { on: 'retriable-status-codes', when: 'ends the connection', want: '502 upstream-reset', retries: 0 },
    // Nothing was sent: another instance is asked in any case.
    { on: 'reset', when: 'takes no connection', want: '200 good', retries: 0 },
  ]) {
    it(`on ${on}: an instance that ${when} leads to ${want}`, async () => {
      const first = (await failing[when]?.()) ?? expect.fail();
      const outbound = await outboundTo([first, await good()], { retry: { retryOn: on, retriableStatusCodes: [503] } });
      const { status, headers, body } = await ask(outbound, '/', { method: 'POST', body: 'x' });
      expect(`${status} ${headers['x-sluice-reason'] ?? body}`).to.equal(want);
      expect(world.statistics.snapshot().attempts.retry).to.equal(retries);
      expect(world.underWay()).to.deep.equal({});
    });
  }

  it('on reset: also when the agent of the instance says that its application ended the connection', async () => {
    const resetting = await world.inbound({
      app: { host: '127.0.0.1', port: (await failing['ends the connection']?.()) ?? 0 },
      identity: { service: 'reviews.default', id: 'r1' },
    });
    const outbound = await outboundTo([1], { retry: { retryOn: 'reset' } });
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all, retryPolicy: { retryOn: 'reset' } })],
        clusters: { [all]: [{ id: 'r1', port: resetting.address.port }, { port: await good() }] },
      }),
    );
    const { status, body } = await ask(outbound, '/', { method: 'POST', body: 'x' });
    expect(`${status} ${body}`).to.equal('200 good');
    expect(world.statistics.snapshot().attempts.retry).to.equal(1);
  });

  it('are none when the rule asks for none', async () => {
    const outbound = await outboundTo([(await failing['answers 503']?.()) ?? 0, await good()], {});
    expect((await ask(outbound, '/')).status).to.equal(503);
  });

  /** Each instance counts its requests, and answers 503. */
  async function busyInstances(count: number) {
    const requests = Array.from({ length: count }, () => 0);
    const ports = await Promise.all(
      requests.map((_, place) =>
        world.app('busy', (request, response) => {
          requests[place] = (requests[place] ?? 0) + 1;
          request.resume();
          response.writeHead(503).end(`busy ${place}`);
        }),
      ),
    );
    return { requests, ports };
  }

  const on503 = { retryOn: 'retriable-status-codes', retriableStatusCodes: [503] };

  for (const { attempts, instances, want, name } of [
    { name: 'one more try, with another instance', attempts: 1, instances: 3, want: [1, 1, 0] },
    { name: 'as many more as asked for, each with another', attempts: 2, instances: 3, want: [1, 1, 1] },
    { name: 'the same instance again when there is no other', attempts: 2, instances: 1, want: [3] },
    { name: 'none of them left out when there are more tries than instances', attempts: 3, instances: 2, want: [2, 2] },
    { name: 'nobody else when no more tries are wanted', attempts: 0, instances: 2, want: [1, 0] },
  ]) {
    it(`ask ${name}`, async () => {
      const { requests, ports } = await busyInstances(instances);
      const outbound = await outboundTo(ports, { retry: { ...on503, numRetries: { value: attempts } } });
      const { status, body } = await ask(outbound, '/');
      expect({ status, body: body.slice(0, 4), requests }).to.deep.equal({ status: 503, body: 'busy', requests: want });
      expect(world.underWay()).to.deep.equal({});
    });
  }

  describe('when nobody is left to be asked', () => {
    /** Whoever fails once is ejected, and there is no panic. */
    const strict: Input<Cluster> = {
      commonLbConfig: { healthyPanicThreshold: { value: 0 } },
      outlierDetection: { consecutive_5xx: { value: 1 }, maxEjectionPercent: { value: 100 } },
    };

    it('say what the last one answered, and count as over', async () => {
      const { ports } = await busyInstances(1);
      const outbound = await outboundTo(ports, { retry: { ...on503, numRetries: { value: 2 } }, policy: strict });
      const { status, reason, sentence } = reasonOf(await ask(outbound, '/'));
      expect({ status, reason }).to.deep.equal({ status: 503, reason: 'no-healthy-instance' });
      expect(sentence).to.match(/^127\.0\.0\.1:\d+ answered 503, and nobody is left to be asked again$/);
      expect(world.underWay()).to.deep.equal({});
    });

    it('do not say that nothing was sent when somebody has read the request', async () => {
      const reset = await world.tcp((socket) => void socket.once('data', () => socket.resetAndDestroy()));
      const ports = [reset, await world.deadPort()];
      const outbound = await outboundTo(ports, { retry: { retryOn: 'reset', numRetries: { value: 1 } } });
      const { status, reason, sentence } = reasonOf(await ask(outbound, '/', { method: 'POST', body: 'pay' }));
      expect({ status, reason }).to.deep.equal({ status: 502, reason: 'upstream-reset' });
      expect(sentence).to.include(`127.0.0.1:${reset} ended the connection before it answered`);
    });
  });

  it('count once when there are too many, whichever condition asks for them', async () => {
    const { 0: port } = [
      await world.app('agent', (request, response) => {
        request.resume();
        response.writeHead(502, { 'x-sluice-reason': 'upstream-reset' }).end();
      }),
    ];
    const retry = { retryOn: 'reset,retriable-status-codes', retriableStatusCodes: [502], numRetries: { value: 2 } };
    const policy = { circuitBreakers: { thresholds: [{ maxRetries: { value: 0 } }] } };
    const outbound = await outboundTo([port], { retry, policy });
    expect((await ask(outbound, '/')).status).to.equal(502);
    expect(world.directory.view.clusters.get(all)?.breaker.counts.retryOverflow).to.equal(1);
  });

  it('keep the connection whose answer they throw away, when all of it is there', async () => {
    const answers = ['503 Busy', '200 OK', '503 Busy', '200 OK'];
    let connections = 0;
    const port = await world.tcp((socket) => {
      connections++;
      socket.on('data', () => socket.write(`HTTP/1.1 ${answers.shift()}\r\nContent-Length: 2\r\n\r\nok`));
    });
    const outbound = await outboundTo([port], { retry: on503 });
    const statuses = [(await ask(outbound, '/')).status, (await ask(outbound, '/')).status];
    expect({ statuses, connections }).to.deep.equal({ statuses: [200, 200], connections: 1 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('end the connection whose answer they throw away, when there is more of it to come', async () => {
    let connections = 0;
    const port = await world.tcp((socket) => {
      const head = connections++ === 0 ? '503 Busy\r\nContent-Length: 100' : '200 OK\r\nContent-Length: 2';
      socket.on('data', () => socket.write(`HTTP/1.1 ${head}\r\n\r\nok`));
    });
    const { status } = await ask(await outboundTo([port], { retry: on503 }), '/');
    expect({ status, connections }).to.deep.equal({ status: 200, connections: 2 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('pause for a random part of a time that doubles and has a limit', async () => {
    const clock = new PauseClock();
    const { ports } = await busyInstances(1);
    const retryBackOff = { baseInterval: { nanos: 100_000_000 }, maxInterval: { nanos: 500_000_000 } };
    const retry = { ...on503, numRetries: { value: 4 }, retryBackOff };
    const outbound = await outboundTo(ports, { retry, options: { clock, random: () => 0.5 } });
    const answer = ask(outbound, '/');
    const pauses: number[] = [];
    while (pauses.length < 4) {
      clock.pauses.length = 0;
      await once(clock.asked, 'pause');
      // The pool's and the listener's own times are of whole seconds; 100 ms is how often rough time is looked at.
      pauses.push(...clock.pauses.filter((pause) => pause < 1_000 && pause !== 100));
      clock.pass(250);
    }
    expect((await answer).status).to.equal(503);
    expect(pauses).to.deep.equal([50, 150, 250, 250]);
  });

  describe('of a body', () => {
    const received = () => world.app('received', async (request, response) => void response.end(await text(request)));

    /** Reads the request, then answers 503. */
    const busyAfterAll: Handler = async (request, response) => {
      await text(request);
      response.writeHead(503).end('busy');
    };

    for (const { what, options, want } of [
      { what: 'of 64 KiB', options: { body: 'x'.repeat(64 * 1024) }, want: 200 },
      {
        what: 'in chunks',
        options: { body: 'x'.repeat(30_000), headers: { host: 'reviews', 'transfer-encoding': 'chunked' } },
        want: 200,
      },
      { what: 'of more than 64 KiB, which is not kept', options: { body: 'x'.repeat(64 * 1024 + 1) }, want: 503 },
    ] satisfies { what: string; options: Ask; want: number }[]) {
      it(what, async () => {
        const outbound = await outboundTo([await world.app('busy', busyAfterAll), await received()], { retry: on503 });
        const { status, body } = await ask(outbound, '/', { method: 'POST', headers: { host: 'reviews' }, ...options });
        expect({ status, isSame: body === options.body }).to.deep.equal({ status: want, isSame: want === 200 });
        expect(world.underWay()).to.deep.equal({});
      });
    }

    it('that is not complete yet go on where the first try stopped', async () => {
      const events = new EventEmitter();
      const hasty = await world.app('hasty', (request, response) => {
        request.once('data', () => response.writeHead(503).end('busy'));
        request.resume();
      });
      const outbound = await outboundTo([hasty, await received()], { retry: on503 });
      const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
      request.on('response', (response: IncomingMessage) => events.emit('response', response));
      request.write('first ');
      while (world.statistics.snapshot().attempts.retry === 0) await new Promise(setImmediate);
      const answered = once(events, 'response');
      request.write('second ');
      await new Promise(setImmediate);
      request.end('third');
      const [response] = (await answered) as [IncomingMessage];
      expect({ status: response.statusCode, body: await text(response) }).to.deep.equal({
        status: 200,
        body: 'first second third',
      });
    });

    it('with trailers send these again too', async () => {
      let trailers: unknown;
      const port = await world.app('trailers', async (request, response) => {
        const body = await text(request);
        trailers = request.trailers;
        response.end(body);
      });
      const outbound = await outboundTo([await world.app('busy', busyAfterAll), port], { retry: on503 });
      const socket = connect(outbound.address.port);
      socket.write('POST / HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n');
      socket.write('2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*hi$/);
      expect(trailers).to.deep.equal({ 'x-sum': '7' });
    });
  });

  describe('with a timeout for each try', () => {
    /** Takes requests and answers none. */
    function silent(onRequest: () => void): Promise<number> {
      return world.app('silent', (request) => {
        request.resume();
        onRequest();
      });
    }

    const perTry = { retryOn: 'reset', perTryTimeout: { nanos: 200_000_000 } };

    it('go on to another instance when it is over', async () => {
      const clock = new ManualClock();
      const first = await silent(() => {
        clock.pass(200);
        // And the pause, which is none.
        setImmediate(() => clock.pass(0));
      });
      const outbound = await outboundTo([first, await good()], { retry: perTry, options: { clock } });
      expect((await ask(outbound, '/')).body).to.equal('good');
      expect(world.underWay()).to.deep.equal({});
    });

    it('say 504 when it was the last', async () => {
      const clock = new ManualClock();
      const passTry = () => {
        clock.pass(200);
        setImmediate(() => clock.pass(0));
      };
      const [first, second] = [await silent(passTry), await silent(passTry)];
      const outbound = await outboundTo([first, second], { retry: perTry, options: { clock } });
      expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
        status: 504,
        reason: 'timeout',
        sentence: `127.0.0.1:${second} did not answer within 200 ms, the perTryTimeout of the rule reviews/split`,
      });
      expect(world.underWay()).to.deep.equal({});
    });

    it('do not hurry an answer that has begun', async () => {
      const clock = new ManualClock();
      const events = new EventEmitter();
      const port = await world.app('slow', (_request, response) => {
        response.write('slow');
        events.once('go on', () => response.end('ly'));
      });
      const outbound = await outboundTo([port], { retry: perTry, options: { clock } });
      const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      clock.pass(10_000);
      events.emit('go on');
      expect(await text(response)).to.equal('slowly');
    });

    it('begin when the request has gone out whole: a slow upload is not the instance’s fault', async () => {
      const clock = new ManualClock();
      const events = new EventEmitter();
      const port = await world.app('patient', async (request, response) => {
        request.once('data', () => events.emit('begun'));
        response.end(await text(request));
      });
      const outbound = await outboundTo([port], { retry: perTry, options: { clock } });
      const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
      const begun = once(events, 'begun');
      request.write('up');
      await begun;
      clock.pass(10_000);
      request.end('load');
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect([response.statusCode, await text(response)]).to.deep.equal([200, 'upload']);
    });
  });

  it('are within the timeout of the request as a whole', async () => {
    const clock = new PauseClock();
    const { ports } = await busyInstances(1);
    const retryBackOff = { baseInterval: { seconds: 100 } };
    const outbound = await outboundTo(ports, {
      action: { timeout: { seconds: 30 } },
      retry: { ...on503, retryBackOff },
      options: { clock, random: () => 0.9 },
    });
    const answer = ask(outbound, '/');
    while (!clock.pauses.includes(90_000)) await once(clock.asked, 'pause');
    clock.pass(30_000);
    expect(reasonOf(await answer)).to.deep.equal({
      status: 504,
      reason: 'timeout',
      sentence: 'reviews.default did not answer within 30000 ms, the timeout of the rule reviews/split',
    });
    expect(world.underWay()).to.deep.equal({});
    clock.pass(100_000);
    expect(world.underWay()).to.deep.equal({});
  });

  it('end with the client that goes in a pause', async () => {
    const clock = new PauseClock();
    const { ports, requests } = await busyInstances(1);
    const retryBackOff = { baseInterval: { seconds: 100 } };
    const outbound = await outboundTo(ports, {
      retry: { ...on503, retryBackOff },
      options: { clock, random: () => 0.9 },
    });
    const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
    request.on('error', () => {});
    while (!clock.pauses.includes(90_000)) await once(clock.asked, 'pause');
    request.socket?.resetAndDestroy();
    while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    clock.pass(90_000);
    await new Promise(setImmediate);
    expect(requests).to.deep.equal([1]);
    expect(world.statistics.snapshot()).to.deep.include({ clientGone: 1 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('never follow the head of an answer that went out', async () => {
    let requests = 0;
    const breaksOff = await world.app('breaks off', (_request, response) => {
      requests++;
      response.write('half', () => response.destroy());
    });
    const outbound = await outboundTo([breaksOff, breaksOff], {
      retry: { retryOn: 'reset,connect-failure', numRetries: { value: 3 } },
    });
    const failure = await ask(outbound, '/').catch((error: NodeJS.ErrnoException) => error.code);
    expect({ failure, requests }).to.deep.equal({ failure: 'ECONNRESET', requests: 1 });
    expect(world.statistics.snapshot()).to.deep.include({ brokenOff: 1 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('may follow a head that comes before the final one', async () => {
    const early = await world.app('early', (_request, response: ServerResponse) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.writeHead(503).end());
    });
    const outbound = await outboundTo([early, await good()], { retry: on503 });
    expect((await ask(outbound, '/')).body).to.equal('good');
  });

  describe('that would be too many', () => {
    for (const { what, retries, want } of [
      { what: 'for a fixed number', retries: { maxRetries: { value: 0 } }, want: 'maxRetries' },
      {
        what: 'for the share of requests under way',
        retries: { retryBudget: { budgetPercent: { value: 0 }, minRetryConcurrency: { value: 0 } } },
        want: 'budget',
      },
    ]) {
      it(`${what} are left out and counted`, async () => {
        const { ports, requests } = await busyInstances(2);
        const policy = { circuitBreakers: { thresholds: [retries] } };
        const outbound = await outboundTo(ports, { retry: on503, policy });
        expect((await ask(outbound, '/')).status).to.equal(503);
        expect(requests, want).to.deep.equal([1, 0]);
        expect(world.directory.view.clusters.get(all)?.breaker.counts).to.deep.include({
          retries: 0,
          retryOverflow: 1,
        });
      });
    }

    it('are those that come while as many are under way', async () => {
      const clock = new PauseClock();
      const { ports, requests } = await busyInstances(1);
      const outbound = await outboundTo(ports, {
        retry: { ...on503, retryBackOff: { baseInterval: { nanos: 100_000_000 } } },
        policy: { circuitBreakers: { thresholds: [{ maxRetries: { value: 1 } }] } },
        options: { clock, random: () => 0.9 },
      });
      const first = ask(outbound, '/');
      while (!clock.pauses.includes(90)) await once(clock.asked, 'pause');
      expect((await ask(outbound, '/')).status).to.equal(503);
      expect(requests).to.deep.equal([2]);
      clock.pass(90);
      expect((await first).status).to.equal(503);
      expect(requests).to.deep.equal([3]);
      // And one is free again.
      const third = ask(outbound, '/');
      clock.pauses.length = 0;
      while (!clock.pauses.includes(90)) await once(clock.asked, 'pause');
      clock.pass(90);
      await third;
      expect(requests).to.deep.equal([5]);
      expect(world.underWay()).to.deep.equal({});
    });
  });
});
