/** A client that was away finds its way from what it has to what there is, and no request of it is lost on the way. */
import { expect } from 'chai';
import fc from 'fast-check';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { EnvoyView } from '../../../../server/snapshot/envoy-view.ts';
import { GrpcView } from '../../../../server/snapshot/grpc-view.ts';
import type { OtherStreams } from '../../../../server/xds/siblings.ts';
import { EnvoyModel } from '../../../support/envoy-model.ts';
import { plainEnvoyNode } from '../../../support/envoy-node.ts';
import { FakeClient, type Type } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const service = (name: string, port: number) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [ { name: http, port: ${port}, protocol: http } ] }
`;

const route = (name: string, backend: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${name} }
spec: { service: ${name}, allowEmpty: true, rules: [ { backends: [ ${backend} ] } ] }
`;

function meshOf(...services: string[]): ModelMesh {
  const mesh = new ModelMesh();
  fill(mesh, ...services);
  return mesh;
}

function fill(mesh: ModelMesh, ...services: string[]): void {
  for (const name of services) mesh.apply([service(name, 80), route(name, '{ subset: v1 }')].join('---'));
  for (const name of services) mesh.put(instanceOf(name, `${name}-1`));
}

describe('a client that was away, with a stream for each type', () => {
  const gone = 'a.default|http|v1';
  const nobody: OtherStreams = {
    haveClusters: () => false,
    areClustersUnderWay: () => false,
    hasTaken: () => true,
    refuses: () => false,
    ownersOfRefused: () => new Set(),
  };
  const viewOf = (mesh: ModelMesh) => new EnvoyView(mesh.cache, plainEnvoyNode, 'mesh.local');

  for (const protocol of ['sotw', 'delta'] as const) {
    it(`keeps clusters that are gone until its other streams must have come back (${protocol})`, () => {
      const mesh = meshOf('a');
      const client = new FakeClient(mesh, protocol, true, viewOf(mesh), nobody);
      client.ask('cluster', '*');
      client.disconnect();
      mesh.apply(route('a', '{ subset: v2 }'));
      client.reconnect();
      expect(client.holds('cluster').sort()).to.deep.equal(['a.default|http|', gone, 'a.default|http|v2']);
      // Another stream is given up on.
      client.session.giveUpClusters();
      client.flush();
      expect(client.holds('cluster')).to.include(gone);
      expect(client.session.awaitsStreams).to.equal(true);
      client.session.giveUpStreams();
      client.flush();
      expect(client.holds('cluster')).to.not.include(gone);
      // What goes while it is here is taken away as ever.
      mesh.apply(route('a', '{ subset: v3 }'));
      expect(client.holds('cluster')).to.not.include('a.default|http|v2');
    });

    it(`is sent the routes when it has asked for clusters on another stream (${protocol})`, () => {
      const mesh = meshOf('a');
      let haveClusters = true;
      const others = { ...nobody, haveClusters: () => haveClusters };
      const client = new FakeClient(mesh, protocol, true, viewOf(mesh), others);
      client.ask('routeConfiguration', 'a.default:80');
      const before = client.held.get('routeConfiguration a.default:80');
      client.disconnect();
      mesh.apply(route('a', '{ subset: v2 }'));
      haveClusters = false;
      client.reconnect();
      expect(client.held.get('routeConfiguration a.default:80')).to.equal(before);
      haveClusters = true;
      client.flush();
      expect(client.held.get('routeConfiguration a.default:80')).to.not.equal(before);
    });

    it(`is sent the routes when it has clusters from somewhere else, and waits for them once (${protocol})`, () => {
      const mesh = meshOf('a');
      const client = new FakeClient(mesh, protocol, true, viewOf(mesh), nobody);
      client.ask('routeConfiguration', 'a.default:80');
      client.disconnect();
      mesh.apply(route('a', '{ subset: v2 }'));
      client.reconnect();
      client.takeLog();
      client.session.giveUpStreams();
      client.flush();
      mesh.apply(route('a', '{ subset: v3 }'));
      expect(client.takeLog()).to.deep.equal(Array(2).fill('routeConfiguration +a.default:80'));
    });
  }

  it('is not given clusters that are gone when it has what there is (sotw)', () => {
    const mesh = meshOf('a');
    mesh.apply(route('a', '{ subset: v2 }'));
    const client = new FakeClient(mesh, 'sotw', true, viewOf(mesh), nobody);
    client.ask('cluster', '*');
    client.reconnect();
    expect(client.holds('cluster').sort()).to.deep.equal(['a.default|http|', 'a.default|http|v2']);
    expect(client.session.holdsFor).to.equal(undefined);
  });
});

