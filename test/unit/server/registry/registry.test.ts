/** Names of tests are the sentences of the design about leases and instances. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { MeshError } from '../../../../model/errors.ts';
import { createLog } from '../../../../process/log.ts';
import type { InstanceRecord } from '../../../../server/registry/instance.ts';
import { Registry } from '../../../../server/registry/registry.ts';
import { Rush } from '../../../../server/registry/rush.ts';
import { openEmbeddedStore } from '../../../../server/store/embedded-store.ts';
import type { Lease, Store } from '../../../../server/store/store.ts';
import { instanceOf } from '../../../support/model-mesh.ts';

const log = createLog('test', 'silent');

describe('the registry', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-registry-'));
  let opened = 0;
  let store: Store;
  let nowMs: number;
  let rush: Rush;
  let registry: Registry;
  /** "id state" or "id gone", as callers were told. */
  let told: string[];

  function createRegistry(): Registry {
    rush = new Rush(() => nowMs);
    return new Registry({
      store,
      log,
      clock: () => nowMs,
      rush,
      onChange: ({ id, state }, isGone) => told.push(`${id} ${isGone ? 'gone' : state}`),
    });
  }

  beforeEach(async () => {
    store = await openEmbeddedStore(join(folder, String(opened++)));
    nowMs = 1_000;
    told = [];
    registry = createRegistry();
    pass(5_000);
    told = [];
  });

  afterEach(() => store.close());
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Time goes by, in the steps of the sweeps. */
  function pass(ms: number): void {
    for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
      nowMs += 500;
      if (rush.hasJustEnded()) registry.restartGraces();
      registry.sweep();
    }
  }

  /** A server that starts on what the store has. */
  async function restart(): Promise<void> {
    const { leases } = await store.load();
    registry = createRegistry();
    registry.restore(leases as Lease<InstanceRecord>[]);
    told = [];
  }

  const agents = (id = 'a', more: Partial<InstanceRecord> = {}) => instanceOf('reviews', id, more);
  const rests = (id = 'r', more: Partial<InstanceRecord> = {}) =>
    instanceOf('reviews', id, { source: 'rest', ttlMs: 10_000, ...more });
  const states = () => registry.instances('reviews.default').map(({ record }) => `${record.id} ${record.state}`);

  describe('of an instance that an agent registers', () => {
    it('keeps it for as long as its stream is there', async () => {
      await registry.register(agents(), true);
      pass(3_600_000);
      expect(states()).to.deep.equal(['a passing']);
    });

    it('keeps it as it is for a grace of 30 s after its stream is lost; then it is lost, and after 15 s gone', async () => {
      await registry.register(agents(), true);
      registry.release(agents());
      pass(29_500);
      expect(states()).to.deep.equal(['a passing']);
      pass(500);
      expect(states()).to.deep.equal(['a lost']);
      pass(14_500);
      expect(states()).to.deep.equal(['a lost']);
      pass(500);
      expect(states()).to.deep.equal([]);
      expect(told).to.deep.equal(['a passing', 'a lost', 'a gone']);
    });

    it('lets it go on when its agent comes back in time, and when it is lost already', async () => {
      await registry.register(agents(), true);
      registry.release(agents());
      pass(40_000);
      expect(states()).to.deep.equal(['a lost']);
      await registry.register(agents(), true);
      pass(120_000);
      expect(states()).to.deep.equal(['a passing']);
    });

    it('follows its health: starting, passing, failing, passing', async () => {
      await registry.register(agents('a', { state: 'starting' }), true);
      for (const state of ['passing', 'failing', 'passing'] as const) registry.setState(agents(), state);
      expect(told).to.deep.equal(['a starting', 'a passing', 'a failing', 'a passing']);
    });

    it('does not let one that drains come back by passing a health check', async () => {
      await registry.register(agents(), true);
      registry.setState(agents(), 'draining');
      registry.setState(agents(), 'passing');
      expect(states()).to.deep.equal(['a draining']);
    });

    it('lets one that drains go when its grace is over, without another 15 s of requests', async () => {
      await registry.register(agents(), true);
      registry.setState(agents(), 'draining');
      registry.release(agents());
      pass(30_000);
      expect(states()).to.deep.equal([]);
    });

    it('does not let a REST registration take the id of one whose stream is there', async () => {
      await registry.register(agents('x'), true);
      const error = await registry.register(rests('x'), false).catch((thrown: unknown) => thrown);
      expect(MeshError.from(error).code).to.equal('AGENT_ID_TAKEN');
    });
  });

  describe('of an instance that is registered by REST', () => {
    it('keeps it by TTL and heartbeat', async () => {
      await registry.register(rests(), false);
      for (let beat = 0; beat < 10; beat++) {
        pass(9_500);
        registry.heartbeat(rests());
      }
      expect(states()).to.deep.equal(['r passing']);
      pass(10_000);
      expect(states()).to.deep.equal(['r lost']);
      registry.heartbeat(rests());
      expect(states()).to.deep.equal(['r passing']);
      pass(25_000);
      expect(states()).to.deep.equal([]);
    });

    it('says that it is gone to a heartbeat that comes too late', async () => {
      await registry.register(rests(), false);
      pass(25_000);
      expect(() => registry.heartbeat(rests()))
        .to.throw(MeshError)
        .with.property('code', 'INSTANCE_NOT_FOUND');
    });

    it('tells nobody of a registration that says the same again', async () => {
      await registry.register(rests(), false);
      const { created } = await registry.register(rests(), false);
      expect({ created, told }).to.deep.equal({ created: false, told: ['r passing'] });
    });

    it('tells of one that moves to another address', async () => {
      await registry.register(rests(), false);
      await registry.register(rests('r', { address: '127.0.0.2' }), false);
      expect(told).to.deep.equal(['r passing', 'r passing']);
    });
  });

  describe('after a restart', () => {
    it('has everybody in the state it left them', async () => {
      await registry.register(agents('a', { state: 'failing' }), true);
      await registry.register(rests(), false);
      await restart();
      expect(states()).to.deep.equal(['a failing', 'r passing']);
    });

    it('begins graces when the rush of reconnections is over, not before', async () => {
      for (const id of ['a', 'b', 'c']) await registry.register(agents(id), true);
      await restart();
      for (const id of ['a', 'b']) {
        pass(4_000);
        rush.onReconnection();
        await registry.register(agents(id), true);
      }
      pass(4_500 + 30_000);
      expect(states()).to.deep.equal(['a passing', 'b passing', 'c passing']);
      pass(500);
      expect(states()).to.deep.equal(['a passing', 'b passing', 'c lost']);
    });

    it('does not wait for ever for a rush that does not end', async () => {
      await registry.register(agents('gone'), true);
      await restart();
      for (let passed = 0; passed < 400_000; passed += 2_000) {
        rush.onReconnection();
        pass(2_000);
      }
      expect(states()).to.deep.equal([]);
    });

    it('does not know what was deregistered or forgotten before', async () => {
      await registry.register(agents('a'), true);
      await registry.register(rests('r'), false);
      await registry.deregister(agents('a'));
      pass(25_000);
      await new Promise((resolve) => setImmediate(resolve));
      await restart();
      expect(states()).to.deep.equal([]);
    });
  });

  describe('preserves itself', () => {
    const register = async (count: number) => {
      for (let index = 0; index < count; index++) await registry.register(rests(`r${index}`), false);
    };
    const beat = (count: number) => {
      for (let index = 0; index < count; index++) registry.heartbeat(rests(`r${index}`));
    };

    it('when more than half of at least 10 instances would expire at once: all are kept, and it says so', async () => {
      await register(10);
      pass(9_500);
      beat(4);
      pass(5_000);
      expect(registry.isPreserving).to.equal(true);
      expect(states().filter((state) => state.endsWith('passing'))).to.have.lengthOf(10);
    });

    it('not when it is half of them', async () => {
      await register(10);
      pass(9_500);
      beat(5);
      pass(1_000);
      expect(registry.isPreserving).to.equal(false);
      expect(states().filter((state) => state.endsWith('lost'))).to.have.lengthOf(5);
    });

    it('not with fewer than 10', async () => {
      await register(9);
      pass(10_000);
      expect(states().every((state) => state.endsWith('lost'))).to.equal(true);
    });

    it('until they renew', async () => {
      await register(10);
      pass(15_000);
      expect(registry.isPreserving).to.equal(true);
      beat(6);
      pass(500);
      expect(registry.isPreserving).to.equal(false);
      expect(states().filter((state) => state.endsWith('lost'))).to.have.lengthOf(4);
    });

    it('for 10 minutes at most', async () => {
      await register(10);
      pass(10_000 + 599_500);
      expect(states().filter((state) => state.endsWith('passing'))).to.have.lengthOf(10);
      pass(1_000);
      expect(states().filter((state) => state.endsWith('lost'))).to.have.lengthOf(10);
    });
  });
});
