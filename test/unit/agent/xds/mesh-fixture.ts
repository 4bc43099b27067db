/** A small mesh as a server would send it: services of one port, each with one instance. */
import { createHash } from 'node:crypto';
import { markName, markTypeUrl, type ResourceKind, typeUrls } from '../../../../agent/xds/resources.ts';
import {
  Cluster,
  ClusterDiscoveryType,
  ClusterLoadAssignment,
  type DeltaDiscoveryResponse,
  Name,
  type Resource,
  Revision,
  RouteConfiguration,
} from '../../../../proto/types.ts';

export const mesh = 'mesh-a';

/** Everything about `service` (`reviews.default`), in the order of a batch. `port` tells two states of it apart. */
export function closureOf(service: string, port = 8080): Record<Exclude<ResourceKind, 'listeners'>, Resource> {
  const cluster = `${service}|http|`;
  const route = {
    name: 'rules/all',
    match: { pathSeparatedPrefix: '', prefix: '/' },
    route: { weightedClusters: { clusters: [{ name: cluster, weight: { value: 1 } }] } },
  };
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } };
  return {
    clusters: resource('clusters', cluster, Cluster.encode({ name: cluster, type: ClusterDiscoveryType.EDS })),
    endpoints: resource(
      'endpoints',
      cluster,
      ClusterLoadAssignment.encode({
        clusterName: cluster,
        endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }],
      }),
    ),
    routeConfigurations: resource(
      'routeConfigurations',
      `${service}:80`,
      RouteConfiguration.encode({
        name: `${service}:80`,
        virtualHosts: [{ name: service, domains: ['*'], routes: [route] }],
      }),
    ),
    names: resource('names', service, Name.encode({ name: service, service, routeConfigurations: [`${service}:80`] })),
  };
}

export function resource(kind: ResourceKind, name: string, bytes: Uint8Array): Resource {
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { name, version, resource: { type_url: typeUrls[kind], value: bytes } };
}

export interface MarkValues {
  readonly meshId?: string;
  readonly revision?: number;
  readonly sequence?: number;
}

export function markOf({ meshId = mesh, revision = 1, sequence = 1 }: MarkValues = {}): Resource {
  const value = Revision.encode({ meshId, revision, sequence });
  return { name: markName, version: String(sequence), resource: { type_url: markTypeUrl, value } };
}

let nonces = 0;

export function response(
  typeUrl: string,
  resources: readonly Resource[],
  removedResources: readonly string[] = [],
): DeltaDiscoveryResponse {
  nonces += 1;
  const nonce = `n${nonces}`;
  return { systemVersionInfo: '', resources, typeUrl, nonce, removedResources, controlPlane: null };
}

/** A batch with all of these services, in the order in which servers send. */
export function batchOf(services: readonly string[], mark: MarkValues = {}, port = 8080): DeltaDiscoveryResponse[] {
  const closures = services.map((service) => closureOf(service, port));
  const kinds = ['clusters', 'endpoints', 'routeConfigurations', 'names'] as const;
  return [
    ...kinds.map((kind) =>
      response(
        typeUrls[kind],
        closures.map((closure) => closure[kind]),
      ),
    ),
    response(markTypeUrl, [markOf(mark)]),
  ];
}
