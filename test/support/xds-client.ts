/** A delta client of xDS on a gRPC stream, which decodes nothing but what it needs to answer. */
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { toStruct } from '../../proto/struct.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';

type Request = Parameters<typeof DeltaDiscoveryRequest.encode>[0];

const { path, responseDeserialize } = aggregatedDiscoveryClient.deltaAggregatedResources;

/** Clusters and their endpoints have the same names. */
export function heldAs(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}

export class XdsClient {
  readonly stream: ClientDuplexStream<Buffer, DeltaDiscoveryResponse>;
  /** Versions of what it has, by `heldAs`. */
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

  /**
   * Asks for all clusters, and by these names for the other types, and answers all that comes. Endpoints, if they are among the
   * types, are those of the clusters that it has.
   */
  follow(id: string, types: readonly string[], names: readonly string[] = []): void {
    const hasEndpoints = types.includes(typeUrls.endpoint);
    this.stream.on('data', (response: DeltaDiscoveryResponse) => {
      const { typeUrl, resources, removedResources } = response;
      const added = resources.filter(({ name }) => !this.held.has(heldAs(typeUrl, name))).map(({ name }) => name);
      this.#take(response);
      if (!hasEndpoints || typeUrl !== typeUrls.cluster || added.length + removedResources.length === 0) return;
      for (const name of removedResources) this.held.delete(heldAs(typeUrls.endpoint, name));
      this.send({
        typeUrl: typeUrls.endpoint,
        resourceNamesSubscribe: added,
        resourceNamesUnsubscribe: removedResources,
      });
    });
    const node = { id, userAgentName: 'envoy' };
    for (const [index, typeUrl] of types.filter((type) => type !== typeUrls.endpoint).entries()) {
      const resourceNamesSubscribe = typeUrl === typeUrls.cluster ? ['*'] : names;
      this.send({ ...(index === 0 && { node }), typeUrl, resourceNamesSubscribe });
    }
  }

  /** As an own agent does that its applications ask for these names, and answers all that comes: what it holds is complete when it has a mark. */
  followAsAgent(id: string, names: readonly string[]): void {
    this.stream.on('data', (response) => this.#take(response));
    const metadata = toStruct({
      sluice: { namespace: 'default', service: 'test', app: false, meshId: '', revision: 0 },
    });
    this.send({ node: { id, userAgentName: 'sluice', metadata }, typeUrl: typeUrls.cluster });
    this.send({ typeUrl: typeUrls.name, resourceNamesSubscribe: names });
    this.send({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] });
  }

  #take({ typeUrl, nonce, resources, removedResources }: DeltaDiscoveryResponse): void {
    for (const { name, version } of resources) this.held.set(heldAs(typeUrl, name), version);
    for (const name of removedResources) this.held.delete(heldAs(typeUrl, name));
    this.send({ typeUrl, responseNonce: nonce });
    this.onResponse();
  }

  close(): void {
    this.stream.cancel();
  }
}
