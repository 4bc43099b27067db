/** The resource types that travel over xDS, by their type URL. */
import { Cluster, ClusterLoadAssignment, Listener, Name, Revision, RouteConfiguration } from './types.ts';

export const typeUrls = {
  cluster: Cluster.typeUrl,
  endpoint: ClusterLoadAssignment.typeUrl,
  listener: Listener.typeUrl,
  routeConfiguration: RouteConfiguration.typeUrl,
  scopedRoute: 'type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  name: Name.typeUrl,
  /** The commit mark. */
  mark: Revision.typeUrl,
} as const;

/** Resource name of the commit mark. */
export const markName = 'mesh';
