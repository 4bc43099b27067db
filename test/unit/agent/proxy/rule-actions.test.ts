import { EventEmitter, once } from 'node:events';
import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import type { Input } from '../../../../proto/load.ts';
import {
  HeaderValueOptionHeaderAppendAction as HeaderAction,
  HTTPFault,
  RedirectActionRedirectResponseCode as RedirectCode,
  type Route,
} from '../../../../proto/types.ts';
import { routeConfiguration } from '../../routing/resources.ts';
import { serviceResources, withRoutes } from '../view/resources.ts';
import { type Ask, ask, askRaw, ManualClock, reasonOf, World, withoutTrace } from './world.ts';

const all = 'reviews.default|http|';
const toAll = { match: { prefix: '/' }, route: { cluster: all } };

function fault(config: Input<HTTPFault>): Input<Route> {
  const value = HTTPFault.encode(config);
  return { typedPerFilterConfig: { 'envoy.filters.http.fault': { type_url: HTTPFault.typeUrl, value } } };
}

const always = { numerator: 100 };
const delay = fault({ delay: { fixedDelay: { seconds: 5 }, percentage: always } });

/** Remembers what waits. */
class WaitingClock extends ManualClock {
  readonly waiting = new Set<number>();
  readonly asked = new EventEmitter().setMaxListeners(0);

  override after(delayMs: number, run: () => void): () => void {
    this.waiting.add(delayMs);
    this.asked.emit('wait');
    const callOff = super.after(delayMs, () => {
      this.waiting.delete(delayMs);
      run();
    });
    return () => {
      this.waiting.delete(delayMs);
      callOff();
    };
  }

  async waitsFor(delayMs: number): Promise<void> {
    while (!this.waiting.has(delayMs)) await once(this.asked, 'wait');
  }
}

