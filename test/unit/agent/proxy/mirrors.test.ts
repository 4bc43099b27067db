import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import { noAttempts } from '../../../../agent/telemetry/route-counters.ts';
import type { Input } from '../../../../proto/load.ts';
import { type Cluster, HTTPFault, type RouteActionRequestMirrorPolicy } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { type EndpointWords, serviceResources } from '../view/resources.ts';
import { type Ask, ask, ManualClock, World, withoutTrace } from './world.ts';

const v1 = 'reviews.default|http|v1';
const shadow = 'reviews.default|http|shadow';

interface Seen {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Given extends Partial<OutboundOptions> {
  readonly mirror?: Input<RouteActionRequestMirrorPolicy>;
  readonly policies?: Readonly<Record<string, Input<Cluster>>>;
  readonly main?: readonly EndpointWords[];
}

describe('copies of requests', () => {
  let world: World;
  /** What the instance, and what the one that gets copies was sent. */
  let original: Seen[];
  let copies: Seen[];
  let events: EventEmitter;

  beforeEach(() => {
    world = new World();
    original = [];
    copies = [];
    events = new EventEmitter();
  });
  afterEach(() => world.close());

  /** Notes what it is sent and answers its name. */
  function noting(name: string, seen: Seen[]): Promise<number> {
    return world.app(name, async (request, response) => {
      const body = await text(request);
      const headers = request.headers as Record<string, string>;
      seen.push({ line: `${request.method} ${request.url}`, headers, body });
      response.end(name);
      events.emit(name);
    });
  }

  async function outboundTo(
    mirrorPort: number,
    { mirror, policies, main, ...options }: Given = {},
  ): Promise<ProxyListener> {
    const instances = main ?? [{ id: 'r1', port: await noting('v1', original) }];
    const requestMirrorPolicies = [{ cluster: shadow, ...mirror }];
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: v1, requestMirrorPolicies })],
        clusters: { [v1]: instances, [shadow]: [{ id: 's1', port: mirrorPort }] },
        ...(policies && { policies }),
      }),
    );
    return world.outbound(options);
  }

  async function copied(count: number): Promise<void> {
    while (copies.length < count) await once(events, 'shadow');
  }

  async function quiet(): Promise<void> {
    while (Object.keys(world.underWay()).length > 0) await new Promise(setImmediate);
  }

  const mirrors = () => world.statistics.snapshot().mirrors;

  for (const { what, options } of [
    { what: 'without a body', options: {} },
    { what: 'with a body', options: { method: 'POST', body: 'hello' } },
    { what: 'with a body of 64 KiB', options: { method: 'PUT', body: 'x'.repeat(64 * 1024) } },
    {
      what: 'with a body in chunks',
      options: { method: 'POST', body: 'hello', headers: { host: 'reviews', 'transfer-encoding': 'chunked' } },
    },
  ] satisfies { what: string; options: Ask }[]) {
    it(`are as the instance gets them, but for whom they are meant for: ${what}`, async () => {
      const outbound = await outboundTo(await noting('shadow', copies));
      const { body } = await ask(outbound, '/a?b=c', options);
      await copied(1);
      expect(body).to.equal('v1');
      const [{ headers, ...seen } = expect.fail()] = original;
      const [{ headers: copiedHeaders, ...copy } = expect.fail()] = copies;
      expect(copy.body === seen.body && copy.line === seen.line && copy.body === (options.body ?? '')).to.equal(true);
      expect({ ...withoutTrace(headers), 'x-sluice-instance': '' }).to.deep.equal({
        ...withoutTrace(copiedHeaders),
        'x-sluice-instance': '',
      });
      expect(copiedHeaders['x-sluice-instance']).to.equal('reviews.default/s1');
      expect(mirrors()).to.deep.equal({ sent: 1, failed: 0, 'left-out': 0 });
      await quiet();
    });
  }

  it('have the body also when it comes in parts', async () => {
    const outbound = await outboundTo(await noting('shadow', copies));
    const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
    for (const part of ['one ', 'two ', 'three']) {
      request.write(part);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    request.end();
    await Promise.all([once(request, 'response'), copied(1)]);
    expect(copies[0]?.body).to.equal('one two three');
    await quiet();
  });

  it('are left out when the body is too long to keep, and counted', async () => {
    const outbound = await outboundTo(await noting('shadow', copies));
    const { body } = await ask(outbound, '/', { method: 'POST', body: 'x'.repeat(200_000) });
    expect({ body, mirrors: mirrors() }).to.deep.equal({ body: 'v1', mirrors: { sent: 0, failed: 0, 'left-out': 1 } });
    await quiet();
    expect(copies).to.deep.equal([]);
  });

  it('are the share that the rule says', async () => {
    let drawn = 0;
    const random = () => (drawn++ % 4) / 4;
    const mirror = { runtimeFraction: { defaultValue: { numerator: 50 } } };
    const outbound = await outboundTo(await noting('shadow', copies), { mirror, random });
    for (let n = 0; n < 40; n++) await ask(outbound, '/');
    await quiet();
    expect(mirrors().sent).to.be.within(15, 25);
    expect(copies.length).to.equal(mirrors().sent);
  });

  for (const { what, start, failed = 3 } of [
    { what: 'nobody takes', start: () => world.deadPort() },
    {
      what: 'is answered with 500',
      start: () => world.app('bad', (_request, response) => response.writeHead(500).end('no')),
      failed: 0,
    },
    {
      what: 'ends in a reset',
      start: () => world.tcp((socket) => void socket.once('data', () => socket.resetAndDestroy())),
    },
    {
      what: 'is answered with nonsense',
      start: () => world.tcp((socket) => void socket.once('data', () => socket.end('hello\r\n\r\n'))),
    },
    {
      what: 'is answered with a body that breaks off',
      start: () =>
        world.tcp(
          (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal')),
        ),
    },
    {
      what: 'is answered at great length',
      start: () => world.app('long', (_request, response) => response.end(Buffer.alloc(5_000_000))),
      failed: 0,
    },
  ] satisfies { what: string; start: () => Promise<number>; failed?: number }[]) {
    it(`are invisible to the client: one that ${what}`, async () => {
      const outbound = await outboundTo(await start());
      const bodies: string[] = [];
      for (let n = 0; n < 3; n++) bodies.push((await ask(outbound, '/', { method: 'POST', body: 'x' })).body);
      expect(bodies).to.deep.equal(['v1', 'v1', 'v1']);
      await quiet();
      expect(mirrors()).to.deep.equal({ sent: 3, failed, 'left-out': 0 });
      expect(world.statistics.snapshot()).to.deep.include({
        requests: 3,
        passed: { '2xx': 3 },
        refused: {},
        brokenOff: 0,
        // Of clients' requests, none of which was tried again.
        attempts: noAttempts(),
      });
    });
  }

  it('that nobody answers are given up after 15 s', async () => {
    const clock = new ManualClock();
    const silent = await world.tcp((socket) => void socket.once('data', () => events.emit('shadow')));
    const outbound = await outboundTo(silent, { clock });
    const arrived = once(events, 'shadow');
    expect((await ask(outbound, '/')).body).to.equal('v1');
    await arrived;
    expect(Object.keys(world.underWay())).to.have.lengthOf(2);
    clock.pass(15_000);
    expect(world.underWay()).to.deep.equal({});
  });

  it('are 256 at a time and no more, and those beyond are counted', async () => {
    const clock = new ManualClock();
    const silent = await world.tcp((socket) => void socket.resume());
    const outbound = await outboundTo(silent, { clock });
    await Promise.all(Array.from({ length: 300 }, () => ask(outbound, '/')));
    expect(mirrors()).to.deep.equal({ sent: 256, failed: 0, 'left-out': 44 });
    clock.pass(15_000);
    expect(world.underWay()).to.deep.equal({});
    await ask(outbound, '/');
    expect(mirrors()).to.deep.equal({ sent: 257, failed: 256, 'left-out': 44 });
    clock.pass(15_000);
  });

  it('obey the limits of the cluster that they go to, which the client does not notice', async () => {
    const clock = new ManualClock();
    const silent = await world.tcp((socket) => void socket.resume());
    const policies = {
      [shadow]: {
        circuitBreakers: {
          thresholds: [{ maxRequests: { value: 1 }, maxConnections: { value: 1 }, maxPendingRequests: { value: 1 } }],
        },
      },
    };
    const outbound = await outboundTo(silent, { clock, policies });
    for (let n = 0; n < 5; n++) expect((await ask(outbound, '/')).body).to.equal('v1');
    expect(world.directory.view.clusters.get(shadow)?.breaker.counts).to.deep.include({ pendingOverflow: 3 });
    clock.pass(15_000);
    expect(world.underWay()).to.deep.equal({});
  });

  it('are not made of a request that the agent refuses itself', async () => {
    const outbound = await outboundTo(await noting('shadow', copies), { main: [] });
    for (let n = 0; n < 3; n++) expect((await ask(outbound, '/', { method: 'POST', body: 'x' })).status).to.equal(503);
    await quiet();
    expect({ copies, mirrors: mirrors() }).to.deep.equal({
      copies: [],
      mirrors: { sent: 0, failed: 0, 'left-out': 0 },
    });
    expect(world.faults).to.deep.equal([]);
  });

  it('are made of a request when it is complete, whatever became of the one before it on its connection', async () => {
    const clock = new ManualClock();
    const none = 'reviews.default|http|none';
    const requestMirrorPolicies = [{ cluster: shadow }];
    const delay = { fixedDelay: { seconds: 5 }, percentage: { numerator: 100 } };
    const fault = { type_url: HTTPFault.typeUrl, value: HTTPFault.encode({ delay }) };
    world.directory.swap(
      serviceResources({
        routes: [
          {
            name: 'none',
            match: { prefix: '/none' },
            route: { cluster: none, requestMirrorPolicies },
            typedPerFilterConfig: { 'envoy.filters.http.fault': fault },
          },
          route('', { cluster: v1, requestMirrorPolicies }),
        ],
        clusters: {
          [none]: [],
          [v1]: [{ port: await noting('v1', original) }],
          [shadow]: [{ port: await noting('shadow', copies) }],
        },
      }),
    );
    const socket = connect((await world.outbound({ clock })).address.port);
    const begun = 'POST / HTTP/1.1\r\nHost: reviews\r\nContent-Length: 10\r\n\r\nfirst';
    socket.write(`GET /none HTTP/1.1\r\nHost: reviews\r\n\r\n${begun}`);
    while (world.statistics.snapshot().active === 0) await new Promise(setImmediate);
    const answered = once(socket, 'data');
    // The second begins when the first is refused, in the same call.
    clock.pass(5_000);
    expect(String((await answered)[0])).to.match(/^HTTP\/1\.1 503 /);
    expect(mirrors()).to.include({ sent: 0, 'left-out': 0 });
    socket.write(' last');
    await copied(1);
    expect([...original, ...copies].map(({ line, body }) => `${line} ${body}`)).to.deep.equal([
      'POST / first last',
      'POST / first last',
    ]);
    await quiet();
    socket.destroy();
  });

  it('are not made of a request that changes the protocol', async () => {
    const switching = (name: string) =>
      world.tcp((socket) => {
        socket.once('data', () => {
          events.emit(name);
          socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi');
          socket.on('data', () => socket.destroy());
        });
      });
    let switched = 0;
    events.on('shadow', () => switched++);
    const outbound = await outboundTo(await switching('shadow'), { main: [{ port: await switching('main') }] });
    const socket = connect(outbound.address.port);
    socket.write('GET / HTTP/1.1\r\nHost: reviews\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    const said = text(socket);
    await once(events, 'main');
    socket.write('bye');
    expect(await said).to.match(/^HTTP\/1\.1 101 (.*\r\n)*hi$/);
    await quiet();
    expect(switched).to.equal(0);
  });

  it('end with the listener', async () => {
    const ended = new EventEmitter();
    const silent = await world.tcp((socket) => {
      socket.once('data', () => events.emit('shadow'));
      socket.once('close', () => ended.emit('close'));
    });
    const outbound = await outboundTo(silent);
    const [arrived, closed] = [once(events, 'shadow'), once(ended, 'close')];
    await ask(outbound, '/');
    await arrived;
    await outbound.close();
    await closed;
    expect(world.underWay()).to.deep.equal({});
  });

  it('do not hold up an answer that comes before the request is complete', async () => {
    const hasty = await world.app('hasty', (_request, response) => response.writeHead(413).end('too much'));
    const outbound = await outboundTo(await noting('shadow', copies), { main: [{ port: hasty }] });
    const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
    request.on('error', () => {});
    request.write('begun');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect([response.statusCode, await text(response)]).to.deep.equal([413, 'too much']);
    request.end();
    await quiet();
  });
});

describe('a connection that changed its protocol', () => {
  let world: World;
  let connections: number;
  beforeEach(() => {
    world = new World();
    connections = 0;
  });
  afterEach(() => world.close());

  const switching = () =>
    world.tcp((socket) => {
      connections++;
      socket.on('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'));
    });

  it('unasked is never used for another request', async () => {
    const clusters = { [v1]: [{ port: await switching() }] };
    world.directory.swap(serviceResources({ routes: [route('', { cluster: v1 })], clusters }));
    const outbound = await world.outbound();
    for (let n = 1; n <= 2; n++) {
      const { status, headers } = await ask(outbound, '/');
      expect([status, headers['x-sluice-reason'], connections]).to.deep.equal([502, 'upstream-malformed', n]);
    }
    expect(world.underWay()).to.deep.equal({});
  });

  it('for a copy of a request is never used for another', async () => {
    const clusters = { [v1]: [{ port: await world.app('v1') }], [shadow]: [{ port: await switching() }] };
    const requestMirrorPolicies = [{ cluster: shadow }];
    world.directory.swap(serviceResources({ routes: [route('', { cluster: v1, requestMirrorPolicies })], clusters }));
    const outbound = await world.outbound();
    for (let n = 1; n <= 3; n++) {
      expect((await ask(outbound, '/')).body).to.equal('v1');
      while (connections < n || Object.keys(world.underWay()).length > 0) await new Promise(setImmediate);
    }
  });
});