describe('an Envoy that was away while the ports of another service changed (sotw)', () => {
  it('is not sent back to a port that was once the first of a service and is there', () => {
    const ports = (...numbers: number[]) =>
      service('a', 0).replace(
        /\[.*\]/,
        `[${numbers.map((port) => `{ name: p${port}, port: ${port}, protocol: http }`)}]`,
      );
    const mesh = new ModelMesh();
    fill(mesh, 'b');
    mesh.apply(ports(80));
    mesh.put(instanceOf('a', 'a-1'));
    mesh.apply(ports(81, 80));
    const envoy = new EnvoyModel(mesh, 'sotw');
    envoy.client.disconnect();
    mesh.apply(service('b', 90));
    const led: string[] = [];
    const { onResponse } = envoy.client;
    envoy.client.onResponse = (response) => {
      led.push(...response.resources.flatMap(({ name, routes }) => (name === 'a.default' ? routes : [])));
      onResponse(response);
    };
    envoy.reconnect();
    envoy.settle();
    expect([...new Set(led)]).to.deep.equal(['a.default:81']);
    expect(envoy.broken).to.deep.equal([]);
  });
});

describe('an Envoy that comes back while clusters that it has wait for their endpoints (sotw)', () => {
  it('is sent these though the clusters have gone, and no routes until it asks for clusters', () => {
    const gone = 'a.default|http|v1';
    const mesh = meshOf('a');
    const before = new EnvoyModel(mesh, 'sotw');
    const versions = new Map(before.client.responses.map(({ typeUrl, version }) => [typeUrl, version]));
    mesh.apply(route('a', '{ subset: v2 }'));
    const client = new FakeClient(mesh, 'sotw', true, new EnvoyView(mesh.cache, plainEnvoyNode, 'mesh.local'));
    const ask = (type: Type, ...list: string[]) =>
      client.request(type, { subscribe: list, version: versions.get(typeUrls[type]) ?? 'of-then' });
    client.isPrompt = false;
    ask('endpoint', 'a.default|http|', gone);
    ask('listener', '*');
    ask('scopedRoute', '*');
    ask('routeConfiguration', 'a.default:80');
    expect(client.takeLog()).to.deep.equal([`endpoint +a.default|http| +${gone}`]);
    expect(client.session.holdsFor).to.equal('clusters');
    ask('cluster', '*');
    const [clusters] = client.takeLog();
    expect(clusters).to.include(`+${gone}`).and.include('+a.default|http|v2');
  });
});

describe('a gRPC client that was away while the port that it dials went', () => {
  it('keeps the listener as it was, and is told nothing when the port is there again', () => {
    const mesh = meshOf('a');
    const client = new FakeClient(mesh, 'sotw', false, new GrpcView(mesh.cache, 'default'));
    client.ask('listener', 'a.default:80');
    client.disconnect();
    mesh.apply(service('a', 81));
    client.reconnect();
    expect(client.holds('listener')).to.deep.equal(['a.default:80']);
    client.takeLog();
    mesh.apply(route('a', '{ subset: v2 }'));
    mesh.apply(service('a', 80));
    expect(client.takeLog()).to.deep.equal([]);
    expect(client.holds('listener')).to.deep.equal(['a.default:80']);
    expect(client.applied.at(-1)?.revision).to.equal(mesh.cache.revision);
  });
});

