/** The bootstrap of an Envoy that stands beside an application: everything but this comes from the control plane. */
import { isIP } from 'node:net';
import { formatHostPort, type HostPort } from '../process/host-port.ts';

export interface EnvoyBootstrap {
  readonly service: string;
  readonly id: string;
  readonly namespace: string;
  readonly zone: string | undefined;
  readonly server: HostPort;
  readonly outbound: HostPort;
  readonly inbound: { readonly at: HostPort; readonly app: HostPort } | undefined;
  /** By `SERVICE[:PORT]`. */
  readonly upstreams: Readonly<Record<string, HostPort>>;
  /** Undefined: all of the namespace. */
  readonly services: readonly string[] | undefined;
  /** Undefined: no admin port. */
  readonly admin: HostPort | undefined;
  readonly mode: 'delta' | 'sotw';
}

const serverCluster = 'sluice';
const version = 'V3';
const protocolOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Envoy takes no expression of a program of more than 100 unless told so: `[0-9]{32}` has more already. */
const runtime = { re2: { max_program_size: { error_level: 10_000 } } };

/** Envoy's own would be up to 30 s: so long nobody has to go by old rules because the control plane was away for a while. */
const retries = { retry_back_off: { base_interval: '0.5s', max_interval: '5s' } };

/** As Envoy's configuration file has it. */
export function envoyBootstrap(wanted: EnvoyBootstrap): object {
  const { service, id, zone, server, admin, mode } = wanted;
  const fromServer = { grpc_services: [{ envoy_grpc: { cluster_name: serverCluster, retry_policy: retries } }] };
  const ads = { ads: {}, resource_api_version: version };
  return {
    node: { id, cluster: service, metadata: { sluice: metadataOf(wanted) }, ...(zone && { locality: { zone } }) },
    ...(admin && { admin: { address: socketAddress(admin) } }),
    dynamic_resources: {
      ads_config: {
        api_type: mode === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: version,
        set_node_on_first_message_only: true,
        ...fromServer,
      },
      cds_config: ads,
      lds_config: ads,
    },
    layered_runtime: { layers: [{ name: 'sluice', static_layer: runtime }] },
    cluster_manager: {
      load_stats_config: { api_type: 'GRPC', transport_api_version: version, ...fromServer },
    },
    static_resources: { clusters: [controlPlane(server)] },
  };
}

/** docs/envoy.md says what each key means. */
function metadataOf({ service, namespace, outbound, inbound, upstreams, services }: EnvoyBootstrap): object {
  const ports = Object.entries(upstreams).map(([name, at]) => [name, formatHostPort(at)]);
  return {
    service,
    namespace,
    outbound: formatHostPort(outbound),
    ...(inbound && { inbound: formatHostPort(inbound.at), app: formatHostPort(inbound.app) }),
    ...(ports.length > 0 && { upstreams: Object.fromEntries(ports) }),
    ...(services && { services }),
  };
}

function controlPlane(server: HostPort): object {
  return {
    name: serverCluster,
    type: isIP(server.host) === 0 ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      [protocolOptions]: {
        '@type': `type.googleapis.com/${protocolOptions}`,
        // Finds out that the server's machine is gone: nothing else would end the stream.
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '5s' } } },
      },
    },
    load_assignment: {
      cluster_name: serverCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(server) } }] }],
    },
  };
}

function socketAddress({ host, port }: HostPort): object {
  return { socket_address: { address: host, port_value: port } };
}
