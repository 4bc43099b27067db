import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { LimitReport } from '../../../../agent/admin/agent-report.ts';
import { noPool } from '../../../../agent/admin/cluster-dump.ts';
import { readExplainBody } from '../../../../agent/admin/explain-body.ts';
import { explainRequest } from '../../../../agent/admin/explain-request.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { CircuitBreaker, unlimited } from '../../../../agent/resilience/circuit-breaker.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, reasonOf, World } from './world.ts';

const all = 'reviews.default|http|';

describe('limits of what clients may have under way', () => {
  let world: World;
  let held: ServerResponse[];
  let arrivals: EventEmitter;

  beforeEach(() => {
    world = new World();
    held = [];
    arrivals = new EventEmitter();
  });
  afterEach(() => world.close());

  /** Two listeners in front of an instance that does not answer until it is told to. */
  async function listenersWith(limits: Partial<typeof unlimited>, thresholds = {}) {
    const port = await world.app('held', (request, response) => {
      request.resume();
      held.push(response);
      arrivals.emit('request');
    });
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all })],
        clusters: { [all]: [{ port }] },
        policies: { [all]: { circuitBreakers: { thresholds: [thresholds] } } },
      }),
    );
    const clientLimits = new CircuitBreaker({ ...unlimited, ...limits });
    const [first, second] = [await world.outbound({ clientLimits }), await world.outbound({ clientLimits })];
    return { first, second, counts: clientLimits.counts };
  }

  async function arrived(count: number): Promise<void> {
    while (held.length < count) await once(arrivals, 'request');
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise(setImmediate);
  }

  it('refuse requests beyond it, over all listeners together, and none when there is room again', async () => {
    const { first, second, counts } = await listenersWith({ maxRequests: 2 });
    const answers = [ask(first, '/'), ask(second, '/')];
    await arrived(2);
    expect(reasonOf(await ask(first, '/'))).to.deep.equal({
      status: 503,
      reason: 'overflow',
      sentence: 'as many requests as may be are under way on this side of the application',
    });
    expect(world.lines.at(-1)).to.deep.include({ status: 503, reason: 'overflow' });
    expect(explained({ ...unlimited, maxRequests: 2, counts })).to.deep.include({ status: 503, reason: 'overflow' });
    for (const response of held) response.end('done');
    await Promise.all(answers);
    const last = ask(second, '/');
    await arrived(3);
    held[2]?.end('later');
    expect((await last).body).to.equal('later');
    expect(counts).to.deep.include({ requests: 0, requestOverflow: 1 });
  });

  it('have room again for each request that ends in another way', async () => {
    const { first, counts } = await listenersWith({ maxRequests: 1 });
    for (const [path, end] of [
      ['/', 'of the client'],
      ['/', 'of the instance'],
    ] as const) {
      const socket = connect({ ...first.address });
      socket.on('error', () => {}).write(`GET ${path} HTTP/1.1\r\nhost: reviews\r\n\r\n`);
      await arrived(held.length + 1);
      expect(counts.requests).to.equal(1);
      if (end === 'of the client') socket.resetAndDestroy();
      else held.at(-1)?.destroy();
      await until(() => counts.requests === 0);
      socket.destroy();
    }
    const refused = await ask(first, '/', { headers: { host: 'nowhere' } });
    expect([refused.status, counts.requests]).to.deep.equal([404, 0]);
  });

  it('refuse requests that would wait for a connection beyond it', async () => {
    const limits = { maxConnections: { value: 1 } };
    const { first, counts } = await listenersWith({ maxPendingRequests: 1 }, limits);
    const answers = [ask(first, '/')];
    await arrived(1);
    answers.push(ask(first, '/'));
    await until(() => counts.pending === 1);
    expect(reasonOf(await ask(first, '/'))).to.deep.equal({
      status: 503,
      reason: 'overflow',
      sentence: 'reviews.default: as many requests as may wait for connections on this side of the application',
    });
    expect(explained({ ...unlimited, maxPendingRequests: 1, counts })).to.deep.include({
      status: 503,
      reason: 'overflow',
    });
    held[0]?.end('first');
    await arrived(2);
    held[1]?.end('second');
    expect((await Promise.all(answers)).map(({ body }) => body)).to.deep.equal(['first', 'second']);
    expect(counts).to.deep.include({ pending: 0, pendingOverflow: 1 });
  });

  it('close connections beyond it', async () => {
    const { first, second, counts } = await listenersWith({ maxConnections: 1 });
    const kept = connect({ ...first.address });
    await until(() => counts.connections === 1);
    expect(await text(dial(second))).to.equal('');
    expect(counts).to.deep.include({ connections: 1, connectionOverflow: 1 });
    expect(world.statistics.snapshot().connections).to.deep.equal({ accepted: 1, refused: 1 });
    kept.destroy();
    await until(() => counts.connections === 0);
    const answer = ask(second, '/');
    await arrived(1);
    held[0]?.end('served');
    expect((await answer).body).to.equal('served');
  });

  it('count connections to TCP services among the requests, and reset those beyond it', async () => {
    const clientLimits = new CircuitBreaker({ ...unlimited, maxRequests: 1 });
    const port = await world.tcp((socket) => socket.write('here'));
    const inbound = await world.inbound({ app: { host: '127.0.0.1', port }, protocol: () => 'tcp', clientLimits });
    const first = dial(inbound);
    await once(first, 'data');
    const [error] = await once(dial(inbound).removeAllListeners('error'), 'error');
    expect(error.code).to.equal('ECONNRESET');
    first.destroy();
    await until(() => clientLimits.counts.requests === 0);
    expect(world.lines.map(({ reason }) => reason)).to.include('overflow');
  });

  /** What `/explain` answers of such a request: the agent's own answer, if it is one. */
  function explained(limits: LimitReport) {
    const read = readExplainBody(JSON.stringify({ host: 'reviews', path: '/' }));
    if (!('asked' in read)) return expect.fail('this is a request');
    const { view } = world.directory;
    const mesh = { view, obstacle: '', standingOf: () => undefined, namespace: 'default', poolOf: () => noPool };
    return explainRequest(read.asked, { ...mesh, workers: 0, limits }).answer;
  }

  function dial({ address }: ProxyListener) {
    return connect({ ...address }).on('error', () => {});
  }
});
