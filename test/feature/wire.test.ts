/** What comes over the wire that no agent of ours would send, and how streams end. */
import { Client, type ClientDuplexStream, credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { agentService, aggregatedDiscoveryClient, typedDiscoveryServers } from '../../proto/services.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';
import { type Mesh, route, startMesh } from '../support/start-mesh.ts';

type Stream = ClientDuplexStream<Buffer, DeltaDiscoveryResponse>;

/** A stream on which any bytes can be sent. */
function openRaw(mesh: Mesh, path: string): { stream: Stream; ended: Promise<{ code: number; details: string }> } {
  const client = new Client(mesh.server.grpc, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const decode = aggregatedDiscoveryClient.deltaAggregatedResources.responseDeserialize;
  const stream = client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, decode);
  const ended = new Promise<{ code: number; details: string }>((resolve) => {
    stream.on('error', () => {});
    stream.on('status', ({ code, details }) => {
      client.close();
      resolve({ code, details });
    });
  });
  return { stream, ended };
}

const delta = aggregatedDiscoveryClient.deltaAggregatedResources.path;
const sotw = aggregatedDiscoveryClient.streamAggregatedResources.path;
const agents = agentService.connect.path;
const request = (message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]) => DeltaDiscoveryRequest.encode(message);
const node = { id: 'stranger', userAgentName: 'sluice' };
/** A message in this field that is longer than all there is. */
const garbage = (field: number) => Buffer.from([(field << 3) | 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);

describe('on the wire', () => {
  let mesh: Mesh;

  beforeEach(async () => {
    mesh = await startMesh();
  });

  afterEach(() => mesh.close());

  for (const { name, path, bytes, code } of [
    {
      name: 'S19 a first message without a node',
      path: delta,
      bytes: request({ typeUrl: typeUrls.name }),
      code: status.INVALID_ARGUMENT,
    },
    {
      name: 'S19 a node without an id',
      path: delta,
      bytes: request({ node: { id: '' }, typeUrl: typeUrls.name }),
      code: status.INVALID_ARGUMENT,
    },
    {
      name: 'an id of a megabyte',
      path: delta,
      bytes: request({ node: { id: 'x'.repeat(1e6) }, typeUrl: typeUrls.name }),
      code: status.INVALID_ARGUMENT,
    },
    { name: 'S19 a request without a type', path: delta, bytes: request({ node }), code: status.INVALID_ARGUMENT },
    {
      name: 'too many names',
      path: delta,
      bytes: request({
        node,
        typeUrl: typeUrls.name,
        resourceNamesSubscribe: Array.from({ length: 20_001 }, (_, i) => `n${i}.default`),
      }),
      code: status.INVALID_ARGUMENT,
    },
    { name: 'bytes that are no message, in delta', path: delta, bytes: garbage(1), code: status.INVALID_ARGUMENT },
    {
      name: 'bytes that are no message, in state of the world',
      path: sotw,
      bytes: garbage(2),
      code: status.INVALID_ARGUMENT,
    },
    { name: 'bytes that are no message, of an agent', path: agents, bytes: garbage(1), code: status.INVALID_ARGUMENT },
    {
      name: 'a first message of an agent that is no hello',
      path: agents,
      bytes: Buffer.alloc(0),
      code: status.INVALID_ARGUMENT,
    },
  ]) {
    it(`${name} ends the stream with ${status[code]} and a sentence, and nothing else`, async () => {
      const { stream, ended } = openRaw(mesh, path);
      stream.write(bytes);
      const ending = await ended;
      expect(status[ending.code]).to.equal(status[code]);
      expect(ending.details).to.match(/\w+ \w+/);
      expect((await mesh.call('GET', '/agents')).status).to.equal(200);
      const metrics = await (await fetch(`http://${mesh.server.http}/metrics`)).text();
      expect(metrics).to.contain(`sluice_grpc_ended_streams_total{code="${status[code]}"} 1`);
    });
  }

  it('S16 a node is said once: a type that nobody knows is never answered, and the stream goes on', async () => {
    const { stream, ended } = openRaw(mesh, delta);
    const types = new Promise<string>((resolve) => stream.on('data', ({ typeUrl }) => resolve(typeUrl)));
    stream.write(request({ node, typeUrl: 'type.googleapis.com/no.such.Type', resourceNamesSubscribe: ['a'] }));
    stream.write(request({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    expect(await types).to.equal(typeUrls.mark);
    stream.cancel();
    await ended;
  });

  for (const [typeUrl, service] of typedDiscoveryServers) {
    const subject = typeUrl.slice(typeUrl.lastIndexOf('.') + 1);

    it(`the service of ${subject} alone answers requests that do not name the type, and no other type`, async () => {
      const { stream, ended } = openRaw(mesh, service.delta.path);
      stream.on('data', () => {});
      const answer = new Promise<DeltaDiscoveryResponse>((resolve) => stream.once('data', resolve));
      stream.write(request({ node: { id: 'envoy-1', userAgentName: 'envoy' }, resourceNamesSubscribe: ['absent'] }));
      const { typeUrl: answered, removedResources } = await answer;
      expect({ answered, removedResources }).to.deep.equal({ answered: typeUrl, removedResources: ['absent'] });
      stream.write(request({ typeUrl: typeUrls.mark, resourceNamesSubscribe: ['mesh'] }));
      const { code, details } = await ended;
      expect(status[code]).to.equal('INVALID_ARGUMENT');
      expect(details).to.contain(typeUrl);
    });
  }

  it('metadata that is no map of ours, or nested deep, is passed over', async () => {
    let value: object = { stringValue: 'x' };
    for (let depth = 0; depth < 20; depth++) value = { structValue: { fields: { sluice: value } } };
    const { stream, ended } = openRaw(mesh, delta);
    const first = new Promise((resolve) => stream.once('data', resolve));
    stream.write(request({ node: { ...node, metadata: { fields: { sluice: value } } }, typeUrl: typeUrls.name }));
    stream.write(request({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    await first;
    stream.cancel();
    await ended;
  });

  it('R1 a client that never answers is sent one batch and no more, however much changes', async () => {
    await mesh.startInstance('reviews', 'v1');
    const { stream, ended } = openRaw(mesh, delta);
    let responses = 0;
    const first = new Promise<void>((resolve) => {
      stream.on('data', ({ typeUrl }) => {
        responses++;
        if (typeUrl === typeUrls.mark) resolve();
      });
    });
    stream.write(request({ node, typeUrl: typeUrls.name, resourceNamesSubscribe: ['reviews.default'] }));
    stream.write(request({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    await first;
    const afterFirst = responses;
    for (let weight = 1; weight < 30; weight++) await mesh.apply(route('reviews', { v1: weight }), 'message=x');
    expect(responses).to.equal(afterFirst);
    stream.cancel();
    await ended;
  });

  it('R3 a server that shuts down ends its streams with OK', async () => {
    const { stream, ended } = openRaw(mesh, delta);
    const first = new Promise((resolve) => stream.once('data', resolve));
    stream.write(request({ node, typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    await first;
    await mesh.restartServer();
    expect((await ended).code).to.equal(status.OK);
  });

  it('a server that shuts down says so at /readyz while its streams end', async () => {
    const { stream, ended } = openRaw(mesh, delta);
    const first = new Promise((resolve) => stream.once('data', resolve));
    stream.write(request({ node, typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    await first;
    const closing = mesh.server.close();
    const response = await fetch(`http://${mesh.server.http}/readyz`);
    expect([response.status, await response.json()]).to.deep.include(503);
    await Promise.all([closing, ended]);
    await mesh.startServer();
  });

  it('forgets a stream that is gone', async () => {
    const { stream, ended } = openRaw(mesh, delta);
    const first = new Promise((resolve) => stream.once('data', resolve));
    stream.write(request({ node, typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
    await first;
    expect((await mesh.call<{ items: unknown[] }>('GET', '/agents')).body.items).to.have.lengthOf(1);
    stream.cancel();
    await ended;
    await mesh.until(async () => (await mesh.call<{ items: unknown[] }>('GET', '/agents')).body.items.length === 0);
  });
});
