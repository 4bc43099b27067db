/** Where an Envoy gets the resources that another one names. */
import type { Input } from '../../../proto/load.ts';
import { ApiConfigSourceApiType, ApiVersion, Cluster, type ConfigSource } from '../../../proto/types.ts';
import { ads } from '../clusters.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';

/** Of an Envoy that has a stream for each type. */
export interface OwnStreams {
  readonly protocol: 'delta' | 'sotw';
  /** The cluster of its bootstrap that leads to the control plane. */
  readonly cluster: string;
}

/** Undefined: from the aggregated stream. */
export function sourceOf(streams: OwnStreams | undefined): Input<ConfigSource> {
  if (streams === undefined) return ads;
  const { DELTA_GRPC, GRPC } = ApiConfigSourceApiType;
  return {
    apiConfigSource: {
      apiType: streams.protocol === 'delta' ? DELTA_GRPC : GRPC,
      transportApiVersion: ApiVersion.V3,
      setNodeOnFirstMessageOnly: true,
      grpcServices: [{ envoyGrpc: { clusterName: streams.cluster } }],
    },
    resourceApiVersion: ApiVersion.V3,
  };
}

/** A cluster that gets its endpoints from a stream of their own. */
export function withOwnStreams({ name, bytes }: EncodedResource, streams: OwnStreams): EncodedResource {
  const cluster = Cluster.decode(bytes);
  return encodeResource(Cluster, name, { ...cluster, edsClusterConfig: { edsConfig: sourceOf(streams) } });
}
