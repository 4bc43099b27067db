/** What a revision takes away, as clients see it that have a stream for each type. */
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { aggregatedDiscoveryClient, typedDiscoveryServers } from '../../proto/services.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

/** One type of one client, which answers only when it is told to. */
class TypedStream {
  readonly held = new Set<string>();
  readonly #typeUrl: string;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, DeltaDiscoveryResponse>;
  #unanswered: string[] = [];
  #onResponse = () => {};

  constructor(mesh: Mesh, typeUrl: string, names: readonly string[], userAgentName: string) {
    this.#typeUrl = typeUrl;
    this.#client = new Client(mesh.server.grpc, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    const path = typedDiscoveryServers.find(([type]) => type === typeUrl)?.[1].delta.path ?? '';
    const decode = aggregatedDiscoveryClient.deltaAggregatedResources.responseDeserialize;
    this.#stream = this.#client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, decode);
    this.#stream.on('error', () => {});
    this.#stream.on('data', ({ nonce, resources, removedResources }) => {
      for (const { name } of resources) this.held.add(name);
      for (const name of removedResources) this.held.delete(name);
      this.#unanswered.push(nonce);
      this.#onResponse();
    });
    this.#send({ node: { id: 'typed-1', userAgentName }, resourceNamesSubscribe: names });
  }

  answer(): void {
    for (const responseNonce of this.#unanswered.splice(0)) this.#send({ responseNonce });
  }

  /** Resolves when something has come that was not answered. */
  async response(): Promise<void> {
    if (this.#unanswered.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#onResponse = resolve;
    });
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #send(message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]): void {
    this.#stream.write(DeltaDiscoveryRequest.encode({ typeUrl: this.#typeUrl, ...message }));
  }
}

const split = (...subsets: string[]) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ { backends: [ ${subsets.map((subset) => `{ subset: ${subset} }`).join()} ] } ] }
`;
const v2 = 'reviews.default|http|v2';

interface Rollout {
  readonly phase: string;
  readonly retired: number;
  readonly pending: readonly { readonly id: string }[];
}

for (const { client, userAgent, asked } of [
  { client: 'a gRPC client', userAgent: 'gRPC typed', asked: ['reviews.default|http|v1', v2] },
  { client: 'an Envoy', userAgent: 'envoy', asked: [] },
])
  describe(`a subset that a revision takes away from ${client}`, () => {
    let mesh: Mesh;
    let clusters: TypedStream;
    let routes: TypedStream;

    const rollout = async (revision: number) =>
      (await mesh.call<Rollout>('GET', `/revisions/${revision}/rollout`)).body;

    beforeEach(async () => {
      mesh = await startMesh();
      await mesh.apply(split('v1', 'v2'));
      clusters = new TypedStream(mesh, typeUrls.cluster, asked, userAgent);
      routes = new TypedStream(mesh, typeUrls.routeConfiguration, ['reviews.default:80'], userAgent);
      // Its routes come when it has taken the clusters.
      await clusters.response();
      clusters.answer();
      await routes.response();
      routes.answer();
    });

    afterEach(() => {
      clusters.close();
      routes.close();
      return mesh.close();
    });

    it('is there until the routes without it are taken, though they travel on another stream', async () => {
      await mesh.apply(split('v1'), '');
      await routes.response();
      expect(await rollout(2)).to.deep.include({ phase: 'applying', retired: 1 });
      expect((await rollout(2)).pending.map(({ id }) => id)).to.deep.equal(['typed-1']);
      expect(clusters.held.has(v2)).to.equal(true);
      routes.answer();
      await clusters.response();
      expect(clusters.held.has(v2)).to.equal(false);
      expect(await rollout(2)).to.deep.include({ phase: 'complete', retired: 0, pending: [] });
    });

    it('is not taken away by another revision, which concerns nobody', async () => {
      await mesh.apply(split('v1'), '');
      await routes.response();
      await mesh.apply(split('v1', 'v2').replaceAll('reviews', 'ratings'), '');
      await mesh.apply(split('v1').replaceAll('reviews', 'ratings'), '');
      expect((await rollout(4)).phase).to.equal('complete');
      expect(await rollout(2)).to.deep.include({ phase: 'applying', retired: 1 });
      expect(clusters.held.has(v2)).to.equal(true);
      routes.answer();
      await mesh.until(async () => !clusters.held.has(v2));
    });

    it('is not taken away at all when another revision brings it back meanwhile', async () => {
      await mesh.apply(split('v1'), '');
      await routes.response();
      await mesh.apply(split('v1', 'v2'), '');
      routes.answer();
      await routes.response();
      routes.answer();
      await mesh.until(async () => (await rollout(3)).phase === 'complete');
      expect(clusters.held.has(v2)).to.equal(true);
    });
  });
