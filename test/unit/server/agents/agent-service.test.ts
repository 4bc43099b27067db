import { expect } from 'chai';
import type { Input } from '../../../../proto/load.ts';
import { AgentMessage, HealthState, type ServerMessage } from '../../../../proto/types.ts';
import { FakeCall } from '../../../support/fake-call.ts';
import { instance, ref } from '../registry/registry-world.ts';
import { AgentsWorld } from './agents-world.ts';

const seconds = 1_000;
const keyA = Buffer.alloc(32, 1);
const keyB = Buffer.alloc(32, 2);
const identity = { id: 'r1', namespace: 'default', service: 'reviews', key: keyA, agentVersion: '1.0.0' };
const passing = { state: HealthState.PASSING };
const own = {
  address: '10.0.0.1',
  ports: { '': 9080 },
  labels: { version: 'v1' },
  weight: 1,
  zone: '',
  health: passing,
};
const hello = { ...identity, instance: own };

describe("the agents' service", () => {
  let world: AgentsWorld;

  beforeEach(async () => {
    world = new AgentsWorld();
    await world.start();
  });

  afterEach(() => world.close());

  const record = () => world.directory.get('default', 'r1');
  const registered = () => world.registryWorld.registry.instance(ref('r1'))?.record;

  /** The connection breaks, and the server notices. */
  const lose = async (agent: { cut(): Promise<unknown> }) => {
    const { changes } = world;
    await agent.cut();
    await world.until(() => world.changes > changes);
  };

  describe('at a hello', () => {
    it('registers the agent and its instance, and then welcomes it', async () => {
      const agent = await world.connect().hello(hello);
      expect(await agent.message('welcome')).to.deep.include({ meshId: 'mesh-1', serverId: 'server-1' });
      expect(Number((await agent.message('welcome')).revision)).to.equal(42);
      expect(registered()).to.deep.equal(instance('r1'));
      expect(record()).to.deep.include({ service: 'reviews', version: '1.0.0' });
    });

    it('registers an agent without application without an instance', async () => {
      await world.connect().hello(identity);
      expect([registered(), record()?.id]).to.deep.equal([undefined, 'r1']);
    });

    it('refuses an agent whose service has the name of an alias, and keeps nothing of it', async () => {
      world.registryWorld.aliases.set('reviews.default', 'ratings.default');
      const { code, details } = await world.connect().send({ hello }).ended;
      expect([code, details]).to.deep.equal([
        'ALREADY_EXISTS',
        '"reviews.default" is an alias of the service "ratings.default": no instance can be registered under it',
      ]);
      expect([registered(), record()]).to.deep.equal([undefined, undefined]);
    });

    it('has the leases in the store when it welcomes the agent', async () => {
      await world.connect().hello(hello);
      expect([...world.registryWorld.shared.leases.keys()].sort()).to.deep.equal([
        'agent/default/r1',
        'instance/default/reviews/r1',
      ]);
    });

    it('welcomes an agent also when the store takes no writes', async () => {
      world.registryWorld.shared.failure = 'the disk is full';
      await world.connect().hello(hello);
      expect(world.state('r1')).to.equal('passing');
    });

    it('deals with what comes right behind it after it', async () => {
      const agent = world.connect();
      agent
        .send({ hello })
        .send({ health: { state: HealthState.FAILING } })
        .send({ report: { condition: 'stale' } });
      await agent.message('welcome');
      await world.until(() => world.state('r1') === 'failing' && record()?.reported.name === 'stale');
    });

    it('refuses it with all faults at once', async () => {
      const end = await world.connect().send({ hello: { ...hello, id: '', key: Buffer.alloc(1) } }).ended;
      expect(end).to.deep.equal({
        code: 'INVALID_ARGUMENT',
        details:
          'the registration was refused: 2 faults\n' +
          'id: must be letters, digits, ".", "_" and "-", at most 253\n' +
          'key: must be 16 to 64 random bytes',
      });
    });

    for (const { name, labels } of [
      { name: 'a label of a megabyte', labels: { a: 'x'.repeat(1_000_000) } },
      {
        name: 'a megabyte of labels',
        labels: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`é${n}`, '?'])),
      },
    ]) {
      it(`refuses ${name} with a sentence that arrives, and serves the next`, async () => {
        const { code, details } = await world.connect().send({ hello: { ...hello, instance: { ...own, labels } } })
          .ended;
        expect(code).to.equal('INVALID_ARGUMENT');
        expect(details).to.match(/^the registration was refused: \d+ faults?\ninstance.labels/);
        await world.connect().hello(hello);
      });
    }

    it('refuses another first message', async () => {
      const { code, details } = await world.connect().send({ health: passing }).ended;
      expect([code, details]).to.deep.equal([
        'INVALID_ARGUMENT',
        'the registration was refused: 1 fault\nthe first message must be hello',
      ]);
    });

    it('refuses bytes that are no message, and serves the next', async () => {
      const { code } = await world.connect().sendBytes(Buffer.from('ffffffff', 'hex')).ended;
      expect(code).to.equal('INVALID_ARGUMENT');
      await world.connect().hello(hello);
    });
  });

  describe('of an agent that it has welcomed', () => {
    it('passes over messages that say nothing, and a second hello', async () => {
      const agent = await world.connect().hello(hello);
      agent
        .send({})
        .send({ hello: { ...hello, service: 'other' } })
        .send({ pong: {} })
        .send({ health: { state: HealthState.FAILING } });
      await world.until(() => world.state('r1') === 'failing');
      expect([agent.isOpen, registered()?.service]).to.deep.equal([true, 'reviews']);
    });

    it('begins the grace of 30 s for bytes that are no message: the stream ends', async () => {
      const agent = await world.connect().hello(hello);
      await agent.sendBytes(Buffer.from('ffffffff', 'hex')).ended;
      world.registryWorld.pass(31 * seconds);
      expect(world.state('r1')).to.equal('lost');
    });

    it('is heard again when it has been welcomed: until then it is not read from', async () => {
      const call = new FakeCall<AgentMessage, Input<ServerMessage>>();
      world.service.handle(call);
      for (const message of [{ hello }, { health: { state: HealthState.FAILING } }]) {
        call.say(AgentMessage.decode(AgentMessage.encode(message)));
      }
      expect([call.isPaused, call.written]).to.deep.equal([true, []]);
      await world.until(() => world.state('r1') === 'failing');
      expect([call.isPaused, call.written.length]).to.deep.equal([false, 1]);
    });

    it('follows the health of its application', async () => {
      const agent = await world
        .connect()
        .hello({ ...hello, instance: { ...own, health: { state: HealthState.STARTING } } });
      expect(world.state('r1')).to.equal('starting');
      for (const { state, want } of [
        { state: HealthState.PASSING, want: 'passing' },
        { state: HealthState.FAILING, want: 'failing' },
        { state: HealthState.PASSING, want: 'passing' },
      ]) {
        agent.send({ health: { state } });
        await world.until(() => world.state('r1') === want);
      }
    });

    it('shows what it reports of itself, cut to size', async () => {
      const agent = await world.connect().hello(hello);
      agent.send({ report: { condition: 'c'.repeat(1_000), detail: 'd'.repeat(10_000) } });
      await world.until(() => record()?.reported.name !== '');
      expect([record()?.reported.name.length, record()?.reported.detail.length]).to.deep.equal([100, 1_000]);
    });

    it('keeps its instance for as long as its stream is there, and for a grace of 30 s after that', async () => {
      const agent = await world.connect().hello(hello);
      world.registryWorld.pass(3_600 * seconds);
      expect(world.state('r1')).to.equal('passing');
      await lose(agent);
      world.registryWorld.pass(29.5 * seconds);
      expect(world.state('r1')).to.equal('passing');
      world.registryWorld.pass(0.5 * seconds);
      expect(world.state('r1')).to.equal('lost');
    });

    it('goes on when an operator has removed its instance', async () => {
      const agent = await world.connect().hello(hello);
      await world.registryWorld.registry.deregister(ref('r1'));
      agent.send({ health: { state: HealthState.FAILING } }).send({ report: { condition: 'stale' } });
      await world.until(() => record()?.reported.name === 'stale');
      expect([agent.isOpen, world.state('r1')]).to.deep.equal([true, undefined]);
    });
  });

  describe('when an id is claimed', () => {
    it('refuses another key as long as the old agent answers a ping', async () => {
      const old = await world.connect().hello(hello);
      const end = await world.connect().send({ hello: { ...hello, key: keyB } }).ended;
      expect(end).to.deep.equal({
        code: 'ALREADY_EXISTS',
        details: 'another live agent in namespace "default" has the id "r1"',
      });
      expect([old.isOpen, old.heard]).to.deep.equal([true, ['welcome', 'ping']]);
    });

    it('refuses several that claim it at the same time, each by a ping of its own', async () => {
      const old = await world.connect().hello(hello);
      const claims = [keyB, Buffer.alloc(32, 3), Buffer.alloc(32, 4)].map(
        (key) => world.connect().send({ hello: { ...hello, key } }).ended,
      );
      expect((await Promise.all(claims)).map(({ code }) => code)).to.deep.equal(Array(3).fill('ALREADY_EXISTS'));
      expect(old.isOpen).to.equal(true);
    });

    it('gives a free id to one of two that claim it at the same time', async () => {
      const claims = [keyA, keyB].map((key) => world.connect().send({ hello: { ...hello, key } }));
      const outcomes = await Promise.all(
        claims.map((each) =>
          Promise.race([each.message('welcome').then(() => 'welcome'), each.ended.then(({ code }) => code)]),
        ),
      );
      expect(outcomes).to.have.members(['welcome', 'ALREADY_EXISTS']);
    });

    it('lets the same key take over at once, without asking', async () => {
      const old = await world.connect().hello(hello);
      await world.connect().hello(hello);
      expect(await old.ended).to.deep.equal({
        code: 'ABORTED',
        details: 'another stream of this agent has taken over',
      });
      expect(old.heard).to.deep.equal(['welcome']);
      world.registryWorld.pass(60 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('pays no attention to what an agent says that was replaced', async () => {
      const old = await world.connect().hello(hello);
      const again = await world.connect().hello(hello);
      old.send({ health: { state: HealthState.FAILING } }).send({ drain: {} });
      again.send({ report: { condition: 'stale' } });
      await world.until(() => record()?.reported.name === 'stale');
      expect([world.state('r1'), world.drains]).to.deep.equal(['passing', []]);
    });

    it('leaves one stream of many that come at the same time with the same key', async () => {
      const streams = Array.from({ length: 5 }, () => world.connect().send({ hello }));
      await Promise.all(streams.map((stream) => stream.message('welcome')));
      await world.until(() => streams.filter(({ isOpen }) => isOpen).length === 1);
      world.registryWorld.pass(60 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('lets go of the instance of another service that the agent was before', async () => {
      await world.connect().hello(hello);
      await world.connect().hello({ ...hello, service: 'ratings' });
      world.registryWorld.pass(60 * seconds);
      expect([...world.registryWorld.registry.services()]).to.deep.equal(['ratings.default']);
    });

    it('lets another key have the id of an agent that is gone, also in its grace', async () => {
      const old = await world.connect().hello(hello);
      await lose(old);
      await world.connect().hello({ ...hello, key: keyB });
      expect(world.state('r1')).to.equal('passing');
    });

    it('keeps ids of two namespaces apart', async () => {
      const mine = await world.connect().hello(hello);
      await world.connect().hello({ ...hello, namespace: 'books', key: keyB });
      expect(mine.heard).to.deep.equal(['welcome']);
    });
  });

  describe('with little patience', () => {
    beforeEach(async () => {
      world.close();
      world = new AgentsWorld({ pingMs: 20, helloMs: 20 });
      await world.start();
    });

    it('lets another key have the id of an agent that does not answer in time', async () => {
      const dead = await world.connect(false).hello(hello);
      await world.connect().hello({ ...hello, key: keyB });
      expect([dead.heard, (await dead.ended).code]).to.deep.equal([['welcome', 'ping'], 'ABORTED']);
      world.registryWorld.pass(60 * seconds);
      expect(world.state('r1')).to.equal('passing');
    });

    it('ends a stream that does not introduce itself', async () => {
      expect(await world.connect().ended).to.deep.equal({ code: 'DEADLINE_EXCEEDED', details: 'no hello came' });
    });
  });

  describe('when an agent drains', () => {
    const draining = async (deadlineMs: number) => {
      const agent = await world.connect().hello(hello);
      agent.send({ drain: { deadlineMs } });
      await world.until(() => world.drains.length === 1);
      return agent;
    };

    it('takes its instance out, waits until those who know it have taken notice, and only then removes it', async () => {
      const agent = await draining(5_000);
      expect(world.drains[0]).to.deep.include({ service: 'reviews.default', timeoutMs: 5_000, except: record() });
      expect([world.state('r1'), agent.heard]).to.deep.equal(['draining', ['welcome']]);
      world.drains[0]?.finish([]);
      expect((await agent.message('drained')).pending).to.deep.equal([]);
      expect([world.state('r1'), agent.isOpen]).to.deep.equal([undefined, true]);
    });

    it('names those who have not taken notice at the deadline', async () => {
      const agent = await draining(5_000);
      world.drains[0]?.finish(['web-1', 'web-2']);
      expect((await agent.message('drained')).pending).to.deep.equal(['web-1', 'web-2']);
    });

    for (const { name, deadlineMs } of [
      { name: 'waits a minute when no deadline is given', deadlineMs: 0 },
      { name: 'waits no longer than a minute', deadlineMs: 4_000_000_000 },
    ]) {
      it(name, async () => {
        await draining(deadlineMs);
        expect(world.drains[0]?.timeoutMs).to.equal(60_000);
      });
    }

    it('waits for nobody when it has no instance', async () => {
      const agent = await world.connect().hello(identity);
      expect((await agent.send({ drain: {} }).message('drained')).pending).to.deep.equal([]);
      expect(world.drains).to.deep.equal([]);
    });

    it('does not take it back for a health check that passes', async () => {
      const agent = await draining(5_000);
      agent.send({ health: passing }).send({ report: { condition: 'stale' } });
      await world.until(() => record()?.reported.name === 'stale');
      expect(world.state('r1')).to.equal('draining');
    });

    it('forgets it at once when it then ends: nobody waits for one that has said goodbye', async () => {
      await lose(await draining(5_000));
      expect(record()).to.equal(undefined);
    });

    it('removes its instance also when it does not stay for the answer', async () => {
      await lose(await draining(5_000));
      world.drains[0]?.finish([]);
      await world.until(() => world.state('r1') === undefined);
    });

    for (const { name, leave } of [
      { name: 'while its old stream is there', leave: async () => {} },
      { name: 'after its old stream has ended', leave: lose },
    ]) {
      it(`keeps what it registers anew ${name}, though the old drain comes to its end`, async () => {
        const agent = await draining(5_000);
        await leave(agent);
        await world.connect().hello(hello);
        world.drains[0]?.finish([]);
        await new Promise((resolve) => setImmediate(resolve));
        world.registryWorld.pass(60 * seconds);
        expect(world.state('r1')).to.equal('passing');
      });
    }
  });

  describe('when it does not serve', () => {
    it('refuses streams with UNAVAILABLE', async () => {
      world.service.close();
      expect(await world.connect().ended).to.deep.equal({
        code: 'UNAVAILABLE',
        details: 'the server is loading or shutting down',
      });
    });

    it('ends the streams that are there with OK: agents come back, to this server or another', async () => {
      const agent = await world.connect().hello(hello);
      world.service.close();
      expect((await agent.ended).code).to.equal('OK');
    });
  });
});
