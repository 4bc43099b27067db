import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import type { EnvoyNode } from '../../../../server/snapshot/envoy-node.ts';
import { EnvoyView } from '../../../../server/snapshot/envoy-view.ts';
import { plainEnvoyNode } from '../../../support/envoy-node.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const at = (port: number) => ({ host: '127.0.0.1', port });
const route = (service: string, target: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { service: ${target} } ] } ] }
`;

const aliased = (service: string, ...aliases: string[]) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${service} }
spec: { ports: [ { name: http, port: 80, protocol: http } ], aliases: [ ${aliases.join(', ')} ] }
`;

describe('the mesh as an Envoy is served it', () => {
  let mesh: ModelMesh;

  beforeEach(() => {
    mesh = new ModelMesh();
    for (const service of ['a', 'b', 'c']) mesh.put(instanceOf(service, `${service}-1`));
  });

  const viewOf = (more: Partial<EnvoyNode> = {}) =>
    new EnvoyView(mesh.cache, { ...plainEnvoyNode, ...more }, 'mesh.local');
  const names = (view: EnvoyView, type: keyof typeof typeUrls) =>
    [...view.resources(typeUrls[type])].map(({ name }) => name).sort();

  /** Everything, as "type name" -> version. */
  const all = (view: EnvoyView) =>
    new Map(
      view.typeUrls.flatMap((typeUrl) =>
        [...view.resources(typeUrl)].map(({ name, version }): [string, string] => [`${typeUrl} ${name}`, version]),
      ),
    );

  it('is all of its namespace', () => {
    mesh.put(instanceOf('d', 'd-1', { namespace: 'other' }));
    expect(names(viewOf(), 'cluster')).to.deep.equal(['a.default|http|', 'b.default|http|', 'c.default|http|']);
    expect(names(viewOf(), 'scopedRoute')).to.include.members(['a.default', 'a.default:80']).and.not.include('d.other');
    expect(names(viewOf(), 'listener')).to.deep.equal(['outbound|127.0.0.1:15001']);
  });

  it('is the services that it names, and the clusters that they send to', () => {
    mesh.apply(route('a', 'b'));
    const view = viewOf({ services: ['a.default'] });
    expect(names(view, 'cluster')).to.deep.equal(['a.default|http|', 'b.default|http|']);
    expect(names(view, 'endpoint')).to.deep.equal(['a.default|http|', 'b.default|http|']);
    expect(names(view, 'routeConfiguration')).to.deep.equal(['a.default:80']);
  });

  it('has a listener for each port that it asks for, once the service is there', () => {
    const view = viewOf({ upstreams: [{ service: 'later.default', port: undefined, at: at(1) }] });
    expect(view.missing()).to.deep.equal(['later.default']);
    mesh.put(instanceOf('later', 'later-1'));
    expect(view.missing()).to.deep.equal([]);
    expect(names(view, 'listener')).to.include('upstream|later.default|127.0.0.1:1');
  });

  it('keeps a listener of its own at its address, whatever number the first port of the service has', () => {
    const view = viewOf({ upstreams: [{ service: 'a.default', port: undefined, at: at(1) }] });
    const told: string[] = [];
    mesh.onChange((change) => {
      for (const { typeUrl, name, after } of view.changes(change)) {
        if (typeUrl === typeUrls.listener) told.push(`${after ? '+' : '-'}${name}`);
      }
    });
    mesh.apply(aliased('a').replace('port: 80', 'port: 81'));
    expect(told).to.deep.equal(['+upstream|a.default|127.0.0.1:1']);
    expect(view.ownerOf(typeUrls.listener, 'upstream|a.default|127.0.0.1:1')).to.equal('a.default');
  });

  it('has a listener and a cluster for its application', () => {
    const view = viewOf({ inbound: { at: at(1), app: at(2) } });
    expect(names(view, 'listener')).to.include('inbound|127.0.0.1:1');
    expect(names(view, 'cluster')).to.include('inbound:application');
  });

  it('leaves out who fails or drains', () => {
    const before = viewOf().resource(typeUrls.endpoint, 'a.default|http|');
    mesh.put(instanceOf('a', 'a-2', { state: 'failing' }), instanceOf('a', 'a-3', { state: 'draining' }));
    expect(viewOf().resource(typeUrls.endpoint, 'a.default|http|')?.version).to.equal(before?.version);
  });

  it('finds a service by an alias that has the domain of the mesh', () => {
    mesh.apply(aliased('a', 'v.default.mesh.local'));
    expect(names(viewOf(), 'scopedRoute')).to.include.members(['v.default', 'v.default:80']);
  });

  it('gives a name that two services claim to the one that is called so, also outside of the scope', () => {
    mesh.apply(aliased('a', 'd.other'));
    const view = viewOf();
    const told: string[] = [];
    mesh.onChange((change) => {
      for (const { name, after } of view.changes(change)) told.push(`${after ? '+' : '-'}${name}`);
    });
    mesh.put(instanceOf('d', 'd-1', { namespace: 'other' }));
    expect(names(view, 'scopedRoute')).to.not.include('d.other');
    expect(told).to.have.members(['-d.other', '-d.other:80']);
  });

  it('tells a cluster from its endpoints, which are called the same', () => {
    const view = viewOf();
    const found = [typeUrls.cluster, typeUrls.endpoint, typeUrls.routeConfiguration, typeUrls.cluster].map(
      (typeUrl) => view.resource(typeUrl, 'a.default|http|')?.typeUrl,
    );
    expect(found).to.deep.equal([typeUrls.cluster, typeUrls.endpoint, undefined, typeUrls.cluster]);
  });

  it('finds what a name stands for now, whatever it stood for when it was last asked for', () => {
    const view = viewOf();
    const version = (name: string) => view.resource(typeUrls.routeConfiguration, name)?.version;
    const before = version('a.default:80');
    mesh.apply(route('a', 'b'));
    expect(version('a.default:80')).to.be.a('string').and.not.equal(before);
    expect(version('d.default:80')).to.equal(undefined);
    mesh.put(instanceOf('d', 'd-1'));
    expect(version('d.default:80')).to.be.a('string');
  });

  it('makes a listener of its own once for each compilation of its service', () => {
    const upstreams = ['a', 'b'].map((name, n) => ({ service: `${name}.default`, port: undefined, at: at(n + 1) }));
    const view = viewOf({ upstreams, inbound: { at: at(3), app: at(4) } });
    const own = () => [
      ...['upstream|a.default|127.0.0.1:1', 'upstream|b.default|127.0.0.1:2', 'inbound|127.0.0.1:3'].map((name) =>
        view.resource(typeUrls.listener, name),
      ),
      view.resource(typeUrls.cluster, 'inbound:application'),
    ];
    const [a, ...others] = own();
    expect(a?.name).to.equal('upstream|a.default|127.0.0.1:1');
    mesh.apply(route('a', 'c'));
    const [, ...after] = own();
    for (const [index, resource] of others.entries()) {
      expect(resource, `of ${index}`).to.be.an('object').and.to.equal(after[index]);
    }
    expect([...view.resources(typeUrls.listener)]).to.include.members(others.slice(0, 2));
  });

  for (const { name, more } of [
    { name: 'all services', more: {} },
    { name: 'some services', more: { services: ['a.default'] } },
    { name: 'an upstream', more: { upstreams: [{ service: 'b.default', port: undefined, at: at(1) }] } },
    { name: 'an upstream of a port', more: { upstreams: [{ service: 'b.default', port: 81, at: at(1) }] } },
    { name: 'an application', more: { service: 'b', inbound: { at: at(1), app: at(2) } } },
    { name: 'a zone', more: { zone: 'here' } },
  ] as readonly { name: string; more: Partial<EnvoyNode> }[]) {
    it(`says of each change what it changes (${name})`, () => {
      const view = viewOf(more);
      let held = all(view);
      mesh.onChange((change) => {
        for (const { typeUrl, name: changed, before, after } of view.changes(change)) {
          expect(held.get(`${typeUrl} ${changed}`), `before of ${changed}`).to.equal(before?.version);
          if (after) held.set(`${typeUrl} ${changed}`, after.version);
          else held.delete(`${typeUrl} ${changed}`);
        }
      });
      const steps = [
        () => mesh.apply(route('a', 'b')),
        () => mesh.apply(route('a', 'c')),
        () => mesh.apply(route('c', 'b')),
        () => mesh.put(instanceOf('b', 'b-2', { zone: 'here' })),
        () =>
          mesh.apply(
            'apiVersion: sluice.dev/v1\nkind: TrafficPolicy\nmetadata: { name: b }\nspec: { service: b, localityPreference: same-zone-first }',
          ),
        () =>
          mesh.apply(
            'apiVersion: sluice.dev/v1\nkind: Service\nmetadata: { name: b }\nspec: { ports: [ { name: sql, port: 81, protocol: tcp } ], aliases: [ z ] }',
          ),
        () => mesh.apply(aliased('a', 'v', 'w.example', 'z', 'd.other')),
        () => mesh.apply(aliased('a', 'v', 'd.other')),
        () => mesh.apply(`${aliased('a')}---${aliased('c', 'v')}`),
        () => mesh.apply(`${aliased('a', 'v')}---${aliased('c')}`),
        () => mesh.apply(aliased('c', 'v', 'd.other')),
        () => mesh.put(instanceOf('d', 'd-1', { namespace: 'other' })),
        () => mesh.apply('', 'Service/default/a'),
        () => mesh.apply('', 'Service/default/c'),
        () => mesh.apply(aliased('b', 'v', 'z.default.mesh.local')),
        () => mesh.put(instanceOf('v', 'v-1')),
        () => mesh.put(instanceOf('c', 'c-2', { state: 'lost' })),
        () => mesh.remove('b', 'b-1'),
        () => mesh.apply('', 'Route/default/a'),
        () => mesh.apply('', 'Service/default/b'),
      ];
      for (const step of steps) {
        step();
        expect([...held].sort()).to.deep.equal([...all(view)].sort());
      }
      held = new Map();
    });
  }
});
