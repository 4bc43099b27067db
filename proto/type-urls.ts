/** The resource types that travel over xDS, by their type URL. */
import {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  Name,
  Revision,
  RouteConfiguration,
  ScopedRouteConfiguration,
} from './types.ts';

export const typeUrls = {
  cluster: Cluster.typeUrl,
  endpoint: ClusterLoadAssignment.typeUrl,
  listener: Listener.typeUrl,
  routeConfiguration: RouteConfiguration.typeUrl,
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  scopedRoute: ScopedRouteConfiguration.typeUrl,
  name: Name.typeUrl,
  /** The commit mark. */
  mark: Revision.typeUrl,
} as const;

/** Resource name of the commit mark. */
export const markName = 'mesh';
