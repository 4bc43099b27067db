/** What leads elsewhere is sent when what it leads to is there, in whatever order the client asks and answers. */
import { expect } from 'chai';
import type { EnvoyNode } from '../../../../server/snapshot/envoy-node.ts';
import { EnvoyView } from '../../../../server/snapshot/envoy-view.ts';
import type { Protocol } from '../../../../server/xds/session.ts';
import type { OtherStreams } from '../../../../server/xds/siblings.ts';
import { plainEnvoyNode } from '../../../support/envoy-node.ts';
import { FakeClient, type Type } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const service = (port: number, aliases = '') => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: a }
spec: { ports: [ { name: http, port: ${port}, protocol: http } ], aliases: [${aliases}] }
`;

const route = (subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: a }
spec: { service: a, allowEmpty: true, rules: [ { backends: [ { subset: ${subset} } ] } ] }
`;

/** One that answers in the order that a real one has: the routes that a scope names are asked for after its ACK. */
function envoyOf(mesh: ModelMesh, protocol: Protocol, more: Partial<EnvoyNode> = {}): FakeClient {
  const client = new FakeClient(
    mesh,
    protocol,
    true,
    new EnvoyView(mesh.cache, { ...plainEnvoyNode, ...more }, 'mesh.local'),
  );
  for (const type of ['cluster', 'listener', 'scopedRoute'] as const) client.ask(type, '*');
  return client;
}

function meshWith(...documents: string[]): ModelMesh {
  const mesh = new ModelMesh();
  mesh.apply(documents.join('---'));
  for (const version of ['v1', 'v2']) mesh.put(instanceOf('a', version, { labels: { version } }));
  return mesh;
}

describe('make before break (delta), of a client that was away while its cluster went', () => {
  const gone = 'a.default|http|v1';
  let mesh: ModelMesh;
  let client: FakeClient;

  beforeEach(() => {
    mesh = meshWith(service(80), route('v1'));
    const before = envoyOf(mesh, 'delta');
    before.ask('endpoint', gone);
    before.ask('routeConfiguration', 'a.default:80');
    const versionsOf = (type: Type) =>
      Object.fromEntries(before.holds(type).map((name) => [name, before.held.get(`${type} ${name}`) ?? '']));
    mesh.apply(route('v2'));
    client = new FakeClient(mesh, 'delta', true, new EnvoyView(mesh.cache, plainEnvoyNode, 'mesh.local'));
    client.subscribe('cluster', ['*'], { ...versionsOf('cluster'), [gone]: 'of-then' });
    client.subscribe('scopedRoute', ['*'], versionsOf('scopedRoute'));
  });

  it('the cluster stays until the client has taken the routes that it has then asked for', () => {
    expect(client.takeLog().join()).to.not.include(`-${gone}`);
    client.isPrompt = false;
    client.subscribe('routeConfiguration', ['a.default:80'], { 'a.default:80': 'of-then' });
    expect(client.takeLog()).to.deep.equal(['routeConfiguration +a.default:80']);
    client.ack('routeConfiguration');
    expect(client.takeLog()).to.deep.equal([`cluster -${gone}`]);
  });

  it('the cluster goes when the client asks for no routes in time', () => {
    expect(client.session.holdsFor).to.equal(`routes that may lead to ${gone}`);
    client.takeLog();
    client.session.giveUpClusters();
    client.flush();
    expect(client.takeLog()).to.deep.equal([`cluster -${gone}`]);
    expect(client.session.holdsFor).to.equal(undefined);
  });
});

describe('make before break (delta), of a service that goes', () => {
  it('its cluster stays until its routes have gone, though these wait for the answer about another cluster', () => {
    const mesh = meshWith(service(80), route('v1'));
    mesh.put(instanceOf('b', 'b-1'));
    const client = envoyOf(mesh, 'delta');
    client.ask('endpoint', 'b.default|http|');
    client.ask('routeConfiguration', 'b.default:80');
    client.takeLog();
    client.isPrompt = false;
    mesh.put(instanceOf('c', 'c-1'));
    expect(client.takeLog()).to.deep.equal(['cluster +c.default|http|']);
    mesh.remove('b', 'b-1');
    expect(client.takeLog()).to.deep.equal([]);
    client.isPrompt = true;
    client.ack('cluster');
    client.ask('endpoint', 'c.default|http|');
    const removals = client.takeLog().filter((line) => line.includes('-b.default'));
    expect(removals.map((line) => line.split(' ')[0])).to.have.ordered.members([
      'scopedRoute',
      'routeConfiguration',
      'endpoint',
      'cluster',
    ]);
  });
});

