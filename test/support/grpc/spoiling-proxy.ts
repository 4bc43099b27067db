/**
 * Stands between a gRPC client and the control plane, and makes of one resource what the client's library refuses: no rule can
 * bring about one that all of them refuse. Everything else passes as it is, the client's own refusal among it.
 */
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { aggregatedDiscoveryClient } from '../../../proto/services.ts';
import { typeUrls } from '../../../proto/type-urls.ts';
import { Cluster, ClusterLbPolicy, DiscoveryResponse, RouteConfiguration } from '../../../proto/types.ts';

type Stream = ServerDuplexStream<Buffer, Buffer>;

const { path } = aggregatedDiscoveryClient.streamAggregatedResources;
const same = (bytes: Buffer) => bytes;
const bytesAlone = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

/** What libraries refuse by the rules of gRPC (A28, A44 and on): one resource of a type, with a fault. */
const spoil: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  [typeUrls.cluster]: (bytes) =>
    Cluster.encode({ ...Cluster.decode(bytes), lbPolicy: ClusterLbPolicy.MAGLEV, loadBalancingPolicy: null }),
  [typeUrls.routeConfiguration]: (bytes) => {
    const configuration = RouteConfiguration.decode(bytes);
    const virtualHosts = configuration.virtualHosts.map((host) => ({
      ...host,
      routes: host.routes.map((route) => ({
        ...route,
        route: { ...route.route, retryPolicy: { retryOn: 'unavailable', numRetries: { value: 0 } } },
      })),
    }));
    return RouteConfiguration.encode({ ...configuration, virtualHosts });
  },
};

export class SpoilingProxy {
  /** The type of which all resources are spoilt; undefined: none is. */
  spoils: string | undefined;
  readonly #server = new Server();
  readonly #upstream: Client;

  constructor(controlPlane: string) {
    this.#upstream = new Client(controlPlane, credentials.createInsecure());
    const method = { path, requestStream: true, responseStream: true, ...bytesAlone };
    this.#server.addService({ stream: method }, { stream: (call: Stream) => this.#pass(call) });
  }

  /** Resolves with its HOST:PORT. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(`127.0.0.1:${port}`),
      ),
    );
  }

  close(): void {
    this.#server.forceShutdown();
    this.#upstream.close();
  }

  #pass(call: Stream): void {
    const upstream = this.#upstream.makeBidiStreamRequest(path, same, same);
    upstream.on('data', (bytes: Buffer) => call.write(this.#spoilt(bytes)));
    upstream.on('error', () => call.end());
    upstream.on('end', () => call.end());
    call.on('data', (bytes: Buffer) => upstream.write(bytes));
    call.on('end', () => upstream.end());
    call.on('cancelled', () => upstream.cancel());
    call.on('error', () => {});
  }

  #spoilt(bytes: Buffer): Buffer {
    const response = DiscoveryResponse.decode(bytes);
    const change = spoil[response.typeUrl];
    if (change === undefined || response.typeUrl !== this.spoils) return bytes;
    const resources = response.resources.map((resource) => ({ ...resource, value: change(resource.value) }));
    return DiscoveryResponse.encode({ ...response, resources });
  }
}
