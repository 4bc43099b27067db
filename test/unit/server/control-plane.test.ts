import { expect } from 'chai';
import { pino } from 'pino';
import { typeUrls } from '../../../proto/type-urls.ts';
import { ControlPlane } from '../../../server/control-plane.ts';
import { createAgentsPort } from '../../../server/ports/agents-port.ts';
import { createRegistryPort } from '../../../server/ports/registry-port.ts';
import { createMetrics } from '../../../server/telemetry/metrics.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { instance } from './registry/registry-world.ts';
import { apply, route, service } from './rules/rules-world.ts';

describe('the control plane', () => {
  let shared: MemoryStore;
  let plane: ControlPlane;
  let told: string[];

  async function start(): Promise<ControlPlane> {
    const started = new ControlPlane({
      store: shared.open(),
      serverId: 'server-1',
      domain: 'mesh.local',
      log: pino({ level: 'silent' }),
      clock: () => 1_000,
      wallClock: () => 0,
      observer: {
        onRevision: ({ revision }) => told.push(`revision ${revision}`),
        onRollout: () => {},
        onInstance: ({ id, state }, isGone) => told.push(`instance ${id} ${isGone ? 'gone' : state}`),
        onAgent: ({ id }, isGone) => told.push(`agent ${id}${isGone ? ' gone' : ''}`),
        onRefusal: () => {},
        onOddity: () => {},
      },
    });
    await started.start();
    return started;
  }

  beforeEach(async () => {
    shared = new MemoryStore();
    told = [];
    plane = await start();
  });

  afterEach(() => plane.close());

  const toIso = (ms: number) => new Date(ms).toISOString();

  /** Type, name and version of all that is served, sorted. */
  const served = () =>
    Object.values(typeUrls)
      .flatMap((typeUrl) => [...plane.cache.resources(typeUrl)])
      .map(({ typeUrl, name, version }) => `${typeUrl} ${name} ${version}`)
      .sort();

  async function fill(): Promise<void> {
    await plane.registry.register(instance('r1'), true);
    await plane.registry.register(instance('r2', { address: '10.0.0.2', labels: { version: 'v2' } }), false);
    await plane.registry.register(instance('x1', { service: 'ratings', state: 'draining' }), true);
    await apply(plane.rules, service('reviews', '{ aliases: [stars.example] }'));
    await apply(plane.rules, route('reviews', '{ subset: v1, weight: 9 }, { subset: v2 }, { service: ratings }'));
  }

  it('serves the same resources in the same versions after a restart', async () => {
    await fill();
    const before = served();
    expect(before).to.have.length.greaterThan(10);
    plane.close();
    plane = await start();
    expect(served()).to.deep.equal(before);
    expect(plane.cache.revision).to.equal(2);
  });

  it('has what another server on the same store has, when the store has told it', async () => {
    const other = await start();
    await apply(other.rules, service('details'));
    await apply(plane.rules, service('details', '{ aliases: [x.y] }'));
    expect(plane.cache.ownerOfName('x.y')).to.equal('details.default');
    expect(plane.cache.revision).to.equal(2);
    other.close();
  });

  it('tells observers of revisions and instances as they happen', async () => {
    await fill();
    await plane.registry.deregister(instance('r2'));
    expect(told).to.deep.equal([
      'instance r1 passing',
      'instance r2 passing',
      'instance x1 draining',
      'revision 1',
      'revision 2',
      'instance r2 gone',
    ]);
  });

  it('shows services with what is known of them, whether declared, registered or only named', async () => {
    await fill();
    const services = createRegistryPort(plane, toIso).services();
    expect(
      services.map(({ name, declared, revision, instances }) => ({ name, declared, revision, instances })),
    ).to.deep.equal([
      {
        name: 'ratings',
        declared: false,
        revision: 0,
        instances: { starting: 0, passing: 0, failing: 0, draining: 1, lost: 0 },
      },
      {
        name: 'reviews',
        declared: true,
        revision: 1,
        instances: { starting: 0, passing: 2, failing: 0, draining: 0, lost: 0 },
      },
    ]);
  });

  for (const { name, act, code } of [
    { name: 'removal', act: () => createRegistryPort(plane, toIso).deregister(instance('r1')), code: 'INSTANCE_HELD' },
    {
      name: 'replacement',
      act: () => createRegistryPort(plane, toIso).register(instance('r1')),
      code: 'INSTANCE_HELD',
    },
    {
      name: 'removal of one that is not there',
      act: () => createRegistryPort(plane, toIso).deregister(instance('none')),
      code: 'INSTANCE_NOT_FOUND',
    },
  ]) {
    it(`refuses by REST the ${name} of an instance with ${code}`, async () => {
      await fill();
      const [{ reason }] = (await Promise.allSettled([act()])) as [PromiseRejectedResult];
      expect(reason.code).to.equal(code);
    });
  }

  it('registers by REST an instance that somebody else removes before it is on the disk', async () => {
    const registry = createRegistryPort(plane, toIso);
    const [registered] = await Promise.all([registry.register(instance('r9')), registry.deregister(instance('r9'))]);
    expect(registered).to.deep.include({ created: true });
    expect(registered.instance).to.deep.include({ id: 'r9', state: 'passing' });
  });

  it('drains by REST an instance that its agent holds', async () => {
    await fill();
    expect(await createRegistryPort(plane, toIso).drain(instance('r1'))).to.deep.include({ state: 'draining' });
  });

  it('lists agents by namespace and id, and knows of one that never was that it is not there', async () => {
    for (const id of ['web-2', 'web-1']) {
      await plane.directory.hold({ id, namespace: 'default', service: 'web', keyHash: id });
    }
    const agents = createAgentsPort(plane, toIso);
    expect(agents.agents().map(({ id, state }) => `${id} ${state}`)).to.deep.equal([
      'web-1 disconnected',
      'web-2 disconnected',
    ]);
    expect(agents.agent('default', 'none')).to.equal(undefined);
    expect(() => agents.config('default', 'none')).to.throw('no agent with the id "none"');
  });

  it('counts what there is, without names of services or agents', async () => {
    await fill();
    await plane.directory.hold({ id: 'web-1', namespace: 'default', service: 'web', keyHash: 'x' });
    const metrics = createMetrics(plane);
    metrics.countRefusal('agent', [{ typeUrl: typeUrls.cluster }, { typeUrl: 'no.such.Type' }]);
    metrics.countRefusal('gRPC Go', []);
    metrics.countOddity('unknown-nonce');
    metrics.countAnswer('POST', 200);
    const text = await metrics.text();
    for (const line of [
      'sluice_revision 2',
      'sluice_instances 3',
      'sluice_services 2',
      'sluice_xds_streams 0',
      'sluice_self_preservation 0',
      'sluice_agents{state="disconnected"} 1',
      'sluice_xds_refusals_total{client="agent",type="Cluster"} 1',
      'sluice_xds_refusals_total{client="agent",type="other"} 1',
      'sluice_xds_refusals_total{client="grpc",type="other"} 1',
      'sluice_xds_oddities_total{what="unknown-nonce"} 1',
      'sluice_http_answers_total{method="POST",status="200"} 1',
    ]) {
      expect(text.split('\n')).to.include(line);
    }
    expect(text).to.not.match(/reviews|web-1/);
  });
});
