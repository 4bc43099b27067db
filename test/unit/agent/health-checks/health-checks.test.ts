import { expect } from 'chai';
import { HealthChecks } from '../../../../agent/health-checks/health-checks.ts';
import type { ProbeTarget } from '../../../../agent/health-checks/probe.ts';
import { verdictOn } from '../../../../agent/health-checks/verdicts.ts';
import { type ClusterView, createClusterView } from '../../../../agent/view/cluster-view.ts';
import { createLog } from '../../../../process/log.ts';
import type { Input } from '../../../../proto/load.ts';
import type { Cluster } from '../../../../proto/types.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { assignment, cluster } from '../view/resources.ts';

const name = 'reviews.default|http|v1';
const healthChecks = [
  {
    httpHealthCheck: { path: '/healthz' },
    interval: { seconds: 5 },
    timeout: { seconds: 1 },
    unhealthyThreshold: { value: 2 },
    healthyThreshold: { value: 2 },
  },
];

/** A look that has begun and not ended. */
interface Look {
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly answer: (isUp: boolean) => void;
}

/** Health checks whose looks are answered by the test. Chance is 1/2 each time: no jitter, and half a second to begin with. */
class World {
  readonly clock = new FakeClock();
  looks: Look[] = [];
  /** What was told to have changed. */
  readonly told: string[] = [];
  readonly checks = new HealthChecks({
    clock: this.clock,
    random: () => 0.5,
    log: createLog('test', 'silent'),
    onChange: (cluster, endpoint) => this.told.push(JSON.stringify(verdictOn(endpoint, cluster.name))),
    probe: ({ identity }: ProbeTarget, _settings, signal) =>
      new Promise((answer) => {
        signal.addEventListener('abort', () => answer(false));
        this.looks.push({ instance: identity.slice('reviews.default/'.length), signal, answer });
      }),
  });
  #view: ClusterView | undefined;

  get view(): ClusterView {
    if (this.#view === undefined) throw new Error('there is no view yet');
    return this.#view;
  }

  use(ids: readonly string[], more: Input<Cluster> = { healthChecks }): this {
    const endpoints = ids.map((id) => ({ id, port: 1 + Number.parseInt(id, 36) }));
    this.#view = createClusterView(cluster(name, more), assignment(name, endpoints), {
      zone: '',
      previous: this.#view,
    });
    this.checks.update([this.#view]);
    return this;
  }

  /** Instances that are looked at now. */
  get looking(): string {
    return this.looks.map(({ instance }) => instance).join(' ');
  }

  /** Answers all looks that are under way. */
  async answer(isUp: boolean): Promise<void> {
    for (const look of this.looks.splice(0)) look.answer(isUp);
    await settled();
  }

  /** `a: passing, b: failing`, as balancers see it. */
  get found(): string {
    return this.view.endpoints.map(({ instance, load }) => `${instance}: ${load.check.is}`).join(', ');
  }
}

/** Until all promises that have resolved were followed up. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('active health checks', () => {
  it('look at every instance soon, and decide by the first look', async () => {
    const world = new World().use(['a', 'b']);
    expect(world.looking).to.equal('');
    world.clock.advance(500);
    expect(world.looking).to.equal('a b');
    expect(world.found).to.equal('a: unchecked, b: unchecked');
    world.looks[0]?.answer(true);
    world.looks[1]?.answer(false);
    await settled();
    expect(world.found).to.equal('a: passing, b: failing');
    expect(world.view.balancer.pick([], () => 0, undefined)?.instance).to.equal('a');
  });

  it('tell what they found when it is something else than before', async () => {
    const world = new World().use(['a']);
    world.clock.advance(500);
    for (const isUp of [true, true, false, false, false]) {
      await world.answer(isUp);
      world.clock.advance(5_000);
    }
    world.use([]);
    const verdict = { cluster: name, instance: 'a', address: '127.0.0.1', port: 11 };
    expect(world.told.map((text) => JSON.parse(text))).to.deep.equal([
      { ...verdict, is: 'passing' },
      { ...verdict, is: 'failing' },
      { ...verdict, is: 'unchecked' },
    ]);
  });

  it('look again an interval after the last look ended', async () => {
    const world = new World().use(['a']);
    world.clock.advance(500);
    await world.answer(true);
    world.clock.advance(4_999);
    expect(world.looking).to.equal('');
    world.clock.advance(1);
    expect(world.looking).to.equal('a');
  });

  it('change their mind by thresholds, and tell balancers when they do', async () => {
    const world = new World().use(['a']);
    const log: string[] = [];
    world.clock.advance(500);
    for (const isUp of [true, false, false, true, true]) {
      await world.answer(isUp);
      log.push(`${world.found} ${world.view.suspicions.changes}`);
      world.clock.advance(5_000);
    }
    expect(log).to.deep.equal(['a: passing 0', 'a: passing 0', 'a: failing 1', 'a: failing 1', 'a: passing 2']);
  });

  it('take no answer in time for a failure', async () => {
    const world = new World().use(['a']);
    world.clock.advance(500);
    world.clock.advance(1_000);
    await settled();
    expect(world.looks[0]?.signal.aborted).to.equal(true);
    expect(world.found).to.equal('a: failing');
  });

  it('go on across swaps, and take new settings up with the next look', async () => {
    const world = new World().use(['a', 'b']);
    world.clock.advance(500);
    await world.answer(true);
    world.use(['a', 'b', 'c'], { healthChecks: [{ ...healthChecks[0], interval: { seconds: 1 } }] });
    expect(world.found).to.equal('a: passing, b: passing, c: unchecked');
    world.clock.advance(500);
    expect(world.looking).to.equal('c');
    world.clock.advance(4_500);
    expect(world.looking).to.equal('c a b');
    await world.answer(true);
    world.clock.advance(1_000);
    expect(world.looking).to.equal('c a b');
  });

  it('stop with the instance, in the middle of a look too', async () => {
    const world = new World().use(['a', 'b']);
    world.clock.advance(500);
    const [a, b] = world.looks;
    world.use(['a']);
    expect([a?.signal.aborted, b?.signal.aborted]).to.deep.equal([false, true]);
    await world.answer(true);
    expect(world.clock.waiting).to.deep.equal([5_000]);
  });

  it('leave no verdict behind when the cluster is no longer checked, or gone', async () => {
    const world = new World().use(['a', 'b']);
    world.clock.advance(500);
    await world.answer(false);
    world.use(['a', 'b'], {});
    expect(world.found).to.equal('a: unchecked, b: unchecked');
    world.use(['a', 'b']);
    world.clock.advance(500);
    await world.answer(false);
    world.checks.update([]);
    expect(world.found).to.equal('a: unchecked, b: unchecked');
    expect(world.clock.waiting).to.deep.equal([]);
  });

  it('look at 32 instances at the same time, at the others as soon as one is done', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `i${index}`);
    const world = new World().use(ids);
    world.clock.advance(500);
    expect(world.looks).to.have.length(32);
    world.looks.shift()?.answer(true);
    await settled();
    expect(world.looks).to.have.length(32);
    await world.answer(true);
    expect(world.looks).to.have.length(7);
    await world.answer(true);
    expect(world.view.endpoints.every(({ load }) => load.check.is === 'passing')).to.equal(true);
  });

  it('end all looks when they are closed', async () => {
    const world = new World().use(['a', 'b']);
    world.clock.advance(500);
    world.checks.close();
    await settled();
    expect(world.looks.every(({ signal }) => signal.aborted)).to.equal(true);
    expect(world.clock.waiting).to.deep.equal([]);
  });
});