describe('what a rule does to a request', () => {
  let world: World;
  /** Of the requests that the instance got. */
  let seen: string[];

  beforeEach(() => {
    world = new World();
    seen = [];
  });
  afterEach(() => world.close());

  function echo(): Promise<number> {
    return world.app('echo', async (request, response) => {
      const body = await text(request);
      seen.push(`${request.method} ${request.url} ${request.headers.host}`);
      response.setHeader('x-app', 'a').setHeader('x-debug', 'd');
      response.end(JSON.stringify({ headers: request.headers, body }));
    });
  }

  async function outboundWith(more: Input<Route>, options: Partial<OutboundOptions> = {}): Promise<ProxyListener> {
    const routes = [{ name: 'reviews/rule', ...toAll, ...more }];
    world.directory.swap(serviceResources({ routes, clusters: { [all]: [{ port: await echo() }] } }));
    return world.outbound(options);
  }

  describe('is a delay', () => {
    it('of the time that it says, and the request goes on as it was', async () => {
      const clock = new WaitingClock();
      const outbound = await outboundWith(delay, { clock });
      const answer = ask(outbound, '/a', { method: 'POST', body: 'hello' });
      await clock.waitsFor(5_000);
      clock.pass(4_999);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(seen).to.deep.equal([]);
      clock.pass(1);
      expect(JSON.parse((await answer).body).body).to.equal('hello');
      expect(seen).to.deep.equal(['POST /a reviews']);
      expect(world.underWay()).to.deep.equal({});
    });

    it('also of a body that comes meanwhile and afterwards', async () => {
      const clock = new WaitingClock();
      const outbound = await outboundWith(delay, { clock });
      const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
      const size = 1_000_000;
      request.write('x'.repeat(10));
      await clock.waitsFor(5_000);
      request.write('x'.repeat(size - 20));
      await new Promise((resolve) => setTimeout(resolve, 20));
      clock.pass(5_000);
      request.end('x'.repeat(10));
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(JSON.parse(await text(response)).body.length).to.equal(size);
      expect(world.underWay()).to.deep.equal({});
    });

    it('after which the request goes where it went when it came, whatever was swapped meanwhile', async () => {
      const clock = new WaitingClock();
      const outbound = await outboundWith(delay, { clock });
      const answer = ask(outbound, '/');
      await clock.waitsFor(5_000);
      const other = 'reviews.default|http|other';
      world.directory.swap(
        serviceResources({
          routes: [{ ...toAll, route: { cluster: other } }],
          clusters: { [other]: [{ port: await world.app('other') }] },
        }),
      );
      clock.pass(5_000);
      expect((await answer).body).to.match(/headers/);
      expect((await ask(outbound, '/')).body).to.equal('other');
    });

    it('that ends with the client that goes', async () => {
      const clock = new WaitingClock();
      const outbound = await outboundWith(delay, { clock });
      const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
      request.on('error', () => {});
      await clock.waitsFor(5_000);
      request.socket?.resetAndDestroy();
      while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
      expect(clock.waiting.has(5_000)).to.equal(false);
      clock.pass(5_000);
      await new Promise(setImmediate);
      expect(seen).to.deep.equal([]);
      expect(world.statistics.snapshot()).to.deep.include({ clientGone: 1 });
    });

    it('that is followed by the next request on the same connection in its turn', async () => {
      const clock = new WaitingClock();
      const outbound = await outboundWith(delay, { clock });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of ['/1', '/2']) {
        const answer = ask(outbound, path, { agent });
        await clock.waitsFor(5_000);
        clock.pass(5_000);
        await answer;
      }
      agent.destroy();
      expect(seen).to.deep.equal(['GET /1 reviews', 'GET /2 reviews']);
    });

    it('of the share of requests that it says', async () => {
      const clock = new WaitingClock();
      let drawn = 0;
      const some = fault({ delay: { fixedDelay: { seconds: 5 }, percentage: { numerator: 25 } } });
      const outbound = await outboundWith(some, { clock, random: () => (drawn++ % 100) / 100 });
      let delayed = 0;
      for (let n = 0; n < 100; n++) {
        const answer = ask(outbound, '/').then(() => 'answered');
        const isDelayed = (await Promise.race([answer, clock.waitsFor(5_000)])) === undefined;
        if (isDelayed) {
          delayed++;
          clock.pass(5_000);
        }
        await answer;
      }
      expect(delayed).to.be.within(15, 35);
    });
  });

  describe('is an abort', () => {
    const abort = fault({ abort: { httpStatus: 418, percentage: always } });

    it('with its status and the reason, and the instance hears nothing', async () => {
      const outbound = await outboundWith(abort);
      expect(reasonOf(await ask(outbound, '/', { method: 'POST', body: 'x'.repeat(100_000) }))).to.deep.equal({
        status: 418,
        reason: 'fault',
        sentence: 'the rule reviews/rule answers with 418 on purpose',
      });
      expect(seen).to.deep.equal([]);
      expect(world.statistics.snapshot()).to.deep.include({ active: 0, refused: { fault: 1 } });
    });

    it('that keeps the connection', async () => {
      const outbound = await outboundWith(abort);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const options = { agent, method: 'POST', body: 'x'.repeat(100_000) };
      for (let n = 0; n < 3; n++) expect((await ask(outbound, '/', options)).status).to.equal(418);
      expect(Object.values(agent.freeSockets).flat()).to.have.lengthOf(1);
      agent.destroy();
    });

    it('after the delay of the same rule', async () => {
      const clock = new WaitingClock();
      const both = {
        delay: { fixedDelay: { seconds: 5 }, percentage: always },
        abort: { httpStatus: 500, percentage: always },
      };
      const outbound = await outboundWith(fault(both), { clock });
      const answer = ask(outbound, '/');
      await clock.waitsFor(5_000);
      clock.pass(5_000);
      expect((await answer).status).to.equal(500);
    });
  });

  describe('is a change of headers', () => {
    const edits = [
      { header: { key: 'x-set', value: 'new' }, appendAction: HeaderAction.OVERWRITE_IF_EXISTS_OR_ADD },
      { header: { key: 'x-add', value: 'more' } },
    ];

    it('of the request', async () => {
      const outbound = await outboundWith({
        requestHeadersToAdd: edits,
        requestHeadersToRemove: ['X-Debug', 'x-none'],
      });
      const sent = { host: 'reviews', 'X-Set': 'old', 'x-add': 'first', 'x-debug': '1', 'x-other': '2' };
      const { headers } = JSON.parse((await ask(outbound, '/', { headers: sent })).body);
      expect(withoutTrace(headers)).to.deep.equal({
        host: 'reviews',
        'x-other': '2',
        'x-set': 'new',
        'x-add': 'first, more',
      });
    });

    it('of the answer', async () => {
      const outbound = await outboundWith({
        responseHeadersToAdd: [...edits, { header: { key: 'x-app', value: 'b' } }],
        responseHeadersToRemove: ['x-debug'],
      });
      const { headers } = await ask(outbound, '/');
      expect(headers)
        .to.include({ 'x-set': 'new', 'x-add': 'more', 'x-app': 'a, b' })
        .and.to.not.have.property('x-debug');
    });
  });

  describe('is a rewrite', () => {
    for (const { what, more, asked, want } of [
      {
        what: 'of a prefix',
        more: { match: { pathSeparatedPrefix: '/api' }, route: { cluster: all, prefixRewrite: '/v2' } },
        asked: '/api/x/y?q=1',
        want: '/v2/x/y?q=1',
      },
      {
        what: 'of a prefix that is the whole path',
        more: { match: { pathSeparatedPrefix: '/api' }, route: { cluster: all, prefixRewrite: '/v2' } },
        asked: '/api?q',
        want: '/v2?q',
      },
      {
        what: 'of a path in absolute form',
        more: { match: { pathSeparatedPrefix: '/api' }, route: { cluster: all, prefixRewrite: '/v2' } },
        asked: 'http://reviews/api/x',
        want: '/v2/x',
      },
    ] satisfies { what: string; more: Input<Route>; asked: string; want: string }[]) {
      it(what, async () => {
        const outbound = await outboundWith(more);
        expect((await ask(outbound, asked)).status).to.equal(200);
        expect(seen).to.deep.equal([`GET ${want} reviews`]);
      });
    }

    it('of the host, as the instance sees it and not as the service was found', async () => {
      const outbound = await outboundWith({ route: { cluster: all, hostRewriteLiteral: 'inner.example' } });
      await ask(outbound, '/');
      expect(seen).to.deep.equal(['GET / inner.example']);
    });
  });

  describe('is a redirect', () => {
    for (const { what, options, want } of [
      { what: 'with a body to people', options: {}, want: true },
      { what: 'without one to HEAD', options: { method: 'HEAD' }, want: false },
      {
        what: 'before the body of the request was read',
        options: { method: 'POST', body: 'x'.repeat(300_000) },
        want: true,
      },
    ] satisfies { what: string; options: Ask; want: boolean }[]) {
      it(what, async () => {
        const redirect = { hostRedirect: 'other.example', responseCode: RedirectCode.PERMANENT_REDIRECT };
        const outbound = await outboundWith({ route: null, redirect });
        const { status, headers, body } = await ask(outbound, '/a?b', options);
        expect({ status, location: headers.location, hasBody: body !== '' }).to.deep.equal({
          status: 308,
          location: 'http://other.example/a?b',
          hasBody: want,
        });
        expect(headers).to.not.have.property('x-sluice-reason');
        expect(seen).to.deep.equal([]);
      });
    }

    for (const [code, line] of [
      [RedirectCode.MOVED_PERMANENTLY, '301 Moved Permanently'],
      [RedirectCode.FOUND, '302 Found'],
      [RedirectCode.PERMANENT_REDIRECT, '308 Permanent Redirect'],
    ] as const) {
      it(`with the words of its status: ${line}`, async () => {
        const redirect = { hostRedirect: 'other.example', responseCode: code };
        const outbound = await outboundWith({ route: null, redirect });
        const answer = await askRaw(outbound, 'GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n');
        expect(answer.split('\r\n')[0]).to.equal(`HTTP/1.1 ${line}`);
      });
    }
  });

  for (const [httpStatus, line] of [
    [418, "418 I'm a Teapot"],
    [422, '422 Unprocessable Content'],
    [503, '503 Service Unavailable'],
    [555, '555 '],
  ] as const) {
    it(`an abort has the words of its status: "${line}"`, async () => {
      const outbound = await outboundWith(fault({ abort: { httpStatus, percentage: always } }));
      const asked = 'GET / HTTP/1.1\r\nHost: reviews\r\nAccept: application/json\r\nConnection: close\r\n\r\n';
      const [first, ...rest] = (await askRaw(outbound, asked)).split('\r\n');
      expect(first).to.equal(`HTTP/1.1 ${line}`);
      expect(JSON.parse(rest.at(-1) ?? '')).to.include({ status: httpStatus, title: line.slice('000 '.length) });
    });
  }

  it('is nothing when no rule says anything, and what one said is over with the swap', async () => {
    const outbound = await outboundWith(fault({ abort: { httpStatus: 503, percentage: always } }));
    expect((await ask(outbound, '/')).status).to.equal(503);
    const resources = serviceResources({ routes: [toAll], clusters: { [all]: [{ port: await echo() }] } });
    world.directory.swap(withRoutes(resources, routeConfiguration([{ name: 'reviews/rule', ...toAll }])));
    expect((await ask(outbound, '/')).status).to.equal(200);
  });
});
