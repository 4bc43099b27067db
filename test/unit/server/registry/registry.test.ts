import { expect } from 'chai';
import type { InstanceState } from '../../../../server/registry/instance.ts';
import { instance, RegistryWorld, ref } from './registry-world.ts';

const seconds = 1_000;

describe('the registry', () => {
  let world: RegistryWorld;

  beforeEach(() => {
    world = RegistryWorld.settled();
  });

  describe('of an agent that holds its instance by a stream', () => {
    beforeEach(() => world.held('r1'));

    it('keeps it for as long as the stream is there', () => {
      world.pass(3_600 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('has seen it now, however long ago it registered', () => {
      world.pass(60 * seconds);
      expect(world.registry.instance(ref('r1'))?.lastSeenMs).to.equal(world.nowMs);
    });

    const ages: readonly { afterMs: number; want: InstanceState | undefined; name: string }[] = [
      { afterMs: 29.5 * seconds, want: 'passing', name: 'keeps it in its grace of 30 s after the stream is lost' },
      { afterMs: 30 * seconds, want: 'lost', name: 'calls it lost when its grace of 30 s is over' },
      { afterMs: 44.5 * seconds, want: 'lost', name: 'keeps lost instances, routed last, for 15 s' },
      { afterMs: 45 * seconds, want: undefined, name: 'forgets a lost instance after 15 s' },
    ];
    for (const { name, afterMs, want } of ages) {
      it(name, () => {
        world.registry.release(ref('r1'));
        world.pass(afterMs);
        expect(world.state('r1')).to.equal(want);
      });
    }

    it('says when it saw it last: when its stream was lost', () => {
      world.pass(60 * seconds);
      const lostMs = world.nowMs;
      world.registry.release(ref('r1'));
      world.pass(20 * seconds);
      expect(world.registry.instance(ref('r1'))?.lastSeenMs).to.equal(lostMs);
    });

    for (const { name, afterMs } of [
      { name: 'takes it back in its grace as if nothing had been', afterMs: 20 * seconds },
      { name: 'takes a lost one back', afterMs: 40 * seconds },
    ]) {
      it(name, async () => {
        world.registry.release(ref('r1'));
        world.pass(afterMs);
        await world.held('r1');
        world.pass(3_600 * seconds);
        expect(world.state('r1')).to.equal('passing');
      });
    }

    it('lets go of it at once when it is deregistered', async () => {
      await world.registry.deregister(ref('r1'));
      expect([world.state('r1'), [...world.registry.services()], world.registry.size]).to.deep.equal([
        undefined,
        [],
        0,
      ]);
    });

    it('is not made to forget it by a heartbeat, which counts for less than a stream', () => {
      world.registry.heartbeat(ref('r1'));
      world.pass(3_600 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('refuses a PUT of its id: the instance would be lost although its agent lives', async () => {
      const [{ status, reason }] = (await Promise.allSettled([world.put('r1')])) as [PromiseRejectedResult];
      expect([status, reason.code]).to.deep.equal(['rejected', 'INSTANCE_HELD']);
      world.pass(60 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('lets a PUT have its id when nobody holds it any more', async () => {
      world.registry.release(ref('r1'));
      await world.put('r1', { address: '10.0.0.9' });
      expect(world.registry.instance(ref('r1'))?.record).to.deep.include({ address: '10.0.0.9', source: 'rest' });
    });
  });

  describe('of an instance that was PUT', () => {
    beforeEach(() => world.put('r1', { ttlMs: 10 * seconds }));

    const ages: readonly { afterMs: number; want: InstanceState | undefined; name: string }[] = [
      { afterMs: 9.5 * seconds, want: 'passing', name: 'keeps it for its TTL' },
      { afterMs: 10 * seconds, want: 'lost', name: 'calls it lost when its TTL is over' },
      { afterMs: 24.5 * seconds, want: 'lost', name: 'keeps it, routed last, for 15 s' },
      { afterMs: 25 * seconds, want: undefined, name: 'forgets it after 15 s' },
    ];
    for (const { name, afterMs, want } of ages) {
      it(name, () => {
        world.pass(afterMs);
        expect(world.state('r1')).to.equal(want);
      });
    }

    it('keeps it with a heartbeat now and then', () => {
      for (let beat = 0; beat < 20; beat++) {
        world.pass(9 * seconds);
        world.registry.heartbeat(ref('r1'));
      }
      expect(world.state('r1')).to.equal('passing');
      expect(world.told).to.deep.equal(['r1 passing']);
    });

    it('takes a lost one back by a heartbeat, in the state it was in', () => {
      world.registry.setState(ref('r1'), 'failing');
      world.pass(12 * seconds);
      world.registry.heartbeat(ref('r1'));
      expect(world.told).to.deep.equal(['r1 passing', 'r1 failing', 'r1 lost', 'r1 failing']);
    });

    for (const { name, act } of [
      { name: 'a heartbeat', act: () => world.registry.heartbeat(ref('none')) },
      { name: 'a state', act: () => world.registry.setState(ref('none'), 'draining') },
      { name: 'a removal', act: () => world.registry.deregister(ref('none')) },
    ]) {
      it(`answers ${name} of one that it does not know with INSTANCE_NOT_FOUND`, async () => {
        const [{ reason }] = (await Promise.allSettled([(async () => act())()])) as [PromiseRejectedResult];
        expect([reason.code, reason.message]).to.deep.equal([
          'INSTANCE_NOT_FOUND',
          'service "reviews.default" has no instance "none"',
        ]);
      });
    }

    it('replaces it by another PUT, and says that it was there', async () => {
      const again = await world.registry.register(instance('r1', { source: 'rest', address: '10.0.0.2' }), false);
      const other = await world.registry.register(instance('r2', { source: 'rest' }), false);
      expect([again.created, other.created]).to.deep.equal([false, true]);
      expect(world.registry.instance(ref('r1'))?.record.address).to.equal('10.0.0.2');
    });

    it('tells nobody of a PUT that says what is so already', async () => {
      await world.put('r1', { ttlMs: 10 * seconds });
      expect(world.told).to.deep.equal(['r1 passing']);
    });
  });

  describe('of an instance of which the service has the name of an alias', () => {
    const register = (id: string) => world.registry.register(instance(id), false);

    it('refuses it, naming both services, and keeps nothing of it', async () => {
      world.aliases.set('reviews.default', 'ratings.default');
      const fault = await register('r1').catch((error: unknown) => error);
      expect(fault).to.deep.include({ code: 'NAME_IS_ALIAS' });
      expect(String(fault)).to.contain('"reviews.default"').and.to.contain('"ratings.default"');
      expect(world.registry.size).to.equal(0);
    });

    it('takes it when the service has instances already: what is there stays', async () => {
      await register('r1');
      world.aliases.set('reviews.default', 'ratings.default');
      await Promise.all([register('r1'), register('r2')]);
      expect(world.registry.size).to.equal(2);
    });
  });

  describe('states', () => {
    const steps: readonly { name: string; from: InstanceState; say: InstanceState; want: InstanceState }[] = [
      { name: 'an application that answers is passing', from: 'starting', say: 'passing', want: 'passing' },
      { name: 'an application that does not answer is failing', from: 'passing', say: 'failing', want: 'failing' },
      { name: 'an application that answers again is passing', from: 'failing', say: 'passing', want: 'passing' },
      { name: 'an instance can be drained', from: 'passing', say: 'draining', want: 'draining' },
      { name: 'a failing instance can be drained', from: 'failing', say: 'draining', want: 'draining' },
      { name: 'a draining instance does not come back by passing', from: 'draining', say: 'passing', want: 'draining' },
      { name: 'a draining instance stays so when it fails', from: 'draining', say: 'failing', want: 'draining' },
    ];
    for (const { name, from, say, want } of steps) {
      it(name, async () => {
        await world.held('r1', { state: from });
        world.registry.setState(ref('r1'), say);
        expect(world.state('r1')).to.equal(want);
      });
    }

    it('a draining instance comes back by registering anew', async () => {
      await world.held('r1', { state: 'draining' });
      await world.held('r1', { state: 'starting' });
      expect(world.state('r1')).to.equal('starting');
    });

    it('a draining instance that nobody vouches for is forgotten, never lost: it would be sent requests again', async () => {
      await world.held('r1', { state: 'draining' });
      world.registry.release(ref('r1'));
      world.pass(30 * seconds);
      expect(world.told).to.deep.equal(['r1 draining', 'r1 gone']);
    });

    it('a lost instance can be drained', async () => {
      await world.put('r1');
      world.pass(31 * seconds);
      world.registry.setState(ref('r1'), 'draining');
      expect(world.state('r1')).to.equal('draining');
      world.registry.heartbeat(ref('r1'));
      expect(world.state('r1')).to.equal('draining');
    });

    it('tells of each change once, and of nothing that is no change', async () => {
      await world.held('r1', { state: 'starting' });
      for (const state of ['starting', 'passing', 'passing', 'failing', 'failing'] as const) {
        world.registry.setState(ref('r1'), state);
      }
      expect(world.told).to.deep.equal(['r1 starting', 'r1 passing', 'r1 failing']);
    });
  });

  describe('by service', () => {
    it('lists instances by id, whatever order they came in', async () => {
      for (const id of ['r2', 'r10', 'r1']) await world.held(id);
      expect(world.registry.instances('reviews.default').map(({ record }) => record.id)).to.deep.equal([
        'r1',
        'r10',
        'r2',
      ]);
    });

    it('keeps services and namespaces apart', async () => {
      await world.held('r1');
      await world.held('r1', { service: 'ratings' });
      await world.held('r1', { namespace: 'books' });
      expect([...world.registry.services()]).to.deep.equal(['reviews.default', 'ratings.default', 'reviews.books']);
      await world.registry.deregister(ref('r1'));
      expect([...world.registry.services()]).to.deep.equal(['ratings.default', 'reviews.books']);
      expect(world.registry.size).to.equal(2);
    });

    it('has no instance of a service that nobody registered', () => {
      expect(world.registry.instances('none.default')).to.deep.equal([]);
    });
  });

  describe('after a restart of the server', () => {
    const shared = () => world.shared;

    beforeEach(async () => {
      await world.held('r1');
      await world.put('r2', { ttlMs: 10 * seconds });
      await world.held('r3', { state: 'draining' });
      await world.held('r4', { state: 'failing' });
    });

    it('knows all instances at once, in their states', async () => {
      const restarted = await RegistryWorld.restarted(shared());
      expect(restarted.states()).to.deep.equal(['passing', 'passing', 'draining', 'failing']);
    });

    it('tells nobody of what it knew before', async () => {
      expect((await RegistryWorld.restarted(shared())).told).to.deep.equal([]);
    });

    it('drops nothing before its grace has run out, which starts when the rush of reconnections is over', async () => {
      const restarted = await RegistryWorld.restarted(shared());
      for (let second = 0; second < 60; second++) {
        restarted.rush.onReconnection();
        restarted.pass(1 * seconds);
      }
      expect(restarted.states()).to.deep.equal(['passing', 'passing', 'draining', 'failing']);
      // 5 s of quiet end the rush; then 10 s of TTL, or 30 s of grace.
      restarted.pass(4 * seconds + 9.5 * seconds);
      expect(restarted.state('r2')).to.equal('passing');
      restarted.pass(0.5 * seconds);
      expect(restarted.state('r2')).to.equal('lost');
      restarted.pass(19.5 * seconds);
      expect(restarted.state('r1')).to.equal('passing');
      restarted.pass(0.5 * seconds);
      expect(restarted.state('r1')).to.equal('lost');
    });

    it('waits for a rush that does not end for 5 minutes at most', async () => {
      const restarted = await RegistryWorld.restarted(shared());
      for (let second = 0; second < 300 + 30; second++) {
        expect(restarted.state('r1')).to.equal('passing');
        restarted.rush.onReconnection();
        restarted.pass(1 * seconds);
      }
      expect(restarted.state('r1')).to.equal('lost');
    });

    it('takes back an instance whose agent reconnects, without telling anybody', async () => {
      const restarted = await RegistryWorld.restarted(shared());
      await restarted.held('r1');
      restarted.pass(3_600 * seconds);
      expect(restarted.state('r1')).to.equal('passing');
      expect(restarted.told.filter((line) => line.startsWith('r1'))).to.deep.equal([]);
    });

    it('forms its own opinion of an instance that was lost before, starting from how it was when it lived', async () => {
      world.registry.release(ref('r4'));
      world.pass(35 * seconds);
      expect(world.state('r4')).to.equal('lost');
      await world.stored();
      expect((await RegistryWorld.restarted(shared())).state('r4')).to.equal('failing');
    });

    it('does not know what was deregistered or forgotten', async () => {
      await world.registry.deregister(ref('r1'));
      world.registry.release(ref('r4'));
      world.pass(45 * seconds);
      await world.stored();
      expect((await RegistryWorld.restarted(shared())).states()).to.deep.equal(['draining']);
    });
  });

  describe('that sees most instances go at once', () => {
    const withInstances = async (count: number) => {
      for (let n = 0; n < count; n++) await world.held(`r${n}`);
    };
    const lose = (from: number, to: number) => {
      for (let n = from; n < to; n++) world.registry.release(ref(`r${n}`));
    };
    const count = (state: InstanceState | undefined) => world.states().filter((each) => each === state).length;

    for (const { name, all, lost, want } of [
      { name: 'keeps them: 6 of 10 are more than half', all: 10, lost: 6, want: { passing: 10, lost: 0 } },
      { name: 'keeps them: all of 10', all: 10, lost: 10, want: { passing: 10, lost: 0 } },
      { name: 'believes it of 5 of 10, which are half', all: 10, lost: 5, want: { passing: 5, lost: 5 } },
      { name: 'believes it of fewer than 10 instances', all: 9, lost: 9, want: { passing: 0, lost: 9 } },
    ]) {
      it(name, async () => {
        await withInstances(all);
        lose(0, lost);
        world.pass(31 * seconds);
        expect({ passing: count('passing'), lost: count('lost') }).to.deep.equal(want);
        expect(world.registry.isPreserving).to.equal(want.lost === 0);
      });
    }

    it('counts those that are lost already, and keeps them too', async () => {
      await withInstances(10);
      lose(0, 4);
      world.pass(10 * seconds);
      lose(4, 6);
      world.pass(21 * seconds);
      expect([world.registry.isPreserving, count('lost')]).to.deep.equal([false, 4]);
      world.pass(60 * seconds);
      expect([world.registry.isPreserving, count('lost'), count('passing')]).to.deep.equal([true, 4, 6]);
    });

    it('ends when enough of them renew, and lets go of the others', async () => {
      await withInstances(10);
      lose(0, 8);
      world.pass(60 * seconds);
      for (let n = 0; n < 3; n++) await world.held(`r${n}`);
      world.pass(1 * seconds);
      expect([world.registry.isPreserving, count('passing'), count('lost')]).to.deep.equal([false, 5, 5]);
    });

    it('ends after 10 minutes, and then believes it', async () => {
      await withInstances(10);
      lose(0, 10);
      world.pass(30 * seconds);
      world.pass(600 * seconds - 500);
      expect([world.registry.isPreserving, count('passing')]).to.deep.equal([true, 10]);
      world.pass(500);
      expect([world.registry.isPreserving, count('lost')]).to.deep.equal([false, 10]);
      world.pass(15 * seconds);
      expect(world.registry.size).to.equal(0);
    });

    it('can doubt itself again after that', async () => {
      await withInstances(10);
      lose(0, 10);
      world.pass(700 * seconds);
      expect(world.registry.size).to.equal(0);
      await withInstances(10);
      lose(0, 10);
      world.pass(40 * seconds);
      expect([world.registry.isPreserving, world.registry.size]).to.deep.equal([true, 10]);
    });
  });

  describe('and its leases', () => {
    it('stores each instance as it is, and each change', async () => {
      await world.held('r1', { state: 'starting' });
      expect((await world.stored()).get('r1')).to.deep.equal(instance('r1', { state: 'starting' }));
      world.registry.setState(ref('r1'), 'passing');
      expect((await world.stored()).get('r1')).to.deep.equal(instance('r1'));
      await world.registry.deregister(ref('r1'));
      expect((await world.stored()).size).to.equal(0);
    });

    it('does not store that an instance is lost, nor a heartbeat', async () => {
      await world.put('r1');
      const before = world.shared.log.cursor;
      world.pass(31 * seconds);
      world.registry.heartbeat(ref('r1'));
      await world.stored();
      expect(world.shared.log.cursor).to.equal(before);
    });

    it('takes the lease over when the instance registers here', async () => {
      const elsewhere = RegistryWorld.settled(world.shared);
      await elsewhere.held('r1', { zone: 'there' });
      await world.held('r1', { zone: 'here' });
      elsewhere.registry.setState(ref('r1'), 'failing');
      expect((await world.stored()).get('r1')).to.deep.include({ zone: 'here', state: 'passing' });
    });

    it('cannot remove an instance that has moved to another server', async () => {
      await world.held('r1');
      const elsewhere = RegistryWorld.settled(world.shared);
      await elsewhere.held('r1');
      world.registry.release(ref('r1'));
      world.pass(60 * seconds);
      expect(world.state('r1')).to.equal(undefined);
      expect((await world.stored()).has('r1')).to.equal(true);
    });

    it('goes on when the store takes no writes: the instance is there all the same', async () => {
      world.shared.failure = 'the disk is full';
      await world.held('r1');
      world.registry.setState(ref('r1'), 'failing');
      expect(world.state('r1')).to.equal('failing');
      await world.held('r2');
      await world.registry.deregister(ref('r2'));
      expect((await world.stored()).size).to.equal(0);
    });

    it('stores, when the store takes writes again, how things stand by then', async () => {
      await world.held('gone');
      world.shared.failure = 'the disk is full';
      await world.held('r1', { state: 'starting' });
      world.registry.setState(ref('r1'), 'passing');
      await world.held('short-lived');
      await world.registry.deregister(ref('short-lived'));
      await world.registry.deregister(ref('gone'));
      world.shared.failure = undefined;
      world.pass(500);
      expect(await world.stored()).to.deep.equal(new Map([['r1', instance('r1')]]));
    });
  });
});
