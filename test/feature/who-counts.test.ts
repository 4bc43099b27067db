/** Who counts in a wait, beyond the agents that are there and well: those that are away, have left, or are of another make. */
import { Client, credentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest } from '../../proto/types.ts';
import { type Mesh, route, startMesh } from '../support/start-mesh.ts';

/** A client of another make that asks for these clusters, and accepts what it gets unless told otherwise. */
function foreignClient(mesh: Mesh, id: string, { accepts = true } = {}) {
  const client = new Client(mesh.server.grpc, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const { path, requestSerialize, responseDeserialize } = aggregatedDiscoveryClient.deltaAggregatedResources;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const send = (message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]) =>
    stream.write(DeltaDiscoveryRequest.decode(DeltaDiscoveryRequest.encode(message)));
  let answers = 0;
  stream.on('error', () => {});
  const ready = new Promise<void>((resolve) => {
    stream.on('data', ({ typeUrl, nonce }) => {
      if (accepts || answers === 0) send({ typeUrl, responseNonce: nonce });
      answers++;
      resolve();
    });
  });
  const names = ['reviews.default:80'];
  send({ node: { id, userAgentName: 'envoy' }, typeUrl: typeUrls.routeConfiguration, resourceNamesSubscribe: names });
  const close = () => {
    stream.cancel();
    client.close();
  };
  return { ready, close };
}

describe('who counts in a wait', () => {
  let mesh: Mesh;
  const closing: { close(): void }[] = [];
  const split = (v2: number) => mesh.apply(route('reviews', { v1: 1, v2 }), 'wait=10s');
  /** For those who will not answer. */
  const splitBriefly = (v2: number) => mesh.apply(route('reviews', { v1: 1, v2 }), 'wait=100ms');

  beforeEach(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    await mesh.startInstance('reviews', 'v2');
  });

  afterEach(async () => {
    for (const each of closing.splice(0)) each.close();
    await mesh.close();
  });

  const foreign = async (id: string, options = {}) => {
    const client = foreignClient(mesh, id, options);
    closing.push(client);
    await client.ready;
    return client;
  };

  it('a connected foreign node that holds what changes: it counts when it has accepted it', async () => {
    await foreign('envoy-1');
    expect((await split(1)).body.rollout).to.deep.include({ agents: 1, applied: 1 });
  });

  it('a connected foreign node that does not answer is named', async () => {
    await foreign('envoy-1', { accepts: false });
    expect((await splitBriefly(1)).body.rollout.pending.map(({ id }) => id)).to.deep.equal(['envoy-1']);
  });

  it('a foreign node that is gone does not: nobody knows whether it comes back', async () => {
    const client = await foreign('envoy-1');
    client.close();
    await mesh.until(async () => (await mesh.agent('envoy-1')).state === undefined);
    expect((await splitBriefly(1)).body.rollout).to.deep.include({ agents: 0, pending: [] });
  });

  it('an agent without application, which is away, by the names that it asked for', async () => {
    const web = await mesh.startCaller('web', 'web-1');
    await web.get('reviews');
    await web.agent.close();
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'disconnected');
    expect((await splitBriefly(1)).body.rollout.pending.map(({ id }) => id)).to.deep.equal(['web-1']);
    const { body } = await mesh.apply(
      route('other', { v1: 1 }, '').replace('} ] }', '} ], allowEmpty: true }'),
      'wait=100ms',
    );
    expect(body.rollout).to.deep.include({ agents: 0 });
  });

  it('an agent that is away counts after a restart of the server too, and an identical apply waits for it', async () => {
    const web = await mesh.startCaller('web', 'web-1');
    await web.get('reviews');
    await split(1);
    await web.agent.close();
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'disconnected');
    await splitBriefly(2);
    await mesh.restartServer();
    const { body } = await splitBriefly(2);
    expect(body).to.deep.include({ revision: 2, changes: [] });
    expect(body.rollout).to.deep.include({ agents: 1, applied: 0 });
    expect(body.rollout.pending.map(({ id }) => id)).to.deep.equal(['web-1']);
    await mesh.startCaller('web', 'web-1');
    expect((await split(2)).body.rollout).to.deep.include({ agents: 1, applied: 1 });
  });

  it('not an agent that has drained and ended: it has said goodbye', async () => {
    const web = await mesh.startCaller('web', 'web-1');
    await web.get('reviews');
    await web.agent.drain();
    await web.agent.close();
    await mesh.until(async () => (await mesh.agent('web-1')).state === undefined);
    expect((await splitBriefly(1)).body.rollout).to.deep.include({ agents: 0 });
  });

  it('an agent whose alias moves away from what it asked for, though it is away', async () => {
    const service = (name: string, aliases: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${name} }
spec: { aliases: [ ${aliases} ] }
---`;
    await mesh.apply(service('reviews', 'stars.example'));
    const web = await mesh.startCaller('web', 'web-1');
    await web.get('stars.example');
    await web.agent.close();
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'disconnected');
    const { body } = await mesh.apply(service('reviews', ''), 'wait=100ms');
    expect(body.rollout.pending.map(({ id }) => id)).to.deep.equal(['web-1']);
  });
});
