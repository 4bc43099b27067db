import { EventEmitter, once } from 'node:events';
import { type ServerResponse, request as sendRequest } from 'node:http';
import { expect } from 'chai';
import { noPool } from '../../../../agent/admin/cluster-dump.ts';
import { readExplainBody } from '../../../../agent/admin/explain-body.ts';
import { explainRequest } from '../../../../agent/admin/explain-request.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { OutboundOptions } from '../../../../agent/proxy/outbound.ts';
import type { Input } from '../../../../proto/load.ts';
import type { CircuitBreakersThresholds, RouteAction } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, ManualClock, reasonOf, World } from './world.ts';

const all = 'reviews.default|http|';

describe('limits of a cluster', () => {
  let world: World;
  /** Requests that the instance has taken and not answered, and an event for each. */
  let held: ServerResponse[];
  let arrivals: EventEmitter;

  beforeEach(() => {
    world = new World();
    held = [];
    arrivals = new EventEmitter();
  });
  afterEach(() => world.close());

  function swap(port: number, thresholds: Input<CircuitBreakersThresholds>, action: Input<RouteAction> = {}): void {
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all, ...action })],
        clusters: { [all]: [{ port }] },
        policies: { [all]: { circuitBreakers: { thresholds: [thresholds] } } },
      }),
    );
  }

  function instance(): Promise<number> {
    return world.app('held', (request, response) => {
      request.resume();
      held.push(response);
      arrivals.emit('request');
    });
  }

  async function outboundWith(
    thresholds: Input<CircuitBreakersThresholds>,
    { action, ...options }: Partial<OutboundOptions> & { readonly action?: Input<RouteAction> } = {},
  ): Promise<ProxyListener> {
    swap(await instance(), thresholds, action);
    return world.outbound(options);
  }

  const counts = () => world.directory.view.clusters.get(all)?.breaker.counts;

  /** Lets so many requests arrive in all. */
  async function arrived(count: number): Promise<void> {
    while (held.length < count) await once(arrivals, 'request');
  }

  async function waiting(count: number): Promise<void> {
    while (counts()?.pending !== count) await new Promise(setImmediate);
  }

  it('of requests: what is beyond is turned away at once, and what comes later is not', async () => {
    const outbound = await outboundWith({ maxRequests: { value: 2 } });
    const first = [ask(outbound, '/'), ask(outbound, '/')];
    await arrived(2);
    expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
      status: 503,
      reason: 'overflow',
      sentence: `reviews.default: too many requests are under way`,
    });
    expect(counts()).to.deep.include({ requests: 2, requestOverflow: 1 });
    for (const response of held) response.end('done');
    expect((await Promise.all(first)).map(({ body }) => body)).to.deep.equal(['done', 'done']);
    const last = ask(outbound, '/');
    await arrived(3);
    held[2]?.end('later');
    expect((await last).body).to.equal('later');
    expect(world.underWay()).to.deep.equal({});
  });

  it('of connections: requests wait for one that becomes free, and those beyond the limit of waiting ones do not', async () => {
    const outbound = await outboundWith({ maxConnections: { value: 1 }, maxPendingRequests: { value: 1 } });
    const first = ask(outbound, '/');
    await arrived(1);
    const second = ask(outbound, '/');
    await waiting(1);
    expect(reasonOf(await ask(outbound, '/'))).to.deep.equal({
      status: 503,
      reason: 'overflow',
      sentence: `reviews.default: too many requests wait for a connection`,
    });
    held[0]?.end('first');
    await arrived(2);
    held[1]?.end('second');
    expect([(await first).body, (await second).body]).to.deep.equal(['first', 'second']);
    expect(counts()).to.deep.include({ connections: 1, pendingOverflow: 1 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('of requests and of connections together: who waits is served when the one before is done', async () => {
    const outbound = await outboundWith({ maxConnections: { value: 1 }, maxRequests: { value: 1 } });
    const answers = [ask(outbound, '/'), ask(outbound, '/'), ask(outbound, '/')];
    await arrived(1);
    await waiting(2);
    for (let n = 0; n < 3; n++) {
      await arrived(n + 1);
      held[n]?.end('served');
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([200, 200, 200]);
    expect(world.underWay()).to.deep.equal({});
  });

  describe('explained', () => {
    /** The limits, and what becomes of a request: while nothing, or one request, is under way, and after that one. */
    const cases: readonly (readonly [Input<CircuitBreakersThresholds>, ...outcomes: Outcome[]])[] = [
      [{}, 'served', 'served', 'served'],
      [{ maxConnections: { value: 1 } }, 'served', 'waits', 'served'],
      [{ maxRequests: { value: 1 } }, 'served', 'refused', 'served'],
      [{ maxConnections: { value: 1 }, maxRequests: { value: 1 } }, 'served', 'waits', 'served'],
      [{ maxConnections: { value: 2 }, maxRequests: { value: 1 } }, 'served', 'refused', 'served'],
      [
        { maxConnections: { value: 1 }, maxPendingRequests: { value: 2 }, maxRequests: { value: 1 } },
        'served',
        'waits',
        'served',
      ],
      [{ maxPendingRequests: { value: 0 } }, 'refused'],
    ];
    type Outcome = 'served' | 'waits' | 'refused';

    function explained(outbound: ProxyListener): Outcome {
      const read = readExplainBody(JSON.stringify({ host: 'reviews' }));
      if ('problems' in read) throw new Error(JSON.stringify(read.problems));
      const { outcome, destination } = explainRequest(read.asked, {
        view: world.directory.view,
        obstacle: '',
        standingOf: () => undefined,
        namespace: 'default',
        workers: 0,
        poolOf: (load) => outbound.poolOf(load) ?? noPool,
      });
      const [{ verdict = '' } = {}] = destination?.instances ?? [];
      if (outcome === 'answered') expect(verdict).to.equal('later');
      else expect(verdict).to.equal('next');
      if (outcome === 'answered') return 'refused';
      return destination?.notes.some((note) => note.startsWith('it waits for a connection')) ? 'waits' : 'served';
    }

    /** What does become of it. */
    async function asked(outbound: ProxyListener): Promise<{ outcome: Outcome; end: () => Promise<unknown> }> {
      const arrivedBefore = held.length;
      const answer = ask(outbound, '/');
      const arrival = once(arrivals, 'request').then((): Outcome => 'served');
      const refusal = answer.then((): Outcome => 'refused');
      let outcome: Outcome | undefined;
      void Promise.race([arrival, refusal]).then((decided) => {
        outcome = decided;
      });
      // Nobody tells that a request goes on waiting, though no connection is being established.
      for (let looks = 0; outcome === undefined && looks < 20; looks = counts()?.pending === 1 ? looks + 1 : 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const end = async () => {
        while (held.length <= arrivedBefore && outcome === undefined) await once(arrivals, 'request');
        held[arrivedBefore]?.end();
        return answer;
      };
      return { outcome: outcome ?? 'waits', end };
    }

    for (const [limits, ...outcomes] of cases) {
      it(`are what meets the next request: ${JSON.stringify(limits)}`, async () => {
        const outbound = await outboundWith(limits);
        const [idle, busy, again] = outcomes;
        expect(explained(outbound)).to.equal(idle);
        const first = await asked(outbound);
        expect(first.outcome).to.equal(idle);
        if (busy === undefined) return;
        expect(explained(outbound)).to.equal(busy);
        const second = await asked(outbound);
        expect(second.outcome).to.equal(busy);
        await first.end();
        await second.end();
        expect(explained(outbound)).to.equal(again);
      });
    }
  });

  it('of requests turn away who has waited for a connection, too', async () => {
    const [busy, other] = [await instance(), await world.app('other')];
    const thresholds = { maxConnections: { value: 2 }, maxRequests: { value: 1 } };
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all })],
        clusters: { [all]: [{ port: busy }, { port: other }] },
        policies: { [all]: { circuitBreakers: { thresholds: [thresholds] } } },
      }),
    );
    // Round robin begins with the first.
    const outbound = await world.outbound({ random: () => 0 });
    const first = ask(outbound, '/');
    await arrived(1);
    expect(reasonOf(await ask(outbound, '/'))).to.include({ status: 503, reason: 'overflow' });
    held[0]?.end('first');
    expect((await first).body).to.equal('first');
    expect(world.underWay()).to.deep.equal({});
  });

  it('count on when rules change while requests are under way', async () => {
    const port = await instance();
    swap(port, { maxRequests: { value: 1 } });
    const outbound = await world.outbound();
    const first = ask(outbound, '/');
    await arrived(1);
    swap(port, { maxRequests: { value: 2 } });
    const second = ask(outbound, '/');
    await arrived(2);
    swap(port, { maxRequests: { value: 1 } });
    expect((await ask(outbound, '/')).status).to.equal(503);
    for (const response of held) response.end('done');
    await Promise.all([first, second]);
    expect(world.underWay()).to.deep.equal({});
  });

  it('do not count a client that goes while it waits', async () => {
    const outbound = await outboundWith({ maxConnections: { value: 1 } });
    const first = ask(outbound, '/');
    await arrived(1);
    const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
    request.on('error', () => {});
    await waiting(1);
    request.socket?.resetAndDestroy();
    await waiting(0);
    held[0]?.end('first');
    expect((await first).status).to.equal(200);
    expect(held.length).to.equal(1);
    expect(world.statistics.snapshot()).to.deep.include({ clientGone: 1 });
    expect(world.underWay()).to.deep.equal({});
  });

  it('do not keep a request longer than its rule says', async () => {
    const clock = new ManualClock();
    const outbound = await outboundWith(
      { maxConnections: { value: 1 } },
      { action: { timeout: { seconds: 30 } }, clock },
    );
    const first = ask(outbound, '/');
    await arrived(1);
    clock.pass(10_000);
    const second = ask(outbound, '/');
    await waiting(1);
    clock.pass(20_000);
    expect((await first).status).to.equal(504);
    clock.pass(10_000);
    expect((await second).status).to.equal(504);
    while (Object.keys(world.underWay()).length > 0) await new Promise(setImmediate);
  });
});
