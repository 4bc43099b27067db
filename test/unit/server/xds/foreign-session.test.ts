/** The codes are those of the protocol's test checklist: S for state of the world, D for delta, O for ordering. */
import { expect } from 'chai';
import { FakeClient } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const route = (service: string, subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { subset: ${subset} } ] } ] }
`;

const a = 'a.default|http|';
const b = 'b.default|http|';
const c = 'c.default|http|';
const routes = 'a.default:80';

function meshWith(...services: string[]): ModelMesh {
  const mesh = new ModelMesh();
  for (const service of services) mesh.put(instanceOf(service, `${service}-1`));
  return mesh;
}

describe('the stream of a foreign client', () => {
  describe('in state of the world', () => {
    const sotw = (mesh: ModelMesh) => new FakeClient(mesh, 'sotw');

    it('S1 answers a first wildcard with the whole set in one response', () => {
      const client = sotw(meshWith('a', 'b'));
      client.want('cluster');
      expect(client.takeLog()).to.deep.equal([`cluster +${a} +${b}`]);
    });

    it('S1 answers a first wildcard even when there is nothing', () => {
      const client = sotw(new ModelMesh());
      client.want('listener');
      client.want('cluster');
      expect(client.takeLog()).to.deep.equal(['listener', 'cluster']);
    });

    it('S2, S3 sends the full set, with a new version and nonce, when a cluster changes, comes or goes', () => {
      const mesh = meshWith('a', 'b');
      const client = sotw(mesh);
      client.want('cluster');
      mesh.put(instanceOf('c', 'c-1'));
      mesh.remove('b', 'b-1');
      expect(client.takeLog()).to.deep.equal([
        `cluster +${a} +${b}`,
        `cluster +${a} +${b} +${c}`,
        `cluster +${a} +${c}`,
      ]);
    });

    it('S4 sends only what is named, when names are given', () => {
      const client = sotw(meshWith('a', 'b'));
      client.want('cluster', a);
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`]);
    });

    it('S5 sends of endpoints and routes only what changed', () => {
      const mesh = meshWith('a', 'b');
      const client = sotw(mesh);
      client.want('endpoint', a, b);
      client.want('routeConfiguration', routes);
      client.takeLog();
      mesh.put(instanceOf('b', 'b-2'));
      mesh.apply(route('a', 'v1'));
      expect(client.takeLog()).to.deep.equal([`endpoint +${b}`, `routeConfiguration +${routes}`]);
    });

    it('S6 sends a name that was absent when it appears', () => {
      const mesh = meshWith('a');
      const client = sotw(mesh);
      client.want('endpoint', b);
      expect(client.takeLog()).to.deep.equal([]);
      mesh.put(instanceOf('b', 'b-1'));
      expect(client.takeLog()).to.deep.equal([`endpoint +${b}`]);
    });

    for (const nothing of [[], ['']]) {
      it(`S7 is silent after names were dropped (${JSON.stringify(nothing)})`, () => {
        const mesh = meshWith('a', 'b');
        const client = sotw(mesh);
        client.want('endpoint', a, b);
        client.want('endpoint', ...nothing);
        client.takeLog();
        mesh.put(instanceOf('a', 'a-2'));
        expect(client.takeLog()).to.deep.equal([]);
      });
    }

    it('S8 sends again what is dropped and asked for again', () => {
      const client = sotw(meshWith('a'));
      client.want('endpoint', a);
      client.want('endpoint');
      client.want('endpoint', a);
      expect(client.takeLog()).to.deep.equal([`endpoint +${a}`, `endpoint +${a}`]);
    });

    it('S9 does not answer an ACK', () => {
      const client = sotw(meshWith('a'));
      client.want('cluster');
      client.takeLog();
      client.ack('cluster');
      expect(client.takeLog()).to.deep.equal([]);
    });

    it('S10 does not send a refused version again, reports it, and sends the next one', () => {
      const mesh = meshWith('a');
      const client = sotw(mesh);
      client.isPrompt = false;
      client.want('cluster');
      client.nack('cluster');
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`]);
      expect(client.effects.filter(({ is }) => is === 'refused')).to.have.lengthOf(1);
      mesh.put(instanceOf('b', 'b-1'));
      expect(client.takeLog()).to.deep.equal([`cluster +${a} +${b}`]);
    });

    it('S11 answers a name that comes with a refusal', () => {
      const client = sotw(meshWith('a', 'b'));
      client.isPrompt = false;
      client.want('endpoint', a);
      client.nack('endpoint', { subscribe: [a, b] });
      expect(client.takeLog()).to.deep.equal([`endpoint +${a}`, `endpoint +${b}`]);
    });

    it('S12 ignores a request with a stale nonce; its names arrive with the ACK', () => {
      const mesh = meshWith('a', 'b');
      const client = sotw(mesh);
      client.want('endpoint', a);
      const stale = client.responses[0]?.nonce ?? '';
      client.isPrompt = false;
      mesh.put(instanceOf('a', 'a-2'));
      client.takeLog();
      client.request('endpoint', { subscribe: [a, b], nonce: stale });
      expect(client.takeLog()).to.deep.equal([]);
      client.ack('endpoint', { subscribe: [a, b] });
      expect(client.takeLog()).to.deep.equal([`endpoint +${b}`]);
    });

    it('S13 takes a second request with an empty nonce as a change of names', () => {
      const client = sotw(meshWith('a', 'b'));
      client.isPrompt = false;
      client.request('cluster', { subscribe: [a] });
      client.request('cluster', { subscribe: [a, b] });
      client.ack('cluster', { subscribe: [a, b] });
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`, `cluster +${a} +${b}`]);
    });

    it('S14 knows the explicit wildcard: [*], [*,A], [A], []', () => {
      const client = sotw(meshWith('a', 'b'));
      client.want('cluster', '*');
      client.want('cluster', '*', a);
      expect(client.holds('cluster')).to.have.members([a, b]);
      client.takeLog();
      client.want('cluster', a);
      client.want('cluster');
      expect(client.takeLog()).to.deep.equal([]);
    });

    it('S15 does not take an empty request for endpoints as a wildcard', () => {
      const client = sotw(meshWith('a'));
      client.want('endpoint');
      expect(client.takeLog()).to.deep.equal([]);
    });

    it('S15 gives gRPC clients no legacy wildcard', () => {
      const client = new FakeClient(meshWith('a'), 'sotw', false);
      client.want('cluster');
      expect(client.takeLog()).to.deep.equal([]);
    });

    it('S17 keeps types apart: nonces and versions of their own', () => {
      const mesh = meshWith('a');
      const client = sotw(mesh);
      client.isPrompt = false;
      client.want('cluster');
      client.want('endpoint', a);
      client.ack('endpoint');
      mesh.put(instanceOf('a', 'a-2'));
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`, `endpoint +${a}`, `endpoint +${a}`]);
    });

    it('S18 gives a reconnecting client a full answer, whatever nonce it brings from another stream', () => {
      const client = sotw(meshWith('a'));
      client.request('cluster', { nonce: '17' });
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`]);
    });

    it('S20 has one response under way per type, and merges what changes meanwhile', () => {
      const mesh = meshWith('a');
      const client = sotw(mesh);
      client.isPrompt = false;
      client.want('cluster');
      mesh.put(instanceOf('b', 'b-1'));
      mesh.put(instanceOf('c', 'c-1'));
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`]);
      client.ack('cluster');
      expect(client.takeLog()).to.deep.equal([`cluster +${a} +${b} +${c}`]);
    });

    it('O1, O3 sends clusters, endpoints, then routes, and takes clusters away when the routes have let go of them', () => {
      const mesh = meshWith('a');
      mesh.apply(route('a', 'v1'));
      const client = sotw(mesh);
      client.want('cluster');
      client.want('endpoint', a, `${a}v1`, `${a}v2`);
      client.want('routeConfiguration', routes);
      client.takeLog();
      mesh.apply(route('a', 'v2'));
      expect(client.takeLog()).to.deep.equal([
        `cluster +${a} +${a}v1 +${a}v2`,
        `endpoint +${a}v2`,
        `routeConfiguration +${routes}`,
        `cluster +${a} +${a}v2`,
      ]);
    });

    it('O2 lets routes wait for the ACK of their clusters, but never endpoints, and not for ever', () => {
      const mesh = meshWith('a');
      const client = sotw(mesh);
      client.want('cluster');
      client.want('endpoint', a, `${a}v1`);
      client.want('routeConfiguration', routes);
      client.takeLog();
      client.isPrompt = false;
      mesh.apply(route('a', 'v1'));
      expect(client.takeLog()).to.deep.equal([`cluster +${a} +${a}v1`, `endpoint +${a}v1`]);
      client.overdue();
      expect(client.takeLog()).to.deep.equal([`routeConfiguration +${routes}`]);
    });
  });

  describe('in delta', () => {
    const delta = (mesh: ModelMesh) => new FakeClient(mesh, 'delta');

    it('D1 answers a first legacy wildcard even when there is nothing', () => {
      const client = delta(new ModelMesh());
      client.subscribe('listener', []);
      expect(client.takeLog()).to.deep.equal(['listener']);
    });

    it('D2 sends only the changed resource', () => {
      const mesh = meshWith('a', 'b');
      const client = delta(mesh);
      client.subscribe('cluster', []);
      client.takeLog();
      mesh.put(instanceOf('c', 'c-1'));
      expect(client.takeLog()).to.deep.equal([`cluster +${c}`]);
    });

    it('D3 says once that a name is absent, and sends it when it appears', () => {
      const mesh = meshWith('a');
      const client = delta(mesh);
      client.subscribe('endpoint', [b]);
      mesh.put(instanceOf('a', 'a-2'));
      mesh.put(instanceOf('b', 'b-1'));
      expect(client.takeLog()).to.deep.equal([`endpoint -${b}`, `endpoint +${b}`]);
    });

    it('D4 removes what is deleted and sends it when it is added again', () => {
      const mesh = meshWith('a');
      const client = delta(mesh);
      client.subscribe('cluster', []);
      mesh.remove('a', 'a-1');
      mesh.put(instanceOf('a', 'a-1'));
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`, `cluster -${a}`, `cluster +${a}`]);
    });

    it('D5 is silent after an unsubscribe, also of an unknown name', () => {
      const mesh = meshWith('a');
      const client = delta(mesh);
      client.subscribe('endpoint', [a]);
      client.unsubscribe('endpoint', a, 'never asked for');
      client.takeLog();
      mesh.put(instanceOf('a', 'a-2'));
      expect(client.takeLog()).to.deep.equal([]);
    });

    it('D6 answers an unsubscribe of a name that the wildcard still covers', () => {
      const client = delta(meshWith('a'));
      client.subscribe('cluster', ['*', a, b]);
      client.takeLog();
      client.unsubscribe('cluster', a, b);
      expect(client.takeLog()).to.deep.equal([`cluster +${a} -${b}`]);
    });

    it('D7 sends again what is held already and asked for again', () => {
      const client = delta(meshWith('a'));
      client.subscribe('endpoint', [a]);
      client.subscribe('endpoint', [a]);
      expect(client.takeLog()).to.deep.equal([`endpoint +${a}`, `endpoint +${a}`]);
    });

    it('D8 leaves out what the client has, sends what changed, removes what vanished', () => {
      const mesh = meshWith('a', 'b');
      const version = mesh.cache.resource('type.googleapis.com/envoy.config.cluster.v3.Cluster', a)?.version ?? '';
      const client = delta(mesh);
      client.subscribe('cluster', [], { [a]: version, [b]: 'another', [c]: 'gone' });
      expect(client.takeLog()).to.deep.equal([`cluster +${b}`, `cluster -${c}`]);
    });

    it('D9 honours names that come with a stale nonce', () => {
      const client = delta(meshWith('a', 'b'));
      client.subscribe('endpoint', [a]);
      client.takeLog();
      client.request('endpoint', { subscribe: [b], nonce: 'stale' });
      expect(client.takeLog()).to.deep.equal([`endpoint +${b}`]);
    });

    it('D10 takes a refusal per nonce and does not send the same again', () => {
      const mesh = meshWith('a');
      const client = delta(mesh);
      client.isPrompt = false;
      client.subscribe('cluster', []);
      client.nack('cluster');
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`]);
      expect(client.effects.filter(({ is }) => is === 'refused')).to.have.lengthOf(1);
    });

    it('D11 keeps a legacy wildcard beside names, until it is dropped', () => {
      const mesh = meshWith('a', 'b');
      const client = delta(mesh);
      client.subscribe('cluster', []);
      client.subscribe('cluster', [a]);
      mesh.put(instanceOf('c', 'c-1'));
      expect(client.holds('cluster')).to.have.members([a, b, c]);
      client.unsubscribe('cluster', '*');
      client.takeLog();
      mesh.remove('b', 'b-1');
      mesh.remove('a', 'a-1');
      expect(client.takeLog()).to.deep.equal([`cluster -${a}`]);
    });

    it('D13 sends the endpoints of a changed cluster again, also when they are asked for after it', () => {
      const policy = `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: a }
spec: { service: a, loadBalancer: { policy: least-request } }
`;
      const mesh = meshWith('a', 'b');
      const client = delta(mesh);
      client.subscribe('cluster', []);
      client.subscribe('endpoint', [a, b]);
      client.takeLog();
      mesh.apply(policy);
      expect(client.takeLog()).to.deep.equal([`cluster +${a}`, `endpoint +${a}`]);
    });

    it('O3 removes last: routes first let go of what is taken away', () => {
      const mesh = meshWith('a');
      mesh.apply(route('a', 'v1'));
      const client = delta(mesh);
      client.subscribe('cluster', []);
      client.subscribe('endpoint', [a, `${a}v1`]);
      client.subscribe('routeConfiguration', [routes]);
      client.takeLog();
      mesh.apply(route('a', 'v2'));
      expect(client.takeLog()).to.deep.equal([
        `cluster +${a}v2`,
        `routeConfiguration +${routes}`,
        `endpoint -${a}v1`,
        `cluster -${a}v1`,
      ]);
    });

    it('sends a client that does not answer a bounded number of responses', () => {
      const mesh = meshWith('a');
      const client = delta(mesh);
      client.isPrompt = false;
      client.subscribe('endpoint', [a]);
      for (let id = 2; id < 50; id++) mesh.put(instanceOf('a', `a-${id}`));
      expect(client.takeLog().length).to.be.at.most(8);
    });
  });
});
