/** Client status (CSDS) over real connections: what a tool sees of an own agent and of a client that is not ours. */
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { Input } from '../../proto/load.ts';
import { aggregatedDiscoveryClient, clientStatusServer } from '../../proto/services.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import {
  type ClientConfig,
  ClientResourceStatus,
  ClientStatusRequest,
  ClientStatusResponse,
  DiscoveryRequest,
  type DiscoveryResponse,
} from '../../proto/types.ts';
import { askOnce, GrpcStream } from '../support/grpc-stream.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

const sotw = aggregatedDiscoveryClient.streamAggregatedResources;
const reviews = 'reviews.default|http|';
const decode = (bytes: Buffer) => ClientStatusResponse.decode(bytes);

describe('client status', () => {
  let mesh: Mesh;
  let tool: GrpcStream<ClientStatusResponse>;
  let client: GrpcStream<DiscoveryResponse>;

  const ask = async (question: Input<ClientStatusRequest>) => {
    tool.write(ClientStatusRequest.encode(question));
    return (await tool.answer()).config;
  };
  const of = (id: string) => ({ nodeMatchers: [{ nodeId: { exact: id } }] });
  const statusOf = (config: ClientConfig | undefined, name: string) =>
    config?.genericXdsConfigs.find((resource) => resource.name === name);
  const request = (message: Input<DiscoveryRequest>) =>
    client.write(DiscoveryRequest.encode({ node: { id: 'envoy-1', userAgentName: 'envoy' }, ...message }));
  /** Asks until the resource has this status: a verdict is on its way. */
  const until = async (wanted: number) => {
    for (;;) {
      const [config] = await ask(of('envoy-1'));
      const found = statusOf(config, reviews);
      if (found?.clientStatus === wanted) return found;
    }
  };

  beforeEach(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    tool = new GrpcStream(mesh.server.grpc, clientStatusServer.streamClientStatus.path, decode);
    client = new GrpcStream(mesh.server.grpc, sotw.path, sotw.responseDeserialize);
  });

  afterEach(() => {
    tool.cancel();
    client.cancel();
    return mesh.close();
  });

  it('says what a client was sent, and whether it took or refused it and why', async () => {
    const typeUrl = typeUrls.endpoint;
    request({ typeUrl, resourceNames: [reviews, 'absent.default|http|'] });
    const { versionInfo, nonce } = await client.answer();
    const names = { typeUrl, resourceNames: [reviews, 'absent.default|http|'] };
    await until(ClientResourceStatus.REQUESTED);
    request({ ...names, versionInfo, responseNonce: nonce });
    const acked = await until(ClientResourceStatus.ACKED);
    expect(acked).to.deep.include({ typeUrl, errorState: null });
    expect(acked.versionInfo).to.match(/^[0-9a-f]{16}$/);
    expect(acked.xdsConfig?.type_url).to.equal(typeUrl);
    expect(statusOf((await ask(of('envoy-1')))[0], 'absent.default|http|')).to.deep.include({ versionInfo: '' });

    await mesh.startInstance('reviews', 'v2');
    const next = await client.answer();
    request({ ...names, versionInfo, responseNonce: next.nonce, errorDetail: { message: 'cannot be' } });
    const nacked = await until(ClientResourceStatus.NACKED);
    expect(nacked.errorState?.details).to.equal('cannot be');
    expect(nacked.errorState?.versionInfo).to.not.equal(acked.versionInfo);
  });

  it('says what an own agent holds', async () => {
    const caller = await mesh.startCaller('web', 'web-1');
    expect((await caller.get('reviews')).status).to.equal(200);
    const [config, ...others] = await ask({ ...of('web-1'), excludeResourceContents: true });
    expect(others).to.deep.equal([]);
    expect(config?.node).to.deep.include({ id: 'web-1', cluster: 'web', userAgentName: 'sluice' });
    expect(config?.genericXdsConfigs.map(({ name }) => name)).to.have.members([
      reviews,
      reviews,
      'reviews.default',
      'reviews.default:80',
    ]);
    const statuses = new Set(config?.genericXdsConfigs.map(({ clientStatus }) => clientStatus));
    expect([...statuses]).to.deep.equal([ClientResourceStatus.ACKED]);
  });

  it('answers a single question too, and a question that cannot be answered with a sentence', async () => {
    const { path } = clientStatusServer.fetchClientStatus;
    const all = await askOnce(mesh.server.grpc, path, { bytes: Buffer.alloc(0), decode });
    expect('config' in all && all.config.map(({ node }) => node?.id)).to.include('reviews-v1');
    const bytes = ClientStatusRequest.encode({ nodeMatchers: [{ nodeMetadatas: [{}] }] });
    expect(await askOnce(mesh.server.grpc, path, { bytes, decode })).to.deep.equal({
      code: status.UNIMPLEMENTED,
      details: 'node_matchers[0].node_metadatas is not supported: match by node_id',
    });
    const garbage = Buffer.from([10, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
    expect(await askOnce(mesh.server.grpc, path, { bytes: garbage, decode })).to.deep.include({
      code: status.INVALID_ARGUMENT,
    });
    tool.write(garbage);
    expect((await tool.ended).code).to.equal(status.INVALID_ARGUMENT);
  });

  it('counts no question whose answer has been taken', async () => {
    const { path } = clientStatusServer.fetchClientStatus;
    for (let count = 0; count < 40; count++) {
      const all = await askOnce(mesh.server.grpc, path, { bytes: Buffer.alloc(0), decode });
      expect('config' in all, `question ${count}`).to.equal(true);
      expect(await ask(of('nobody'))).to.deep.equal([]);
    }
  });
});
