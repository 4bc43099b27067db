/** Resources of a mesh as they come off the wire, from a few words; and views made of them. */

import {
  createMeshView,
  emptyMeshResources,
  type MeshResources,
  type MeshView,
} from '../../../../agent/view/mesh-view.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import {
  Cluster,
  ClusterDiscoveryType,
  ClusterLbPolicy,
  ClusterLoadAssignment,
  HealthStatus,
  type LbEndpoint,
  Name,
  type Route,
  type RouteConfiguration,
} from '../../../../proto/types.ts';
import { routeConfiguration } from '../../routing/resources.ts';

export interface EndpointWords {
  readonly id?: string;
  /** Said only when it is given. */
  readonly agent?: boolean;
  readonly others?: readonly string[];
  readonly address?: string;
  readonly port: number;
  readonly weight?: number;
  readonly zone?: string;
  readonly health?: HealthStatus;
}

export function cluster(name: string, more: Input<Cluster> = {}): Cluster {
  return Cluster.decode(
    Cluster.encode({
      name,
      type: ClusterDiscoveryType.EDS,
      edsClusterConfig: { serviceName: name },
      connectTimeout: { seconds: 1 },
      lbPolicy: ClusterLbPolicy.ROUND_ROBIN,
      ...more,
    }),
  );
}

export function assignment(clusterName: string, endpoints: readonly EndpointWords[]): ClusterLoadAssignment {
  const zones = [...new Set(endpoints.map(zoneOf))];
  const groups = zones.map((zone) => ({
    locality: { zone },
    lbEndpoints: endpoints.filter((endpoint) => zoneOf(endpoint) === zone).map(lbEndpoint),
  }));
  return ClusterLoadAssignment.decode(ClusterLoadAssignment.encode({ clusterName, endpoints: groups }));
}

export function name(text: string, routeConfigurations: readonly string[], service = text): Name {
  return Name.decode(Name.encode({ name: text, service, routeConfigurations }));
}

export interface ServiceWords {
  readonly routes: readonly Input<Route>[];
  /** Endpoints by cluster. */
  readonly clusters: Readonly<Record<string, readonly EndpointWords[]>>;
  /** What else these clusters say. */
  readonly policies?: Readonly<Record<string, Input<Cluster>>>;
  readonly service?: string;
  readonly port?: number;
}

/** The closure of one service with one port. */
export function serviceResources({
  routes,
  clusters,
  policies = {},
  service = 'reviews.default',
  port = 9080,
}: ServiceWords): MeshResources {
  const configName = `${service}:${port}`;
  return {
    ...emptyMeshResources,
    meshId: 'm1',
    revision: 1,
    names: new Map([[service, name(service, [configName])]]),
    routeConfigurations: new Map([[configName, routeConfiguration(routes, configName)]]),
    clusters: new Map(Object.keys(clusters).map((key) => [key, cluster(key, policies[key])])),
    assignments: new Map(Object.entries(clusters).map(([key, endpoints]) => [key, assignment(key, endpoints)])),
  };
}

/** Throws, with the reasons, when the view is refused. */
export function viewOf(resources: MeshResources, previous?: MeshView, zone = ''): MeshView {
  const made = createMeshView(resources, previous, { agentId: 'web-1', zone });
  if ('view' in made) return made.view;
  throw new Error(made.refused.map(({ name: refused, reason }) => `${refused}: ${reason}`).join('; '));
}

export function withRoutes(resources: MeshResources, config: RouteConfiguration): MeshResources {
  const routeConfigurations = new Map(resources.routeConfigurations).set(config.name, config);
  return { ...resources, revision: resources.revision + 1, routeConfigurations };
}

export function withAssignment(resources: MeshResources, changed: ClusterLoadAssignment): MeshResources {
  return { ...resources, assignments: new Map(resources.assignments).set(changed.clusterName, changed) };
}

function zoneOf({ zone = 'z1' }: EndpointWords): string {
  return zone;
}

function lbEndpoint({
  id,
  agent,
  others,
  address = '127.0.0.1',
  port,
  weight,
  health = HealthStatus.HEALTHY,
}: EndpointWords): Input<LbEndpoint> {
  return {
    endpoint: { address: { socketAddress: { address, portValue: port } } },
    healthStatus: health,
    ...(id !== undefined && {
      metadata: {
        filterMetadata: {
          sluice: toStruct({
            instance: id,
            ...(agent !== undefined && { agent }),
            ...(others !== undefined && { others: [...others] }),
          }),
        },
      },
    }),
    ...(weight !== undefined && { loadBalancingWeight: { value: weight } }),
  };
}
