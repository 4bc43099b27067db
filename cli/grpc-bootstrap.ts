/** What a gRPC library reads at its start to be steered by a Sluice server (xds.md 2.3). */
import { grpcServerListenerPrefix } from '../model/names.ts';

export interface GrpcBootstrapOptions {
  /** Addresses of servers, HOST:PORT: the first is asked, the others where a library can. */
  readonly servers: readonly string[];
  readonly service: string;
  readonly namespace: string;
  readonly id: string;
  readonly zone: string;
}

/** The value that is to be written as JSON. */
export function grpcBootstrap({ servers, service, namespace, id, zone }: GrpcBootstrapOptions) {
  return {
    xds_servers: servers.map((server) => ({
      server_uri: server,
      channel_creds: [{ type: 'insecure' }],
      // Libraries before 1.51 take version 2 without it.
      server_features: ['xds_v3'],
    })),
    node: {
      id,
      cluster: service,
      // @grpc/grpc-js-xds wants it to be there.
      locality: { zone },
      metadata: { sluice: { service, namespace } },
    },
    server_listener_resource_name_template: `${grpcServerListenerPrefix}%s`,
  };
}
