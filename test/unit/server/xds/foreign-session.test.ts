/** The codes are those of the protocol's test checklist: S for state of the world, D for delta, O for ordering. */

import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import type { SnapshotChange } from '../../../../server/snapshot/snapshot-cache.ts';
import { FakeClient } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const route = (service: string, subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { subset: ${subset} } ] } ] }
`;

const policy = (service: string, loadBalancer: string) => `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: ${service} }
spec: { service: ${service}, loadBalancer: { policy: ${loadBalancer} } }
---
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
  describe('as an operator sees it', () => {
    for (const protocol of ['sotw', 'delta'] as const) {
      const seen = ({ session }: FakeClient) =>
        [...session.resources()].map(({ name, state, refused }) => [name, state, refused?.message ?? '']).sort();

      it(`says of each resource whether it was taken (${protocol})`, () => {
        const client = new FakeClient(meshWith('a'), protocol);
        client.isPrompt = false;
        client.ask('endpoint', a, b);
        expect(seen(client)).to.deep.equal([
          [a, 'sent', ''],
          [b, 'requested', ''],
        ]);
        client.ack('endpoint');
        expect(seen(client)[0]).to.deep.equal([a, 'acked', '']);
      });

      it(`says what the client refuses and why, until it is sent anew (${protocol})`, () => {
        const mesh = meshWith('a', 'b');
        const client = new FakeClient(mesh, protocol);
        client.ask('endpoint', a, b);
        client.isPrompt = false;
        mesh.put(instanceOf('a', 'a-2'));
        client.nack('endpoint');
        expect(seen(client)).to.deep.equal([
          [a, 'nacked', 'no such endpoint'],
          [b, 'acked', ''],
        ]);
        client.isPrompt = true;
        mesh.put(instanceOf('a', 'a-3'));
        expect(seen(client)[0]).to.deep.equal([a, 'acked', '']);
      });
    }
  });

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

    it('names what it refused, by its message, and serves the last good version of it beside what changes', () => {
      const mesh = meshWith('a', 'b');
      const client = sotw(mesh);
      client.want('cluster', '*');
      const good = client.held.get(`cluster ${a}`);
      client.isPrompt = false;
      mesh.apply(policy('a', 'random') + policy('b', 'random'));
      client.nack('cluster', { error: { message: `Error adding/updating cluster(s) ${a}: no`, resources: [] } });
      expect(client.effects.find(({ is }) => is === 'refused')).to.deep.include({
        resources: [{ typeUrl: typeUrls.cluster, name: a, reason: `Error adding/updating cluster(s) ${a}: no` }],
      });
      mesh.put(instanceOf('c', 'c-1'));
      client.ack('cluster');
      expect(client.holds('cluster').sort()).to.deep.equal([a, b, c]);
      expect(client.held.get(`cluster ${a}`)).to.equal(good);
      mesh.apply(policy('a', 'maglev'));
      expect(client.held.get(`cluster ${a}`)).to.not.equal(good);
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
      const version = mesh.view.resource('type.googleapis.com/envoy.config.cluster.v3.Cluster', a)?.version ?? '';
      const client = delta(mesh);
      client.subscribe('cluster', [], { [a]: version, [b]: 'another', [c]: 'gone' });
      expect(client.takeLog()).to.deep.equal([`cluster +${b}`]);
      // It may have routes to what is gone.
      client.subscribe('routeConfiguration', [routes]);
      expect(client.takeLog()).to.deep.equal([`routeConfiguration +${routes}`, `cluster -${c}`]);
    });

    for (const { name, message, again } of [
      {
        name: 'that names nothing ends for all that it may have meant when one of them changes: that may be the repair',
        message: 'no',
        again: 'routeConfiguration +a.default:80 +b.default:80',
      },
      {
        name: 'that names resources ends for each by itself',
        message: 'a.default:80 and b.default:80: no',
        again: 'routeConfiguration +a.default:80',
      },
    ]) {
      it(`a refusal ${name}`, () => {
        const mesh = meshWith('a', 'b');
        const client = delta(mesh);
        client.subscribe('routeConfiguration', ['a.default:80', 'b.default:80']);
        client.isPrompt = false;
        mesh.apply(`${route('a', 'v1')}---${route('b', 'v1')}`);
        client.nack('routeConfiguration', { error: { message, resources: [] } });
        client.takeLog();
        client.isPrompt = true;
        mesh.apply(route('a', 'v2'));
        expect(client.takeLog()).to.deep.equal([again]);
      });
    }

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

    it('D12 divides what is more than a message may have, in parts that each follow the one before', () => {
      const mesh = new ModelMesh();
      const names = Array.from({ length: 40 }, (_, index) => `s${index}.default|http|`);
      for (const index of names.keys()) mesh.put(instanceOf(`s${index}`, 'i1', { zone: 'z'.repeat(200_000) }));
      const client = new FakeClient(mesh, 'delta');
      client.subscribe('endpoint', names);
      const sizes = client.responses.map(({ resources }) =>
        resources.reduce((sum, { bytes }) => sum + bytes.length, 0),
      );
      expect(sizes.length).to.be.above(1);
      expect(Math.max(...sizes)).to.be.below(3_500_000);
      expect(client.holds('endpoint')).to.have.lengthOf(names.length);
    });

    it('D14 has no name both among what is sent and what is removed, though it went and came back meanwhile', () => {
      const mesh = meshWith('a', 'b');
      const client = new FakeClient(mesh, 'delta');
      client.isPrompt = false;
      client.subscribe('cluster', ['*']);
      for (let i = 0; i < 8; i++) mesh.apply(policy('b', i % 2 === 0 ? 'random' : 'maglev'));
      mesh.remove('a', 'a-1');
      mesh.put(instanceOf('a', 'a-1'));
      mesh.apply(policy('a', 'random'));
      while (client.pending.length > 0) client.answer(0);
      expect(client.holds('cluster').sort()).to.deep.equal([a, b]);
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
      client.subscribe('endpoint', [`${a}v2`]);
      expect(client.takeLog()).to.deep.equal([
        `cluster +${a}v2`,
        `endpoint +${a}v2`,
        `routeConfiguration +${routes}`,
        `endpoint -${a}v1`,
        `cluster -${a}v1`,
      ]);
    });

    it('waits for the answer that is due longest: one that is given in time is never overdue', () => {
      const mesh = meshWith('a');
      const client = new FakeClient(mesh, 'delta');
      client.isPrompt = false;
      client.subscribe('cluster', ['*']);
      mesh.apply(policy('a', 'random'));
      const due = [client.session.waitsFor];
      client.answer(0);
      mesh.apply(policy('a', 'maglev'));
      due.push(client.session.waitsFor);
      while (client.pending.length > 0) client.answer(0);
      due.push(client.session.waitsFor);
      expect(due).to.deep.equal(['1', '2', undefined]);
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

  describe('reports what the client has applied', () => {
    const now = ({ cache: { revision, sequence } }: ModelMesh) => ({ revision, sequence });

    it('as far as it has answered, and all of it after the answer to the newest response', () => {
      const mesh = meshWith('a');
      const client = new FakeClient(mesh, 'sotw');
      client.isPrompt = false;
      client.want('endpoint', a);
      const first = now(mesh);
      mesh.put(instanceOf('a', 'a-2'));
      expect(client.applied).to.deep.equal([]);
      client.ack('endpoint');
      expect(client.applied).to.deep.equal([first]);
      client.ack('endpoint');
      expect(client.applied).to.deep.equal([first, now(mesh)]);
    });

    for (const protocol of ['sotw', 'delta'] as const) {
      it(`while changes never cease, so that there is always something without an answer (${protocol})`, () => {
        const mesh = meshWith('a', 'b');
        const client = new FakeClient(mesh, protocol);
        client.ask('endpoint', a, b);
        client.ask('routeConfiguration', routes);
        client.isPrompt = false;
        mesh.put(instanceOf('a', 'a-0'));
        mesh.apply(route('a', 'v1'));
        const { revision } = now(mesh);
        for (let n = 1; n < 10; n++) {
          mesh.put(instanceOf('b', `b-${n}`));
          mesh.put(instanceOf('a', `a-${n}`));
          client.answer(0);
        }
        expect(client.pending).to.have.length.above(0);
        expect(client.applied.at(-1)?.revision).to.equal(revision);
      });
    }

    it('refused is the revision of the refused response, not a newer one', () => {
      const mesh = meshWith('a');
      const client = new FakeClient(mesh, 'sotw');
      client.isPrompt = false;
      client.want('cluster');
      mesh.apply(route('a', 'v1'));
      client.nack('cluster');
      expect(client.effects.find(({ is }) => is === 'refused')).to.deep.include({ revision: 0 });
    });

    for (const protocol of ['sotw', 'delta'] as const) {
      it(`not while another type is refused (${protocol})`, () => {
        const mesh = meshWith('a');
        const client = new FakeClient(mesh, protocol);
        client.isPrompt = false;
        client.ask('cluster');
        client.ask('routeConfiguration', routes);
        client.nack('cluster');
        client.ack('routeConfiguration');
        expect(client.reports).to.deep.equal(['refused']);
        mesh.put(instanceOf('b', 'b-1'));
        client.ack('cluster');
        expect(client.reports).to.deep.equal(['refused', 'applied']);
        // In delta the refused cluster was not sent again: the client goes on without it.
        expect(client.effects.at(-1)).to.deep.include({ is: 'applied', isRefusing: protocol === 'delta' });
      });

      it(`once, when a change alters nothing that it has (${protocol})`, () => {
        const mesh = meshWith('a', 'b');
        const client = new FakeClient(mesh, protocol);
        client.ask('endpoint', a);
        client.effects.length = 0;
        mesh.apply(route('b', 'v1'));
        client.session.flush();
        expect(client.applied).to.deep.equal([now(mesh)]);
      });

      it(`not after a refusal that comes when it is overdue (${protocol})`, () => {
        const client = new FakeClient(meshWith('a'), protocol);
        client.isPrompt = false;
        client.ask('endpoint', a);
        client.overdue();
        client.nack('endpoint');
        client.isPrompt = true;
        client.ask('routeConfiguration', routes);
        expect(client.reports).to.deep.equal(['refused']);
      });
    }

    it('not while routes wait for clusters that it has dropped since', () => {
      const client = new FakeClient(meshWith('a'), 'delta');
      client.isPrompt = false;
      client.subscribe('cluster', [a]);
      client.subscribe('routeConfiguration', [routes]);
      client.unsubscribe('cluster', a);
      expect(client.applied).to.deep.equal([]);
    });

    it('with the word that it goes on without what it refused before', () => {
      const mesh = meshWith('a', 'b');
      const client = new FakeClient(mesh, 'sotw');
      client.isPrompt = false;
      client.want('endpoint', a, b);
      client.overdue();
      mesh.put(instanceOf('b', 'b-2'));
      client.answer(0, { message: 'no', resources: [] });
      client.answer(0);
      expect(client.reports).to.deep.equal(['refused', 'applied']);
      expect(client.effects.at(-1)).to.deep.include({ is: 'applied', isRefusing: true });
    });
  });

  it('counts names once, however often a client repeats them', () => {
    const names = Array.from({ length: 60_000 }, (_, index) => `s${index}.default|http|`);
    const client = new FakeClient(meshWith('a'), 'sotw');
    client.want('endpoint', ...names);
    client.want('endpoint', ...names);
    expect(client.effects.filter(({ is }) => is === 'close')).to.deep.equal([]);
    client.want('cluster', ...names);
    expect(client.effects.filter(({ is }) => is === 'close')).to.have.lengthOf(1);
  });

  it('does not touch the index when an answer repeats the names', () => {
    const client = new FakeClient(meshWith('a', 'b'), 'sotw');
    client.isPrompt = false;
    client.want('endpoint', a, b);
    client.interestCalls = 0;
    client.ack('endpoint');
    expect(client.interestCalls).to.equal(0);
  });

  it('is touched by a rule change of what it covers only', () => {
    const mesh = meshWith('a', 'b');
    const client = new FakeClient(mesh, 'delta');
    client.subscribe('routeConfiguration', [routes]);
    const touched: boolean[] = [];
    mesh.onChange((change: SnapshotChange) => touched.push(client.session.isTouchedBy(change)));
    mesh.apply(route('b', 'v1'));
    mesh.put(instanceOf('a', 'a-2'));
    mesh.apply(route('a', 'v1'));
    expect(touched).to.deep.equal([false, false, true]);
  });

  it('what was refused without a name and then taken with the whole set is taken away when it is gone', () => {
    const mesh = meshWith('a', 'b');
    const client = new FakeClient(mesh, 'sotw', false);
    client.isPrompt = false;
    client.ask('cluster', a);
    client.ask('cluster', '*');
    client.answer(0, { message: 'no', resources: [] });
    expect(client.takeLog()).to.deep.equal([`cluster +${a}`, `cluster +${a} +${b}`]);
    mesh.remove('a', 'a-1');
    client.isPrompt = true;
    client.answer(0);
    expect(client.holds('cluster')).to.deep.equal([b]);
  });
});
