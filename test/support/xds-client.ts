/** A delta client of xDS on a gRPC stream, which decodes nothing but what it needs to answer. */
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';

type Request = Parameters<typeof DeltaDiscoveryRequest.encode>[0];

const { path, responseDeserialize } = aggregatedDiscoveryClient.deltaAggregatedResources;

export class XdsClient {
  readonly stream: ClientDuplexStream<Buffer, DeltaDiscoveryResponse>;
  /** Versions of what it has, by name. */
  readonly held = new Map<string, string>();
  /** Resolves with the gRPC status and its sentence. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
  /** Called after each response. */
  onResponse = () => {};
  readonly #client: Client;

  /** `client`: a connection that others use as well. */
  constructor(address: string, client?: Client) {
    this.#client = client ?? new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.stream = this.#client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, responseDeserialize);
    this.stream.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.stream.on('status', ({ code, details }) => {
        if (client === undefined) this.#client.close();
        resolve({ code, details });
      });
    });
  }

  send(message: Request): void {
    this.sendRaw(DeltaDiscoveryRequest.encode(message));
  }

  sendRaw(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  /** Asks for everything of these types and answers all that comes. */
  follow(id: string, types: readonly string[], names: readonly string[] = []): void {
    this.stream.on('data', ({ typeUrl, nonce, resources, removedResources }) => {
      for (const { name, version } of resources) this.held.set(name, version);
      for (const name of removedResources) this.held.delete(name);
      this.send({ typeUrl, responseNonce: nonce });
      this.onResponse();
    });
    const node = { id, userAgentName: 'envoy' };
    for (const [index, typeUrl] of types.entries()) {
      const resourceNamesSubscribe = typeUrl === typeUrls.cluster ? ['*'] : names;
      this.send({ ...(index === 0 && { node }), typeUrl, resourceNamesSubscribe });
    }
  }

  close(): void {
    this.stream.cancel();
  }
}
