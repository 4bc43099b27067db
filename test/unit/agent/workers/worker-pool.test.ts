import { join } from 'node:path';
import { expect } from 'chai';
import { Conditions } from '../../../../agent/workers/conditions.ts';
import { deltaOf } from '../../../../agent/workers/mesh-delta.ts';
import type { FromWorker, Start } from '../../../../agent/workers/messages.ts';
import { WorkerPool } from '../../../../agent/workers/worker-pool.ts';
import { nothingHeld } from '../../../../agent/xds/resources.ts';
import { sluiceVersion } from '../../../../process/version.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { silent } from '../xds/session-harness.ts';

const program = join(import.meta.dirname, 'stub-worker.ts');
const nothingChanged = deltaOf(nothingHeld, nothingHeld);
const settings = {
  service: 'web',
  namespace: 'default',
  id: 'web-1',
  outbound: { host: '127.0.0.1', port: 1 },
  upstreams: [],
  appPorts: [],
  forwardedHeaders: [],
  interception: undefined,
};

/** Real processes that do nothing, and a clock that stands still. */
class World {
  readonly clock = new FakeClock();
  readonly said: { readonly worker: number; readonly is: FromWorker['is'] }[] = [];
  readonly ended: number[] = [];
  readonly #happened = new Conditions();
  readonly pool: WorkerPool;

  constructor(count: number, habit = '') {
    const note = (kind: () => void) => {
      kind();
      // The pool looks first.
      setImmediate(() => this.#happened.look());
    };
    this.pool = new WorkerPool({
      program,
      count,
      clock: this.clock,
      log: silent,
      start: (worker) => this.#start(worker, habit),
      onMessage: ({ worker }, { is }) => note(() => this.said.push({ worker, is })),
      onEnd: ({ worker }) => note(() => this.ended.push(worker)),
    });
  }

  get states(): string[] {
    return this.pool.workers.map(({ state }) => state);
  }

  pid(worker: number): number {
    return this.pool.workers[worker - 1]?.pid ?? expect.fail(`worker ${worker} has no process`);
  }

  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => this.#happened.once(isSo, resolve));
  }

  heard(worker: number, kind: FromWorker['is'], times = 1): Promise<void> {
    return this.until(() => this.said.filter((each) => each.worker === worker && each.is === kind).length >= times);
  }

  #start(worker: number, habit: string): Start {
    return {
      is: 'start',
      worker,
      workers: 2,
      zone: habit,
      settings,
      accessLog: undefined,
      logLevel: 'silent',
      mesh: nothingChanged,
      verdicts: [],
      obstacle: '',
    };
  }
}

