import { expect } from 'chai';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import { deltaOf } from '../../../../agent/workers/mesh-delta.ts';
import { WorkerDirectory } from '../../../../agent/workers/worker-directory.ts';
import { decodeResource } from '../../../../agent/xds/decode.ts';
import { copyTables, nothingHeld } from '../../../../agent/xds/resources.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { closureOf } from '../xds/mesh-fixture.ts';
import { createView } from '../xds/session-harness.ts';

function reviews() {
  const tables = copyTables();
  const closure = closureOf('reviews.default');
  for (const kind of ['clusters', 'endpoints', 'routeConfigurations', 'names'] as const) {
    decodeResource(tables, kind, closure[kind]);
  }
  return { meshId: 'mesh-a', revision: 3, tables };
}

describe('what a worker knows of the mesh', () => {
  let clock: FakeClock;
  let asked: string[];
  let directory: WorkerDirectory;
  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    directory = new WorkerDirectory({
      held: nothingHeld,
      view: createEmptyMeshView(),
      createView,
      clock,
      ask: (name) => asked.push(name),
    });
  });

  it('is what it was sent last', () => {
    directory.use(deltaOf(nothingHeld, reviews()));
    expect(directory.view.revision).to.equal(3);
    expect(directory.view.service('reviews.default')?.defaultPort).to.equal(80);
    directory.use(deltaOf(reviews(), { ...nothingHeld, revision: 4 }));
    expect(directory.view.service('reviews.default')).to.equal(undefined);
  });

  it('cannot be half of what is needed: that is a fault of the program', () => {
    const delta = deltaOf(nothingHeld, reviews());
    delta.tables.clusters.put.length = 0;
    expect(() => directory.use(delta)).to.throw(/cannot use what it was sent.*which is missing/);
    expect(directory.view.revision).to.equal(0);
  });

  it('is asked for once for all who wait for the same name, and again later', async () => {
    const answers = [directory.resolve('reviews.default'), directory.resolve('reviews.default')];
    directory.resolved('reviews.default', 'known');
    expect(await Promise.all(answers)).to.deep.equal(['known', 'known']);
    const again = directory.resolve('reviews.default');
    directory.resolved('reviews.default', 'absent');
    expect(await again).to.equal('absent');
    expect(asked).to.deep.equal(['reviews.default', 'reviews.default']);
  });

  it('is asked for once in a second when it is not there', async () => {
    const first = directory.resolve('nobody.default');
    directory.resolved('nobody.default', 'absent');
    const answers = [await first, await directory.resolve('nobody.default')];
    clock.advance(1_000);
    const later = directory.resolve('nobody.default');
    directory.resolved('nobody.default', 'known');
    expect([...answers, await later]).to.deep.equal(['absent', 'absent', 'known']);
    expect(asked).to.deep.equal(['nobody.default', 'nobody.default']);
  });

  it('is asked for again as soon as somebody may answer', async () => {
    const first = directory.resolve('reviews.default');
    directory.resolved('reviews.default', 'unavailable');
    directory.obstacle = '';
    const second = directory.resolve('reviews.default');
    directory.resolved('reviews.default', 'known');
    expect([await first, await second]).to.deep.equal(['unavailable', 'known']);
  });

  it('is not waited for longer than the main process can take', async () => {
    const answer = directory.resolve('reviews.default');
    clock.advance(10_000);
    expect(await answer).to.equal('unavailable');
    directory.resolved('reviews.default', 'known');
    clock.advance(1_000);
    expect(clock.waiting).to.deep.equal([]);
  });

  it('is not asked for any more when the main process has ended; what is in use stays', async () => {
    directory.use(deltaOf(nothingHeld, reviews()));
    const answer = directory.resolve('cart.default');
    directory.abandoned();
    expect([await answer, await directory.resolve('cart.default')]).to.deep.equal(['unavailable', 'unavailable']);
    expect(directory.obstacle).to.equal('the main process of the agent has ended');
    expect(directory.view.service('reviews.default')).not.to.equal(undefined);
    expect(asked).to.deep.equal(['cart.default']);
  });

  it('notes the names that are looked up and are there', () => {
    directory.use(deltaOf(nothingHeld, reviews()));
    for (const name of ['reviews.default', 'cart.default', 'reviews.default']) directory.view.service(name);
    expect([directory.takeUsed(), directory.takeUsed()]).to.deep.equal([['reviews.default'], []]);
  });
});
