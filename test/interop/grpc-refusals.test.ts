/**
 * What gRPC libraries refuse, by their own checks: named with node, type, resource, reason and revision wherever operators look.
 * A proxy makes it of what the control plane sends.
 */
import { expect } from 'chai';
import { typeUrls } from '../../proto/type-urls.ts';
import { grpcCore, grpcJs, isInstalled } from '../support/grpc/grpc-client.ts';
import { callUntil, type GrpcMesh, peersOf, policyOf, routeOf, say, startGrpcMesh } from '../support/grpc/grpc-mesh.ts';
import { SpoilingProxy } from '../support/grpc/spoiling-proxy.ts';

const only = (version: string) => routeOf(`{ backends: [ { subset: ${version} } ] }`);

for (const library of [grpcJs, grpcCore]) {
  describe(`what ${library.name} refuses`, () => {
    let world: GrpcMesh;
    let proxy: SpoilingProxy;

    before(function () {
      if (!isInstalled(library)) this.skip();
    });

    beforeEach(async () => {
      world = await startGrpcMesh(library, 'v1-1', 'v2-1');
      proxy = new SpoilingProxy(world.mesh.server.grpc);
    });

    afterEach(async () => {
      proxy.close();
      await world.close();
    });

    for (const { what, typeUrl, change, next, peer, resource, reason } of [
      {
        what: 'a route',
        typeUrl: typeUrls.routeConfiguration,
        change: only('v2'),
        next: routeOf('{ backends: [ { subset: v2 } ], timeout: 9s }'),
        peer: 'v2-1',
        resource: 'reviews.default:9080',
        reason: /num_retries/,
      },
      {
        what: 'a cluster',
        typeUrl: typeUrls.cluster,
        change: policyOf('connectionPool: { maxRequests: 7 }'),
        next: policyOf('connectionPool: { maxRequests: 8 }'),
        peer: 'v1-1',
        resource: 'reviews.default|grpc|v1',
        reason: /lb_?policy|LB policy/i,
      },
    ]) {
      it(`${what} is shown with who, which, why and since when; it goes on by what it had, and takes the next one`, async () => {
        await world.apply(only('v1'));
        const client = world.startClient('web-1', 'default', await proxy.listen());
        expect(peersOf(await client.calls({ ...say, times: 5 }))).to.deep.equal(['v1-1']);
        const events = await watchEvents(world);

        proxy.spoils = typeUrl;
        const { revision, rollout } = await world.apply(change);
        expect(rollout.rejected.map(({ id }) => id)).to.deep.equal(['web-1']);
        expect(rollout.rejected[0]?.reason).to.match(reason);

        const { body: agent } = await world.mesh.call<Shown>('GET', '/agents/web-1');
        expect(agent.state).to.equal('rejected');
        expect(agent.nack?.revision).to.equal(revision);
        expect(agent.nack?.message).to.match(reason);
        expect(agent.nack?.resources.map(({ name }) => name)).to.include(resource);
        expect(agent.nack?.resources.map((each) => each.typeUrl)).to.include(typeUrl);
        const metrics = await (await fetch(`http://${world.mesh.server.http}/metrics`)).text();
        expect(metrics).to.match(/^sluice_xds_refusals_total\{client="[^"]+",type="\w+"\} [1-9]/m);
        await events.until(/"id":"web-1".*"state":"rejected"|"state":"rejected".*"id":"web-1"/);
        events.close();
        expect(peersOf(await client.calls({ ...say, times: 5 }))).to.deep.equal(['v1-1']);

        proxy.spoils = undefined;
        expect((await world.apply(next)).rollout).to.deep.include({ rejected: [], applied: 1 });
        await callUntil(client, { ...say, times: 5 }, (outcome) => peersOf(outcome).join() === peer);
        expect((await world.mesh.agent('web-1')).state).to.equal('accepted');
      });
    }
  });
}

interface Shown {
  readonly state: string;
  readonly nack: {
    readonly revision: number;
    readonly message: string;
    readonly resources: readonly { readonly typeUrl: string; readonly name: string; readonly reason: string }[];
  } | null;
}

/** The stream of events from now on. */
async function watchEvents({ mesh }: GrpcMesh) {
  const end = new AbortController();
  const { body } = await fetch(`http://${mesh.server.http}/api/v1/events`, { signal: end.signal });
  if (body === null) throw new Error('no events');
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let seen = '';
  return {
    /** Resolves when it has come. */
    async until(pattern: RegExp): Promise<void> {
      while (!pattern.test(seen)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`the events ended without ${pattern}: ${seen}`);
        seen += value;
      }
    },
    close: () => end.abort(),
  };
}
