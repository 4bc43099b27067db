import { EventEmitter, once } from 'node:events';
import { request as sendRequest } from 'node:http';
import { expect } from 'chai';
import { EjectionSweeps } from '../../../../agent/health-checks/ejection-sweeps.ts';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { Input } from '../../../../proto/load.ts';
import type { OutlierDetection, RouteAction } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, ManualClock, World } from './world.ts';

const all = 'reviews.default|http|';

/** Answers with one status after another, the last for ever. `-` is no answer but the end of the connection. */
type Script = readonly (number | '-')[];

describe('outlier detection', () => {
  let world: World;
  let clock: ManualClock;
  let sweeps: EjectionSweeps;
  let asked: Record<string, number>;

  beforeEach(() => {
    world = new World();
    clock = new ManualClock();
    sweeps = new EjectionSweeps(clock);
    asked = {};
  });
  afterEach(() => world.close());

  function scripted(name: string, script: Script): Promise<number> {
    return world.app(name, (request, response) => {
      const place = asked[name] ?? 0;
      asked[name] = place + 1;
      const status = script[Math.min(place, script.length - 1)] ?? 200;
      request.resume();
      if (status === '-') request.socket.destroy();
      else response.writeHead(status).end(name);
    });
  }

  interface Given {
    readonly detection?: Input<OutlierDetection>;
    readonly action?: Input<RouteAction>;
  }

  async function outboundTo(ports: Record<string, number>, { detection, action }: Given = {}): Promise<ProxyListener> {
    const outlierDetection = {
      consecutive_5xx: { value: 3 },
      interval: { seconds: 10 },
      baseEjectionTime: { seconds: 30 },
      maxEjectionPercent: { value: 100 },
      ...detection,
    };
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all, ...action })],
        clusters: { [all]: Object.entries(ports).map(([id, port]) => ({ id, port })) },
        policies: { [all]: { outlierDetection } },
      }),
    );
    sweeps.update(world.directory.view.clusters.values());
    return world.outbound({ clock, random: () => 0 });
  }

  /** Passes time in the steps of the sweeps. */
  function pass(seconds: number): void {
    for (let n = 0; n < seconds; n++) clock.pass(1_000);
  }

  function ejected(): string[] {
    const { endpoints = [] } = world.directory.view.clusters.get(all) ?? {};
    return endpoints.filter(({ load }) => load.outlier.isEjected).map(({ instance }) => instance);
  }

  /** What so many requests lead to, one after the other: `a:500` or the reason of the agent. */
  async function answers(outbound: ProxyListener, count: number): Promise<string[]> {
    const seen: string[] = [];
    for (let n = 0; n < count; n++) {
      const { status, headers, body } = await ask(outbound, '/');
      seen.push(`${headers['x-sluice-reason'] ?? body}:${status}`);
    }
    return seen;
  }

  it('ejects an instance after so many 5xx in a row, and nobody notices but by better answers', async () => {
    const outbound = await outboundTo({ a: await scripted('a', [500]), b: await scripted('b', [200]) });
    expect(await answers(outbound, 10)).to.deep.equal([
      ...['a:500', 'b:200', 'a:500', 'b:200', 'a:500'],
      ...['b:200', 'b:200', 'b:200', 'b:200', 'b:200'],
    ]);
    expect(ejected()).to.deep.equal(['a']);
    expect(world.underWay()).to.deep.equal({});
  });

  it('lets it come back after its time, and ejects it for twice that when it fails again at once', async () => {
    const outbound = await outboundTo({ a: await scripted('a', [500]), b: await scripted('b', [200]) });
    await answers(outbound, 6);
    pass(29);
    expect(ejected()).to.deep.equal(['a']);
    pass(2);
    expect(ejected()).to.deep.equal([]);
    const before = asked.a ?? 0;
    await answers(outbound, 4);
    // One failure on probation is enough.
    expect([(asked.a ?? 0) - before, ejected()]).to.deep.equal([1, ['a']]);
    pass(50);
    expect(ejected()).to.deep.equal(['a']);
    pass(20);
    expect(ejected()).to.deep.equal([]);
  });

  it('trusts one again that has answered after it came back', async () => {
    const outbound = await outboundTo({
      a: await scripted('a', [500, 500, 500, 200, 500, 500, 200]),
      b: await scripted('b', [200]),
    });
    await answers(outbound, 6);
    pass(40);
    await answers(outbound, 10);
    expect(ejected()).to.deep.equal([]);
    expect(asked.a).to.be.greaterThan(6);
  });

  for (const { what, script, detection, want } of [
    { what: 'a good answer in between', script: [500, 500, 200], want: [] },
    { what: 'answers that blame the client', script: [404], want: [] },
    { what: 'connections that end', script: ['-'], want: ['a'] },
    {
      what: 'gateway failures, where they count by themselves',
      script: [503],
      detection: {
        consecutive_5xx: { value: 100 },
        consecutiveGatewayFailure: { value: 2 },
        enforcingConsecutiveGatewayFailure: { value: 100 },
      },
      want: ['a'],
    },
    {
      what: 'other 5xx, where gateway failures alone count',
      script: [500],
      detection: {
        consecutive_5xx: { value: 100 },
        consecutiveGatewayFailure: { value: 2 },
        enforcingConsecutiveGatewayFailure: { value: 100 },
      },
      want: [],
    },
    {
      what: 'connections that end, where they count apart',
      script: ['-'],
      detection: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: { value: 2 } },
      want: ['a'],
    },
    {
      what: '5xx, where the other failures are counted apart',
      script: [500],
      detection: {
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailure: { value: 2 },
        consecutive_5xx: { value: 3 },
      },
      want: ['a'],
    },
    {
      what: 'failures of so many that too few would be left',
      script: [500],
      detection: { maxEjectionPercent: { value: 10 } },
      want: [],
    },
  ] satisfies {
    what: string;
    script: Script;
    detection?: Input<OutlierDetection>;
    want: string[];
  }[]) {
    it(`ejects ${want.length === 0 ? 'nobody' : 'it'} for ${what}`, async () => {
      const ports = { a: await scripted('a', script), b: await scripted('b', [200]) };
      const outbound = await outboundTo(ports, detection && { detection });
      await answers(outbound, 8);
      expect(ejected()).to.deep.equal(want);
      expect(world.underWay()).to.deep.equal({});
    });
  }

  it('ejects one that takes no connection, of which no request is the worse', async () => {
    const outbound = await outboundTo({ a: await world.deadPort(), b: await scripted('b', [200]) });
    expect(new Set(await answers(outbound, 8))).to.deep.equal(new Set(['b:200']));
    expect(ejected()).to.deep.equal(['a']);
    expect(world.statistics.snapshot().attempts.unreachable).to.equal(3);
  });

  it('ejects one whose application takes no connection, as its agent says', async () => {
    const app = { host: '127.0.0.1', port: await world.deadPort() };
    const { address } = await world.inbound({ app, identity: { service: 'reviews.default', id: 'a' } });
    const outbound = await outboundTo({ a: address.port, b: await scripted('b', [200]) });
    expect(new Set(await answers(outbound, 8))).to.deep.equal(new Set(['b:200']));
    expect(ejected()).to.deep.equal(['a']);
    expect(world.statistics.snapshot().attempts['app-unreachable']).to.equal(3);
  });

  it('ejects one whose answers do not come in time', async () => {
    const arrivals = new EventEmitter();
    const silent = await world.tcp((socket) => void socket.on('data', () => arrivals.emit('request')));
    const outbound = await outboundTo(
      { a: silent, b: await scripted('b', [200]) },
      { action: { timeout: { seconds: 1 } } },
    );
    arrivals.on('request', () => clock.pass(1_000));
    expect(await answers(outbound, 8)).to.deep.equal([
      ...['timeout:504', 'b:200', 'timeout:504', 'b:200', 'timeout:504', 'b:200', 'b:200', 'b:200'],
    ]);
    expect(ejected()).to.deep.equal(['a']);
  });

  it('holds nothing against an instance whose clients go, or are slow themselves', async () => {
    const arrivals = new EventEmitter();
    const slow = await world.app('slow', (request) => {
      request.resume();
      arrivals.emit('request');
    });
    const outbound = await outboundTo({ a: slow }, { action: { timeout: { seconds: 1 } } });
    for (let n = 0; n < 4; n++) {
      const request = sendRequest({ ...outbound.address, headers: { host: 'reviews' }, agent: false }).end();
      request.on('error', () => {});
      await once(arrivals, 'request');
      request.socket?.resetAndDestroy();
      while (world.statistics.snapshot().active > 0) await new Promise(setImmediate);
    }
    for (let n = 0; n < 4; n++) {
      const request = sendRequest({ ...outbound.address, method: 'POST', headers: { host: 'reviews' }, agent: false });
      request.on('error', () => {});
      const answered = once(request, 'response');
      const arrived = once(arrivals, 'request');
      request.write('begun');
      await arrived;
      clock.pass(1_000);
      await answered;
      request.destroy();
    }
    expect(ejected()).to.deep.equal([]);
  });

  it('asks the suspected when nobody else is left', async () => {
    const outbound = await outboundTo({ a: await scripted('a', [500]), b: await scripted('b', [500]) });
    const seen = await answers(outbound, 12);
    expect(new Set(seen)).to.deep.equal(new Set(['a:500', 'b:500']));
    expect(seen.filter((answer) => answer.startsWith('a')).length).to.be.within(5, 7);
  });

  it('spares the client its failures when the rule asks for one retry', async () => {
    const retryPolicy = { retryOn: 'retriable-status-codes,reset,connect-failure', retriableStatusCodes: [500] };
    const ports = { a: await scripted('a', [500]), b: await scripted('b', [200]), c: await scripted('c', [200]) };
    const outbound = await outboundTo(ports, { action: { retryPolicy } });
    const passing = setInterval(() => clock.pass(1), 1);
    const seen = await answers(outbound, 20);
    clearInterval(passing);
    expect(seen.filter((answer) => !answer.endsWith(':200'))).to.deep.equal([]);
    expect([asked.a, ejected()]).to.deep.equal([3, ['a']]);
  });

  it('remembers what it knows of instances when rules and instances change', async () => {
    const ports = { a: await scripted('a', [500]), b: await scripted('b', [200]) };
    await answers(await outboundTo(ports), 6);
    expect(ejected()).to.deep.equal(['a']);
    const outbound = await outboundTo({ ...ports, c: await scripted('c', [200]) });
    expect(ejected()).to.deep.equal(['a']);
    await answers(outbound, 10);
    expect(asked.a).to.equal(3);
    pass(40);
    expect(ejected()).to.deep.equal([]);
  });
});
