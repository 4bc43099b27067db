import { expect } from 'chai';
import { fromStruct } from '../../../../proto/struct.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { ClusterLoadAssignment, Name, RouteConfiguration } from '../../../../proto/types.ts';
import { hopProblems } from '../../../../server/compile/hops.ts';
import type { InstanceRecord } from '../../../../server/registry/instance.ts';
import { resourceOf } from '../../../../server/snapshot/service-snapshot.ts';
import { instance } from '../registry/registry-world.ts';
import { RebuildWorld } from './rebuild-world.ts';

const documents = (hops: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { hops: ${hops}, ports: [ { name: http, port: 9080 } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ { name: canary, backends: [ { subset: v1, weight: 9 }, { subset: v2, weight: 1 } ] } ] }
`;

describe('the hops of a service', () => {
  let world: RebuildWorld;

  beforeEach(() => {
    world = new RebuildWorld();
    const application = { address: '10.0.0.1', ports: { http: 8080 } };
    world.put('reviews', 'a', { source: 'agent', address: '10.0.0.1', ports: { http: 15_006 }, application });
    world.put('reviews', 'plain', { source: 'rest', address: '10.0.0.2', ports: { http: 80 } });
    world.turn();
  });

  const decode = <T>(typeUrl: string, name: string, codec: { decode(bytes: Uint8Array): T }): T => {
    const resource = resourceOf(world.cache.service('reviews.default'), typeUrl, name);
    if (resource === undefined) throw new Error(`there is no ${name}`);
    return codec.decode(resource.bytes);
  };
  /** Where each instance is dialled, and whether by way of an agent. */
  const places = () =>
    decode(typeUrls.endpoint, 'reviews.default|http|', ClusterLoadAssignment).endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ endpoint, metadata }) => {
        const { address, portValue } = endpoint?.address?.socketAddress ?? {};
        const { agent } = fromStruct(metadata?.filterMetadata.sluice ?? null);
        return `${address}:${portValue}${agent === false ? '' : ' agent'}`;
      }),
    );
  const rules = () =>
    decode(typeUrls.routeConfiguration, 'reviews.default:9080', RouteConfiguration).virtualHosts.flatMap(({ routes }) =>
      routes.map(({ name }) => name),
    );

  for (const { hops, dialled, byRules, direct, byAddress } of [
    { hops: 'both', dialled: '10.0.0.1:15006 agent', byRules: ['reviews/canary'], direct: false, byAddress: true },
    { hops: 'client', dialled: '10.0.0.1:8080', byRules: ['reviews/canary'], direct: false, byAddress: true },
    { hops: 'server', dialled: '10.0.0.1:15006 agent', byRules: [''], direct: false, byAddress: false },
    { hops: 'direct', dialled: '10.0.0.1:8080', byRules: [''], direct: true, byAddress: false },
  ]) {
    it(`${hops}: say whether callers apply the rules, where they dial, and what names and addresses stand for`, () => {
      world.apply(documents(hops));
      expect(places()).to.deep.equal([dialled, '10.0.0.2:80']);
      expect(rules()).to.deep.equal(byRules);
      expect(decode(typeUrls.name, 'reviews.default', Name).direct).to.equal(direct);
      const owners = ['10.0.0.1:15006', '10.0.0.1:8080', '10.0.0.2:80'].map((name) => world.cache.ownerOfName(name));
      expect(owners).to.deep.equal(owners.map(() => (byAddress ? 'reviews.default' : undefined)));
    });
  }

  it('leave an instance at its agent that has not said where its application is', () => {
    world.put('reviews', 'a', { source: 'agent', address: '10.0.0.1', ports: { http: 15_006 } });
    world.turn();
    world.apply(documents('direct'));
    expect(places()).to.deep.equal(['10.0.0.1:15006 agent', '10.0.0.2:80']);
  });

  it('go on with instances that come and move', () => {
    world.apply(documents('client'));
    const application = { address: '10.0.0.9', ports: { http: 8081 } };
    world.put('reviews', 'a', { source: 'agent', address: '10.0.0.1', ports: { http: 15_006 }, application });
    world.turn();
    expect(places()).to.deep.equal(['10.0.0.9:8081', '10.0.0.2:80']);
  });

  describe('what they cannot do', () => {
    const hidden = (id: string) => instance(id, { source: 'agent' });
    const problems = (hops: string, ...instances: InstanceRecord[]) => {
      world.apply(documents(hops));
      const { document, routes } = world.cache.service('reviews.default')?.input ?? {};
      return hopProblems([...(document ? [document] : []), ...(routes ?? [])], instances).map(
        ({ document: named, path, sentence }) => `${named}: ${path}: ${sentence}`,
      );
    };

    it('is nothing with both', () => expect(problems('both', hidden('a'))).to.deep.equal([]));

    it('is nothing when every agent has said where its application is', () =>
      expect(problems('client')).to.deep.equal([]));

    it('is to dial applications of which nobody knows where they are', () =>
      expect(problems('client', hidden('b'), hidden('a'))).to.deep.equal([
        'Service default/reviews: spec.hops: hops: client: callers go on to dial the agents of "a", "b", which have not said where their applications are; start them with --app-advertise',
      ]));

    for (const hops of ['client', 'direct']) {
      it(`is to leave out agents that intercept what is dialled at their applications, with ${hops}`, () => {
        const application = { address: '10.0.0.1', ports: { http: 9080 } };
        const intercepts = { source: 'agent', intercepts: true, ports: { http: 9080 } } as const;
        const [said, silent] = [instance('said', { ...intercepts, application }), instance('silent', intercepts)];
        expect(problems(hops, said, silent)[0]).to.equal(
          `Service default/reviews: spec.hops: hops: ${hops}: requests go on to pass the agents of "said", "silent", to which packet rules bring what is dialled at their applications; to leave them out, register the instances without agents and end these`,
        );
      });
    }

    it('is to apply rules where callers pass on what they are given', () =>
      expect(problems('server', hidden('a'))).to.deep.equal([
        'Service default/reviews: spec.hops: hops: server: callers pass requests on without the rules of Route default/reviews',
      ]));

    it('is to have the port of the service at instances that listen on another', () => {
      const plain = instance('plain', { source: 'rest', ports: { http: 80 } });
      const same = instance('same', { source: 'rest', ports: { http: 9080 } });
      expect(problems('direct', plain, same)[0]).to.equal(
        'Service default/reviews: spec.hops: hops: direct: applications that take addresses from DNS dial the port of the service, at which "plain" do not listen; give the Service the port of its instances',
      );
    });
  });

  it('leave the addresses of instances alone that are to be kept', () => {
    world.apply(documents('both, instanceAddress: keep'));
    expect(world.cache.ownerOfName('10.0.0.2:80')).to.equal(undefined);
  });
});
