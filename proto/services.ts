/**
 * The gRPC methods Sluice speaks, as definitions that grpc-js and our own server take. Responses of the discovery services pass as bytes:
 * the server encodes a resource once, not once per stream.
 */

import type { Input, MessageType } from './load.ts';
import { remembering } from './remembered.ts';
import { typeUrls } from './type-urls.ts';
import {
  AgentMessage,
  ClientStatusRequest,
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  HealthCheckRequest,
  HealthCheckResponse,
  LoadStatsRequest,
  LoadStatsResponse,
  ServerMessage,
  ServerReflectionRequest,
  ServerReflectionResponse,
} from './types.ts';

interface Method<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
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
): Method<Request, Response> {
  return { ...unaryMethod(path, request, response), requestStream: true, responseStream: true };
}

function unaryMethod<Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => request.encode(message),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => response.encode(message),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

const aggregated = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** What many clients ask alike. */
function request<T>(type: MessageType<T>): Codec<T> {
  const { encode, decode } = typed(type);
  return { encode, decode: remembering(decode) };
}

/** One discovery service as the server speaks it: responses are bytes (`DeltaDiscoveryResponse` or `DiscoveryResponse`, encoded). */
function discoveryService(path: string, subject: string) {
  return {
    stream: streamMethod(`${path}/Stream${subject}`, request(DiscoveryRequest), encoded),
    delta: streamMethod(`${path}/Delta${subject}`, request(DeltaDiscoveryRequest), encoded),
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

/** Load reports: what clients send where, in requests. */
export const loadReportingService = {
  streamLoadStats: streamMethod(
    '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats',
    typed(LoadStatsRequest),
    typed(LoadStatsResponse),
  ),
};

const clientStatus = '/envoy.service.status.v3.ClientStatusDiscoveryService';

/** Who has what, as the server speaks it: responses are bytes (`ClientStatusResponse`, encoded). */
export const clientStatusServer = {
  streamClientStatus: streamMethod(`${clientStatus}/StreamClientStatus`, typed(ClientStatusRequest), encoded),
  fetchClientStatus: unaryMethod(`${clientStatus}/FetchClientStatus`, typed(ClientStatusRequest), encoded),
};

const health = '/grpc.health.v1.Health';

export const healthService = {
  check: unaryMethod(`${health}/Check`, typed(HealthCheckRequest), typed(HealthCheckResponse)),
  watch: {
    ...unaryMethod(`${health}/Watch`, typed(HealthCheckRequest), typed(HealthCheckResponse)),
    responseStream: true,
  },
};

/** Tools ask for the first, and when it is not there for the second, or the other way round. */
export const reflectionServices = ['v1', 'v1alpha'].map((version) => ({
  serverReflectionInfo: streamMethod(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    typed(ServerReflectionRequest),
    typed(ServerReflectionResponse),
  ),
}));