for (const protocol of ['sotw', 'delta'] as const) {
  /** In state of the world each request has all names. */
  const askFurther = (client: FakeClient, type: Type, name: string) =>
    client.ask(type, ...(protocol === 'sotw' ? client.namesOf(type) : []), name);

  describe(`make before break (${protocol})`, () => {
    describe('when the number of the first port of a service changes', () => {
      let mesh: ModelMesh;
      let client: FakeClient;
      /** The version that the client has of the scope without a port. */
      const scope = () => client.held.get('scopedRoute a.default');

      beforeEach(() => {
        mesh = meshWith(service(80));
        client = envoyOf(mesh, protocol);
        client.ask('routeConfiguration', 'a.default:80');
        client.takeLog();
      });

      it('the scope without a port is led to the new routes only when the client has taken these', () => {
        const before = scope();
        mesh.apply(service(81));
        expect(client.holds('scopedRoute').sort()).to.deep.equal(['a.default', 'a.default:80', 'a.default:81']);
        expect(scope()).to.equal(before);
        client.isPrompt = false;
        askFurther(client, 'routeConfiguration', 'a.default:81');
        expect(client.holds('routeConfiguration')).to.include('a.default:81');
        expect(scope()).to.equal(before);
        client.isPrompt = true;
        client.ack('routeConfiguration');
        expect(scope()).to.not.equal(before);
        expect(client.holds('scopedRoute').sort()).to.deep.equal(['a.default', 'a.default:81']);
      });

      it('the revision is applied when the scope is', () => {
        const revision = mesh.apply(service(81));
        expect(client.applied.at(-1)?.revision).to.equal(revision - 1);
        askFurther(client, 'routeConfiguration', 'a.default:81');
        expect(client.applied.at(-1)?.revision).to.equal(revision);
      });

      it('it is not waited for without end that the client asks for the new routes', () => {
        const before = scope();
        mesh.apply(service(81));
        expect(client.session.holdsFor).to.equal('routes a.default:81');
        client.overdue();
        expect(scope()).to.not.equal(before);
        expect(client.session.holdsFor).to.equal(undefined);
      });

      it('the scope stays where it leads while the client refuses the new routes', () => {
        const before = scope();
        mesh.apply(service(81));
        client.isPrompt = false;
        askFurther(client, 'routeConfiguration', 'a.default:81');
        client.nack('routeConfiguration', { error: { message: 'a.default:81: no', resources: [] } });
        client.overdue();
        expect(scope()).to.equal(before);
        expect(client.holds('scopedRoute')).to.include('a.default:80');
      });
    });

    it('an alias that is given to a service whose routes the client has is led there at once', () => {
      const mesh = meshWith(service(80, 'x'));
      mesh.put(instanceOf('b', 'b-1'));
      const client = envoyOf(mesh, protocol);
      client.ask('routeConfiguration', 'a.default:80', 'b.default:80');
      const before = client.held.get('scopedRoute x.default');
      mesh.apply(`${service(80)}---${service(80, 'x').replace('name: a', 'name: b')}`);
      expect(client.session.holdsFor).to.equal(undefined);
      expect(client.held.get('scopedRoute x.default')).to.not.equal(before);
    });

    describe('while a resource of a service is refused', () => {
      let mesh: ModelMesh;
      let client: FakeClient;

      beforeEach(() => {
        mesh = meshWith(service(80), route('v1'));
        mesh.put(instanceOf('b', 'b-1'));
        client = envoyOf(mesh, protocol);
        client.ask('routeConfiguration', 'a.default:80');
        client.isPrompt = false;
        mesh.apply(route('v2'));
        client.ack('cluster');
        client.nack('routeConfiguration', { error: { message: 'a.default:80: no', resources: [] } });
      });

      it('what the service no longer has stays: the client goes on with the routes to it', () => {
        expect(client.holds('cluster')).to.include('a.default|http|v1');
      });

      it('what others no longer have goes', () => {
        client.isPrompt = true;
        mesh.remove('b', 'b-1');
        expect(client.holds('cluster').sort()).to.deep.equal([
          'a.default|http|',
          'a.default|http|v1',
          'a.default|http|v2',
        ]);
      });

      it('later revisions are applied, and when it is taken the rest goes', () => {
        client.isPrompt = true;
        expect(client.reports.at(-1)).to.equal('refused');
        mesh.put(instanceOf('c', 'c-1'));
        expect(client.reports.at(-1)).to.equal('applied');
        mesh.apply(route('v2').replace('{ backends', '{ name: repaired, backends'));
        expect(client.holds('cluster')).to.not.include('a.default|http|v1');
      });
    });

    describe('while a route of a service is refused on another stream of the client', () => {
      it('clusters that the service no longer has stay, and go when the route is taken', () => {
        const mesh = meshWith(service(80), route('v1'));
        let refusing = new Set(['a.default']);
        const others: OtherStreams = {
          haveClusters: () => true,
          areClustersUnderWay: () => false,
          hasTaken: () => true,
          refuses: () => false,
          ownersOfRefused: () => refusing,
        };
        const client = new FakeClient(
          mesh,
          protocol,
          true,
          new EnvoyView(mesh.cache, plainEnvoyNode, 'mesh.local'),
          others,
        );
        client.ask('cluster', '*');
        mesh.apply(route('v2'));
        expect(client.holds('cluster')).to.include('a.default|http|v1');
        refusing = new Set();
        client.flush();
        expect(client.holds('cluster')).to.not.include('a.default|http|v1');
      });
    });

    it('is as ever after a wait that was given up', () => {
      const mesh = meshWith(service(80), route('v1'));
      const client = envoyOf(mesh, protocol);
      client.ask('endpoint', 'a.default|http|', 'a.default|http|v1');
      client.ask('routeConfiguration', 'a.default:80');
      client.session.giveUpClusters();
      client.flush();
      client.takeLog();
      client.isPrompt = false;
      mesh.apply(route('v2'));
      expect(client.takeLog().map((line) => line.split(' ')[0])).to.deep.equal(['cluster']);
    });

    describe('when a subset comes back', () => {
      const cluster = 'a.default|http|v1';
      const routes = 'a.default:80';
      let mesh: ModelMesh;
      let client: FakeClient;

      beforeEach(() => {
        mesh = meshWith(service(80), route('v2'));
        client = new FakeClient(mesh, protocol, false);
        client.ask('routeConfiguration', routes);
        client.ask('cluster', cluster, 'a.default|http|v2');
        client.ask('endpoint', 'a.default|http|v2');
        client.takeLog();
      });

      it('routes wait until the client has taken its endpoints, for which it asks after its ACK', () => {
        mesh.apply(route('v1'));
        expect(client.takeLog().filter((line) => line.includes('routes'))).to.deep.equal([]);
        client.isPrompt = false;
        askFurther(client, 'endpoint', cluster);
        expect(client.takeLog().at(-1)).to.equal(`endpoint +${cluster}`);
        client.isPrompt = true;
        client.ack('endpoint');
        expect(client.takeLog()).to.include(`routeConfiguration +${routes}`);
      });

      it('routes do not wait without end for a client that does not ask', () => {
        mesh.apply(route('v1'));
        expect(client.session.holdsFor).to.equal(`endpoints of ${cluster}`);
        client.overdue();
        expect(client.takeLog()).to.include(`routeConfiguration +${routes}`);
      });

      it('routes do not wait for the endpoints of a cluster that the client refuses', () => {
        client.isPrompt = false;
        mesh.apply(route('v1'));
        client.nack('cluster');
        expect(client.takeLog()).to.include(`routeConfiguration +${routes}`);
      });
    });
  });
}
