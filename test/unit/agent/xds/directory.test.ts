import { expect } from 'chai';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import { Directory } from '../../../../agent/xds/directory.ts';
import { nothingHeld } from '../../../../agent/xds/resources.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { batchOf } from './mesh-fixture.ts';
import { SessionHarness } from './session-harness.ts';

describe('the directory of the mesh', () => {
  let clock: FakeClock;
  let said: string[];
  const asker = {
    subscribe: (names: readonly string[]) => void said.push(`+${names}`),
    unsubscribe: (names: readonly string[]) => void said.push(`-${names}`),
  };
  beforeEach(() => {
    clock = new FakeClock();
    said = [];
    obstacles = [];
  });

  let obstacles: string[];

  function directory(declared: readonly string[] = []) {
    const created: Directory = new Directory({
      declared,
      held: nothingHeld,
      remembered: [],
      view: createEmptyMeshView(),
      clock,
      onSwap: () => {},
      onObstacle: () => obstacles.push(created.obstacle),
    });
    return created;
  }

  /** A connected one that knows `reviews.default`. */
  function withReviews() {
    const harness = new SessionHarness({ names: ['reviews.default'] });
    harness.start();
    harness.receive(...batchOf(['reviews.default']));
    const connected = directory();
    connected.connected(asker);
    void connected.resolve('reviews.default');
    connected.swap(harness.held, harness.view, new Map([['reviews.default', 'known']]));
    return connected;
  }

  it('answers unavailable at once when nobody can be asked', async () => {
    expect(await directory().resolve('a.default')).to.equal('unavailable');
  });

  it('says what stands in the way of an answer, as long as the connection lasts', () => {
    const one = directory();
    const said = [one.obstacle];
    one.connected(asker);
    said.push(one.obstacle);
    one.hindered('the server is older');
    said.push(one.obstacle);
    one.disconnected();
    said.push(one.obstacle);
    const nobody = 'the control plane cannot be asked';
    expect(said).to.deep.equal([nobody, '', 'the server is older', nobody]);
    expect(obstacles, 'and tells when it changes').to.deep.equal(said.slice(1));
  });

  it('asks once for all who wait, and answers all of them', async () => {
    const one = directory();
    one.connected(asker);
    const answers = [one.resolve('a.default'), one.resolve('a.default'), one.resolve('b.default')];
    one.swap(
      nothingHeld,
      createEmptyMeshView(),
      new Map([
        ['a.default', 'known'],
        ['b.default', 'absent'],
      ]),
    );
    expect(await Promise.all(answers)).to.deep.equal(['known', 'known', 'absent']);
    expect(said).to.deep.equal(['+a.default', '+b.default']);
  });

  it('remembers that a name is absent, without asking', async () => {
    const one = directory();
    one.connected(asker);
    void one.resolve('a.default');
    one.swap(nothingHeld, createEmptyMeshView(), new Map([['a.default', 'absent']]));
    expect(await one.resolve('a.default')).to.equal('absent');
    expect(said).to.deep.equal(['+a.default']);
  });

  it('takes a name that no DNS name is as long as for absent', async () => {
    expect(await directory().resolve('a'.repeat(254))).to.equal('absent');
  });

  it('answers unavailable after 5 s without an answer, and does not ask again while the question stands', async () => {
    const one = directory();
    one.connected(asker);
    const answer = one.resolve('a.default');
    clock.advance(5_000);
    expect(await answer).to.equal('unavailable');
    void one.resolve('a.default');
    expect(said).to.deep.equal(['+a.default']);
  });

  it('answers unavailable when the connection is lost, and unusable when the configuration is refused', async () => {
    const one = directory();
    one.connected(asker);
    const refused = one.resolve('a.default');
    one.refuse(['a.default']);
    const lost = one.resolve('b.default');
    one.disconnected();
    expect(await Promise.all([refused, lost])).to.deep.equal(['unusable', 'unavailable']);
  });

  it('subscribes to declared names again on every connection, and not to those it only asked about', () => {
    const one = directory(['a.default']);
    one.connected(asker);
    void one.resolve('b.default');
    one.disconnected();
    expect(one.names).to.deep.equal(['a.default']);
  });

  it('keeps a known name as long as requests look it up', () => {
    const one = withReviews();
    for (let minutes = 0; minutes < 30; minutes += 5) {
      clock.advance(5 * 60_000);
      expect(one.view.service('reviews.default')).to.not.equal(undefined);
    }
    expect(said).to.deep.equal(['+reviews.default']);
    clock.advance(11 * 60_000);
    expect(said).to.deep.equal(['+reviews.default', '-reviews.default']);
  });

  it('keeps a known name as long as it is told that others look it up', () => {
    const one = withReviews();
    for (let minutes = 0; minutes < 30; minutes += 5) {
      clock.advance(5 * 60_000);
      one.used(['reviews.default', 'unheard.default']);
    }
    expect(said).to.deep.equal(['+reviews.default']);
  });

  it('lets go of nothing while it is not connected', () => {
    const one = withReviews();
    one.disconnected();
    clock.advance(60 * 60_000);
    expect(one.names).to.deep.equal(['reviews.default']);
  });
});
