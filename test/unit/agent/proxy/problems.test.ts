import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { isProblemPreferred } from '../../../../agent/proxy/problem-preferred.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { type Answer, type Ask, ask, askRaw, World } from './world.ts';

const all = 'reviews.default|http|';
const json = { host: 'reviews', accept: 'application/json' };

describe('whether a problem is told in JSON', () => {
  for (const { accept, want } of [
    { accept: undefined, want: false },
    { accept: '*/*', want: false },
    { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', want: false },
    { accept: 'application/problem+json', want: true },
    { accept: 'application/json', want: true },
    { accept: 'application/json, text/plain, */*', want: true },
    { accept: 'Application/JSON;charset=utf-8', want: true },
    { accept: 'text/plain, application/json;q=0.5', want: false },
    { accept: 'text/plain;q=0.4, application/json; q=0.5', want: true },
    { accept: 'application/json;q=0', want: false },
    { accept: 'application/json;q=x', want: false },
    { accept: 'application/*', want: true },
    { accept: 'application/xml', want: false },
  ]) {
    it(`${want ? 'yes' : 'no'} with ${accept ?? 'no Accept header'}`, () =>
      expect(isProblemPreferred(accept)).to.equal(want));
  }
});

describe('an answer of the agent itself', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  function outboundTo(port: number | undefined): Promise<ProxyListener> {
    const endpoints = port === undefined ? [] : [{ port }];
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: endpoints } }));
    return world.outbound();
  }

  function kindOf({ status, headers, body }: Answer) {
    const reason = headers['x-sluice-reason'];
    const isJson = headers['content-type'] === 'application/problem+json';
    return { status, reason, problem: isJson ? JSON.parse(body) : undefined };
  }

  async function problemOf(outbound: ProxyListener, options: Ask): Promise<unknown> {
    return kindOf(await ask(outbound, '/a?b', options)).problem;
  }

  it('is problem+json for a client that asks for JSON', async () => {
    const outbound = await outboundTo(undefined);
    expect(kindOf(await ask(outbound, '/', { headers: json }))).to.deep.equal({
      status: 503,
      reason: 'no-healthy-instance',
      problem: {
        type: 'about:blank',
        title: 'Service Unavailable',
        status: 503,
        detail: `reviews.default has no instance that takes requests`,
        reason: 'no-healthy-instance',
      },
    });
  });

  it('is text for one that does not, whatever was asked for before on its connection', async () => {
    const outbound = await outboundTo(undefined);
    const both = 'GET / HTTP/1.1\r\nHost: reviews\r\n';
    const answers = await askRaw(outbound, `${both}Accept: application/json\r\n\r\n${both}Connection: close\r\n\r\n`);
    expect(answers.match(/content-type: .*/g)).to.deep.equal([
      'content-type: application/problem+json',
      'content-type: text/plain; charset=utf-8',
    ]);
  });

  it('knows what the client accepts when the request has long been sent', async () => {
    const outbound = await outboundTo(
      await world.tcp((socket) => void socket.once('data', () => setImmediate(() => socket.destroy()))),
    );
    expect(await problemOf(outbound, { method: 'POST', headers: json, body: 'x'.repeat(100_000) })).to.include({
      reason: 'upstream-reset',
    });
  });

  it('knows it when the service had to be asked for first', async () => {
    const outbound = await world.outbound();
    expect(await problemOf(outbound, { headers: { ...json, host: 'nobody' } })).to.include({ reason: 'no-route' });
  });

  it('knows it of a request that cannot be read, if it stands before the fault', async () => {
    const outbound = await outboundTo(undefined);
    const head = 'GET / HTTP/1.1\r\nHost: reviews\r\nAccept: application/json\r\nbad header\r\n\r\n';
    expect(await askRaw(outbound, head)).to.match(/^HTTP\/1\.1 400 .*content-type: application\/problem\+json/s);
    expect(await askRaw(outbound, 'what is this\r\n\r\n')).to.match(/^HTTP\/1\.1 400 .*content-type: text\/plain/s);
  });

  it('has the same head, and no body, for HEAD', async () => {
    const answer = await ask(await outboundTo(undefined), '/', { method: 'HEAD', headers: json });
    expect({ type: answer.headers['content-type'], body: answer.body }).to.deep.equal({
      type: 'application/problem+json',
      body: '',
    });
  });
});
