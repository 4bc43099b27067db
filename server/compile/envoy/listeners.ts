/**
 * The listeners of one Envoy: where the application's requests leave, where requests for it come in, and a port for each
 * service that was asked for. A listener has its address in its name: Envoy cannot move one.
 */

import { routeConfigurationName, serviceKey } from '../../../model/names.ts';
import type { Input } from '../../../proto/load.ts';
import {
  type Address,
  Cluster,
  ClusterDiscoveryType,
  type Filter,
  Listener,
  SocketAddressProtocol,
  TrafficDirection,
  UpstreamProtocolOptions,
} from '../../../proto/types.ts';
import { any } from '../any.ts';
import type { CompiledService } from '../compile.ts';
import { compileDuration } from '../duration.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import { protocolOf, type ServiceInput, type WireProtocol } from '../service-input.ts';
import { isHttp2 } from './clusters.ts';
import { type OwnStreams, sourceOf } from './config-source.ts';
import { routedBy, routedByAuthority, routedTo } from './http-listener.ts';
import { connectionsOf, connectionsTo } from './tcp-listener.ts';

/** An IP address and a port. */
export interface SocketName {
  readonly host: string;
  readonly port: number;
}

/** For requests to any service, by the name that they are addressed to. */
export function outboundListener(
  at: SocketName,
  {
    namespace,
    domain,
    streams,
  }: { readonly namespace: string; readonly domain: string; readonly streams: OwnStreams | undefined },
): EncodedResource {
  const filter = routedByAuthority(namespace, domain, sourceOf(streams));
  return listener('outbound', at, TrafficDirection.OUTBOUND, filter);
}

/** For requests or connections to one port of a service. Undefined when the service has no such port. */
export function upstreamListener(
  input: ServiceInput,
  own: CompiledService,
  upstream: { readonly at: SocketName; readonly port: number | undefined },
  streams: OwnStreams | undefined,
): EncodedResource | undefined {
  const port = upstream.port === undefined ? input.ports[0] : input.ports.find((one) => one.port === upstream.port);
  if (port === undefined) return undefined;
  const name = routeConfigurationName({ service: input.name, namespace: input.namespace, portNumber: port.port });
  const filter =
    protocolOf(input, port.name) === 'tcp' ? connectionsOf(input, own, port) : routedBy(name, sourceOf(streams));
  // Called as the node declared it: when the service's first port is another, it is the same listener at its address.
  const declared = upstream.port === undefined ? serviceKey(input.namespace, input.name) : name;
  return listener(`upstream|${declared}`, upstream.at, TrafficDirection.OUTBOUND, filter);
}

/** For requests that others send to the application. `protocol`: of the port of its service. */
export function inboundListener(at: SocketName, protocol: WireProtocol): EncodedResource {
  const filter = protocol === 'tcp' ? connectionsTo(applicationCluster) : routedTo(applicationCluster);
  return listener('inbound', at, TrafficDirection.INBOUND, filter);
}

/** No name of a service has a colon. */
const applicationCluster = 'inbound:application';

/** The application beside the Envoy. */
export function applicationResource(at: SocketName, protocol: WireProtocol): EncodedResource {
  const explicitHttpConfig = isHttp2(protocol) ? { http2ProtocolOptions: {} } : { httpProtocolOptions: {} };
  const idleTimeout = compileDuration(4_000);
  return encodeResource(Cluster, applicationCluster, {
    name: applicationCluster,
    type: ClusterDiscoveryType.STATIC,
    connectTimeout: compileDuration(1_000),
    loadAssignment: {
      clusterName: applicationCluster,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: addressOf(at) } }] }],
    },
    ...(protocol !== 'tcp' && {
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any(UpstreamProtocolOptions, {
          commonHttpProtocolOptions: { idleTimeout },
          explicitHttpConfig,
        }),
      },
    }),
  });
}

function listener(
  kind: string,
  at: SocketName,
  trafficDirection: TrafficDirection,
  filter: Input<Filter>,
): EncodedResource {
  const name = `${kind}|${at.host}:${at.port}`;
  return encodeResource(Listener, name, {
    name,
    address: addressOf(at),
    trafficDirection,
    statPrefix: kind.replaceAll('|', '.'),
    filterChains: [{ name: 'all', filters: [filter] }],
  });
}

function addressOf({ host, port }: SocketName): Input<Address> {
  return { socketAddress: { protocol: SocketAddressProtocol.TCP, address: host, portValue: port } };
}
