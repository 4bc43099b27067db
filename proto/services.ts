/**
 * The gRPC methods Sluice speaks, as definitions that grpc-js takes. Responses of the discovery services pass as bytes:
 * the server encodes a resource once, not once per stream.
 */

import type { Input, MessageType } from './load.ts';
import { typeUrls } from './type-urls.ts';
import {
  AgentMessage,
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  ServerMessage,
} from './types.ts';

interface StreamMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: true;
  readonly responseStream: true;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (message: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

interface Codec<T> {
  encode(message: T): Buffer;
  decode(bytes: Buffer): T;
}

/** Both ends write inputs and read decoded messages; grpc-js has one type for the two. */
function typed<T>(type: MessageType<T>): Codec<T> {
  return { encode: (message) => type.encode(message as Input<T>), decode: (bytes) => type.decode(bytes) };
}

/** The message is its bytes already. */
const encoded: Codec<Buffer> = { encode: (bytes) => bytes, decode: (bytes) => bytes };

function streamMethod<Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): StreamMethod<Request, Response> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => request.encode(message),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => response.encode(message),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

const aggregated = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** One discovery service as the server speaks it: responses are bytes (`DeltaDiscoveryResponse` or `DiscoveryResponse`, encoded). */
function discoveryService(path: string, subject: string) {
  return {
    stream: streamMethod(`${path}/Stream${subject}`, typed(DiscoveryRequest), encoded),
    delta: streamMethod(`${path}/Delta${subject}`, typed(DeltaDiscoveryRequest), encoded),
  };
}

/** ADS as the server speaks it. */
export const aggregatedDiscoveryServer = discoveryService(aggregated, 'AggregatedResources');

/** The services of one type each, by that type (xds.md 1.1). */
export const typedDiscoveryServers = [
  [typeUrls.listener, discoveryService('/envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners')],
  [typeUrls.scopedRoute, discoveryService('/envoy.service.route.v3.ScopedRoutesDiscoveryService', 'ScopedRoutes')],
  [typeUrls.routeConfiguration, discoveryService('/envoy.service.route.v3.RouteDiscoveryService', 'Routes')],
  [typeUrls.cluster, discoveryService('/envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters')],
  [typeUrls.endpoint, discoveryService('/envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints')],
  [typeUrls.secret, discoveryService('/envoy.service.secret.v3.SecretDiscoveryService', 'Secrets')],
] as const;

/** ADS as a client speaks it. */
export const aggregatedDiscoveryClient = {
  streamAggregatedResources: streamMethod(
    `${aggregated}/StreamAggregatedResources`,
    typed(DiscoveryRequest),
    typed(DiscoveryResponse),
  ),
  deltaAggregatedResources: streamMethod(
    `${aggregated}/DeltaAggregatedResources`,
    typed(DeltaDiscoveryRequest),
    typed(DeltaDiscoveryResponse),
  ),
};

/** The agent's own stream: registration, health, drain. */
export const agentService = {
  connect: streamMethod('/sluice.v1.AgentService/Connect', typed(AgentMessage), typed(ServerMessage)),
};

/** A message as it arrived: what it says, or why its bytes are no such message. */
export type Received<Message> = { readonly message: Message } | { readonly fault: string };

/**
 * The method as a server takes it that answers garbage itself: grpc-js would end the call with an internal error of its
 * own, past all counting.
 */
export function tolerant<Request, Response>(
  method: StreamMethod<Request, Response>,
): StreamMethod<Received<Request>, Response> {
  return {
    ...method,
    requestSerialize: (received) =>
      'message' in received ? method.requestSerialize(received.message) : Buffer.alloc(0),
    requestDeserialize: (bytes) => {
      try {
        return { message: method.requestDeserialize(bytes) };
      } catch (error) {
        return { fault: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}