describe('a pool of workers', () => {
  let world: World;
  afterEach(async () => {
    world.pool.kill();
    await world.pool.close();
  });

  async function start(count = 2, habit = ''): Promise<World> {
    world = new World(count, habit);
    await world.pool.start();
    return world;
  }

  it('has started when all of them serve', async () => {
    const { pool, states } = await start(3);
    expect(states).to.deep.equal(['serving', 'serving', 'serving']);
    expect(new Set(pool.workers.map(({ pid }) => pid)).size).to.equal(3);
  });

  it('has not, when one ends at the start', async () => {
    const failed = await start(2, 'ends at the start').catch((cause: Error) => cause.message);
    expect(failed).to.equal('a worker could not be started: exit code 7');
  });

  it('does not talk to a program of another version', async () => {
    process.env.STUB_VERSION = `${sluiceVersion}-other`;
    const failed = await start(2).catch((cause: Error) => cause.message);
    delete process.env.STUB_VERSION;
    expect(failed).to.equal('a worker could not be started: signal SIGKILL');
    expect(world.said.map(({ is }) => is)).not.to.contain('serving');
  });

  it('uses a change when the last of them does', async () => {
    const { pool } = await start();
    process.kill(world.pid(2), 'SIGSTOP');
    let isInUse = false;
    pool.use(nothingChanged);
    pool.onceInUse(() => {
      isInUse = true;
    });
    await world.heard(1, 'using');
    expect(isInUse).to.equal(false);
    process.kill(world.pid(2), 'SIGCONT');
    await world.until(() => isInUse);
  });

  it('kills one that does not answer within 10 s, waits no longer for it, and starts another that is up to date', async () => {
    const { pool, clock } = await start();
    const [first, stopped] = [world.pid(1), world.pid(2)];
    process.kill(stopped, 'SIGSTOP');
    let isInUse = false;
    pool.use(nothingChanged);
    pool.onceInUse(() => {
      isInUse = true;
    });
    await world.heard(1, 'using');
    clock.advance(10_000);
    await world.until(() => isInUse);
    expect(world.ended).to.deep.equal([2]);
    clock.advance(0);
    await world.heard(2, 'serving', 2);
    expect(pool.workers.map(({ restarts }) => restarts)).to.deep.equal([0, 1]);
    expect([world.pid(1) === first, world.pid(2) === stopped]).to.deep.equal([true, false]);
    let isInUseByAll = false;
    pool.onceInUse(() => {
      isInUseByAll = true;
    });
    expect(isInUseByAll).to.equal(true);
  });

  it('replaces one that ends, after a pause that grows while it ends soon', async () => {
    const { clock } = await start();
    for (const [times, pauseMs] of [100, 200, 400].entries()) {
      process.kill(world.pid(1), 'SIGKILL');
      await world.until(() => world.ended.length === times + 1);
      expect(world.states).to.deep.equal(['restarting', 'serving']);
      expect(clock.waiting).to.deep.equal([pauseMs]);
      clock.advance(pauseMs);
      await world.heard(1, 'serving', times + 2);
    }
    clock.advance(10_000);
    process.kill(world.pid(1), 'SIGKILL');
    await world.until(() => world.ended.length === 4);
    expect(clock.waiting).to.deep.equal([0]);
  });

  it('kills one that says what no worker says', async () => {
    const { pool, clock } = await start(2, 'talks nonsense');
    const reports = pool.askForReports();
    await world.until(() => world.ended.length === 2);
    await reports;
    clock.advance(100);
    await world.heard(2, 'serving', 2);
    await world.heard(1, 'serving', 2);
  });

  it('has reports within a second, of those that give one', async () => {
    const { pool, clock } = await start();
    process.kill(world.pid(2), 'SIGSTOP');
    const asked = pool.askForReports();
    await world.heard(1, 'report');
    clock.advance(1_000);
    await asked;
    expect(pool.reports.map(({ connections }) => connections)).to.deep.equal([4]);
    expect(pool.workers.map(({ connections }) => connections)).to.deep.equal([4, 0]);
  });

  it('knows how many connections each has, as soon as it says so', async () => {
    const { pool } = await start(2, 'has connections');
    await world.heard(1, 'connections');
    await world.heard(2, 'connections');
    expect(pool.workers.map(({ connections }) => connections)).to.deep.equal([3, 3]);
  });

  it('reads what has come while this process itself stood still, before it takes anybody for hung', async () => {
    const { pool, clock } = await start();
    let isInUse = false;
    pool.use(nothingChanged);
    pool.onceInUse(() => {
      isInUse = true;
    });
    // Timers run first when a process goes on.
    clock.advance(9_999);
    await world.until(() => isInUse);
    clock.advance(10_000);
    expect(world.ended).to.deep.equal([]);
  });

  it('closes when all have ended, of themselves or not', async () => {
    const { pool, clock } = await start();
    process.kill(world.pid(2), 'SIGSTOP');
    const closed = pool.close();
    await world.until(() => world.ended.length === 1);
    clock.advance(12_000);
    await closed;
    expect(world.ended).to.deep.equal([1, 2]);
    expect(clock.waiting).to.deep.equal([]);
  });
});