for (const wasAway of [true, false]) {
  describe(`a gRPC client that was ${wasAway ? 'away' : 'here'} while a cluster went`, () => {
    const [before, after] = ['a.default|http|v1', 'a.default|http|v2'];
    let client: FakeClient;

    beforeEach(() => {
      const mesh = meshOf('a');
      client = new FakeClient(mesh, 'sotw', false, new GrpcView(mesh.cache, 'default'));
      client.ask('routeConfiguration', 'a.default:80');
      client.ask('cluster', before);
      if (wasAway) client.disconnect();
      mesh.apply(route('a', '{ subset: v2 }'));
      if (wasAway) client.reconnect();
      expect(client.holds('cluster')).to.deep.equal([before]);
      client.want('cluster', before, after);
    });

    it('keeps it until it names it no longer', () => {
      expect(client.holds('cluster').sort()).to.deep.equal([before, after]);
      expect(client.session.holdsFor).to.equal(`it to let go of ${before}`);
      client.want('cluster', after);
      expect(client.session.holdsFor).to.equal(undefined);
    });

    it('loses it when it names it for too long', () => {
      client.session.giveUpClusters();
      client.flush();
      expect(client.holds('cluster')).to.deep.equal([after]);
    });
  });
}

const names = ['a', 'b'] as const;
const name = fc.constantFrom(...names);

const change = fc.oneof(
  fc.record({ is: fc.constant('subset' as const), name, subset: fc.constantFrom('v1', 'v2', 'v3') }),
  fc.record({ is: fc.constant('other' as const), name, to: name }),
  fc.record({ is: fc.constant('port' as const), name }),
  fc.record({ is: fc.constant('new' as const), name: fc.constantFrom('c', 'd') }),
  fc.record({ is: fc.constant('old' as const), name: fc.constantFrom('c', 'd') }),
);
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

function perform(mesh: ModelMesh, one: Change): void {
  if (one.is === 'subset') mesh.apply(route(one.name, `{ subset: ${one.subset} }`));
  else if (one.is === 'other') mesh.apply(route(one.name, `{ service: ${one.to}, subset: other }`));
  else if (one.is === 'port') mesh.apply(service(one.name, 80 + mesh.revision));
  else if (one.is === 'new') mesh.put(instanceOf(one.name, `${one.name}-1`));
  else mesh.remove(one.name, `${one.name}-1`);
}

/** How many responses it takes in, and what changes while it is away. */
const absence = fc.record({ before: fc.nat(6), changes: fc.array(change, { maxLength: 3 }) });

describe('property: an Envoy that was away', () => {
  for (const protocol of ['sotw', 'delta'] as const) {
    it(`gets every request through on its way to what has changed meanwhile (${protocol})`, () => {
      fc.assert(
        fc.property(fc.array(absence, { minLength: 1, maxLength: 4 }), fc.boolean(), (absences, comesFirst) => {
          // One that is there before any service asks in another order, and ever after.
          const mesh = comesFirst ? new ModelMesh() : meshOf(...names);
          const envoy = new EnvoyModel(mesh, protocol);
          if (comesFirst) fill(mesh, ...names);
          envoy.settle();
          expect(envoy.scopes).to.include.members([...names].map((each) => `${each}.default`));
          for (const { before, changes } of absences) {
            for (let count = 0; count < before; count++) envoy.step();
            envoy.client.disconnect();
            for (const one of changes) perform(mesh, one);
            envoy.reconnect();
          }
          envoy.settle();
          expect(envoy.broken).to.deep.equal([]);
          expect(envoy.client.session.holdsFor).to.equal(undefined);
          expect(envoy.lacking()).to.deep.equal([]);
        }),
        { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 60) },
      );
    });
  }
});
