/** Who counts in a wait, and how a wait ends (design: "Applied means applied"). */

import { Client, credentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, Revision } from '../../proto/types.ts';
import { type Mesh, route, startMesh } from '../support/start-mesh.ts';

/** An agent that takes everything and acknowledges nothing, or refuses everything, as `verdict` says. */
function stubbornAgent(mesh: Mesh, id: string, verdict: 'silent' | 'refuses'): { close(): void; ready: Promise<void> } {
  const channel = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new Client(mesh.server.grpc, credentials.createInsecure(), channel);
  const { path, requestSerialize, responseDeserialize } = aggregatedDiscoveryClient.deltaAggregatedResources;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const send = (message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]) =>
    stream.write(DeltaDiscoveryRequest.decode(DeltaDiscoveryRequest.encode(message)));
  stream.on('error', () => {});
  const ready = new Promise<void>((resolve) => {
    stream.on('data', ({ typeUrl, nonce, resources }) => {
      if (typeUrl !== typeUrls.mark) return;
      const { sequence } = Revision.decode(resources[0]?.resource?.value ?? Buffer.alloc(0));
      if (Number(sequence) === 1) send({ typeUrl, responseNonce: nonce });
      else if (verdict === 'refuses') {
        send({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message: 'will not have it' } });
      }
      resolve();
    });
  });
  send({ node: { id, userAgentName: 'sluice' }, typeUrl: typeUrls.cluster });
  send({ typeUrl: typeUrls.name, resourceNamesSubscribe: ['reviews.default'] });
  send({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] });
  return { close: () => client.close(), ready };
}

describe('apply with wait', () => {
  let mesh: Mesh;
  const weights = { v1: 1, v2: 1 };

  beforeEach(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    await mesh.startInstance('reviews', 'v2');
  });

  afterEach(() => mesh.close());

  it('ends at once and says so when no agent holds what the revision changes', async () => {
    const { status, body } = await mesh.apply(route('reviews', weights), 'wait=30s');
    expect({ status, rollout: body.rollout }).to.deep.equal({
      status: 200,
      rollout: {
        revision: 1,
        phase: 'complete',
        retired: 0,
        agents: 0,
        applied: 0,
        pending: [],
        rejected: [],
        gone: [],
      },
    });
  });

  it('counts each agent only if it holds something that the revision changes', async () => {
    const web = await mesh.startCaller('web', 'web-1');
    await mesh.startCaller('shop', 'shop-1');
    await web.get('reviews');
    const { body } = await mesh.apply(route('reviews', weights));
    expect(body.rollout).to.include({ agents: 1, applied: 1 });
  });

  it('names an agent that does not acknowledge, when the time is over; the apply is accepted all the same', async () => {
    const stubborn = stubbornAgent(mesh, 'stubborn', 'silent');
    await stubborn.ready;
    const { status, body } = await mesh.apply(route('reviews', weights), 'wait=1s');
    expect(status).to.equal(200);
    expect(body.rollout).to.deep.include({ agents: 1, applied: 0 });
    expect(body.rollout.pending.map(({ id }) => id)).to.deep.equal(['stubborn']);
    stubborn.close();
  });

  it('ends at once when an agent refuses, with the reason', async () => {
    const stubborn = stubbornAgent(mesh, 'stubborn', 'refuses');
    await stubborn.ready;
    const { body } = await mesh.apply(route('reviews', weights), 'wait=60s');
    expect(body.rollout.rejected).to.have.lengthOf(1);
    expect(body.rollout.rejected[0]?.reason).to.contain('will not have it');
    expect(await mesh.agent('stubborn')).to.include({ state: 'rejected' });
    stubborn.close();
  });

  it('counts an agent that is not connected as pending, not forgotten', async () => {
    const web = await mesh.startCaller();
    await web.get('reviews');
    await web.agent.close();
    const { body } = await mesh.apply(route('reviews', weights), 'wait=1s');
    expect(body.rollout).to.deep.include({ agents: 1, applied: 0 });
    expect(body.rollout.pending[0]?.reason).to.contain('not connected');
  });

  it('waits, when nothing changes, for the last revision of the resources, and makes no new one', async () => {
    const web = await mesh.startCaller();
    await web.get('reviews');
    await mesh.apply(route('reviews', weights));
    const { body } = await mesh.apply(route('reviews', weights));
    expect(body).to.deep.include({ revision: 1, changes: [] });
    expect(body.rollout).to.include({ agents: 1, applied: 1 });
  });
});
