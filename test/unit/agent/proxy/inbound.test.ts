import { Agent } from 'node:http';
import { expect } from 'chai';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, askRaw, reasonOf, World, withoutTrace } from './world.ts';

const all = 'reviews.default|http|';

describe('inbound', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  async function inboundTo(port: number, id = 'reviews-1') {
    const identity = { service: 'reviews.default', id };
    return world.inbound({ app: { host: '127.0.0.1', port }, identity });
  }

  for (const { who, headers } of [
    { who: 'a caller without an agent', headers: { host: 'reviews' } },
    {
      who: 'an agent that means this instance',
      headers: { host: 'reviews', 'x-sluice-instance': 'reviews.default/reviews-1' },
    },
  ]) {
    it(`passes the request of ${who} on, and nothing of the mesh with it`, async () => {
      const port = await world.app('app', (request, response) => response.end(JSON.stringify(request.headers)));
      const answer = await ask(await inboundTo(port), '/', { headers });
      expect(withoutTrace(JSON.parse(answer.body))).to.deep.equal({
        host: 'reviews',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
      });
    });
  }

  for (const { forwarded, sent, want } of [
    { forwarded: [], sent: {}, want: {} },
    { forwarded: ['via'], sent: {}, want: { via: '1.1 sluice' } },
    { forwarded: ['via'], sent: { via: '1.0 edge' }, want: { via: '1.0 edge, 1.1 sluice' } },
    { forwarded: ['forwarded'], sent: {}, want: { forwarded: 'for=127.0.0.1;proto=http' } },
    {
      forwarded: ['x-forwarded-for', 'x-forwarded-proto'],
      sent: { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-proto': 'https' },
      want: { 'x-forwarded-for': '10.0.0.1, 127.0.0.1', 'x-forwarded-proto': 'https' },
    },
  ] as const) {
    const what = `${JSON.stringify(want)} when it is to add ${forwarded.join(' and ') || 'nothing'}`;
    it(`tells the application ${what} to ${JSON.stringify(sent)}`, async () => {
      const port = await world.app('app', (request, response) => response.end(JSON.stringify(request.headers)));
      const inbound = await world.inbound({ app: { host: '127.0.0.1', port }, forwarded });
      const { host: _, ...headers } = withoutTrace(
        JSON.parse((await ask(inbound, '/', { headers: { host: 'a', ...sent } })).body),
      );
      expect(headers).to.deep.equal(want);
    });
  }

  it('says 421 to a request for another instance, which the application does not see', async () => {
    const seen: unknown[] = [];
    const port = await world.app('app', (request, response) => {
      seen.push(request.url);
      response.end();
    });
    const headers = { host: 'reviews', 'x-sluice-instance': 'reviews.default/reviews-2' };
    expect(reasonOf(await ask(await inboundTo(port), '/', { headers }))).to.deep.equal({
      status: 421,
      reason: 'wrong-instance',
      sentence: 'this is reviews.default/reviews-1; the request is for reviews.default/reviews-2',
    });
    expect(seen).to.deep.equal([]);
  });

  it('says 503 when the application does not accept connections, and tells who checks its health', async () => {
    const port = await world.deadPort();
    let told = 0;
    const onAppUnreachable = () => {
      told += 1;
    };
    const inbound = await world.inbound({ app: { host: '127.0.0.1', port }, onAppUnreachable });
    const { status, reason, sentence } = reasonOf(await ask(inbound, '/'));
    expect({ status, reason, told }).to.deep.equal({ status: 503, reason: 'upstream-connect-failure', told: 1 });
    expect(sentence).to.include(`the application at 127.0.0.1:${port} cannot be reached`);
  });

  for (const { word, status } of [
    { word: 'wrong-instance', status: 421 },
    { word: 'upstream-connect-failure', status: 503 },
  ]) {
    it(`does not let an application say ${word} for the agent`, async () => {
      const port = await world.app('app', (_request, response) =>
        response.writeHead(status, { 'x-sluice-reason': word }).end('app'),
      );
      const answer = await ask(await inboundTo(port), '/');
      expect([answer.status, answer.headers['x-sluice-reason'], answer.body]).to.deep.equal([status, undefined, 'app']);
    });
  }

  it('is passed over by the caller’s agent while its application is dead', async () => {
    const [dead, alive] = [
      await inboundTo(await world.deadPort(), 'reviews-1'),
      await inboundTo(await world.app('alive'), 'reviews-2'),
    ];
    const endpoints = [
      { id: 'reviews-1', port: dead.address.port },
      { id: 'reviews-2', port: alive.address.port },
    ];
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: endpoints } }));
    const outbound = await world.outbound({ random: () => 0 });
    const answers = [await ask(outbound, '/'), await ask(outbound, '/', { method: 'POST', body: 'x' })];
    expect(answers.map(({ body }) => body)).to.deep.equal(['alive', 'alive']);
  });

  it('says 400 to a request without a Host', async () => {
    const answer = await askRaw(await inboundTo(1), 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(answer)
      .to.match(/^HTTP\/1.1 400 /)
      .and.to.include('x-sluice-reason: bad-request');
  });

  it('is found by the caller’s agent behind an address that another instance had', async () => {
    const [old, present] = [
      await inboundTo(await world.app('new'), 'reviews-9'),
      await inboundTo(await world.app('right')),
    ];
    const endpoints = [
      { id: 'reviews-2', port: old.address.port },
      { id: 'reviews-1', port: present.address.port },
    ];
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: endpoints } }));
    const outbound = await world.outbound({ random: () => 0 });
    const answers = [await ask(outbound, '/'), await ask(outbound, '/', { method: 'POST', body: 'x' })];
    expect(answers.map(({ body }) => body)).to.deep.equal(['right', 'right']);
  });

  it('ends idle connections at once when it is closed', async () => {
    const inbound = await inboundTo(await world.app('app'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await ask(inbound, '/', { agent });
    // Well below the drain timeout of the listener, or the test times out.
    await inbound.close();
    const refused = await ask(inbound, '/', { agent }).catch((error: NodeJS.ErrnoException) => error.code);
    agent.destroy();
    expect(refused).to.be.oneOf(['ECONNREFUSED', 'ECONNRESET']);
  });
});
