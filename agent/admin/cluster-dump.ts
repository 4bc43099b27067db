/** What the agent knows of clusters and their instances, for people: JSON of `GET /clusters`. */
import type { Load } from '../balance/balancer.ts';
import type { PoolState } from '../proxy/pools.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';
import type { MeshView } from '../view/mesh-view.ts';

/** The connections to an instance, of all listeners. */
export type PoolOf = (load: Load) => PoolState;

/** Of a process that sends no requests. */
export const noPool: PoolState = { connections: 0, idle: 0, waiting: 0 };

export type ClusterDump = ReturnType<typeof dumpCluster>;

/** Each cluster as requests see it now, sorted by name. */
export function dumpClusters(view: MeshView, poolOf: PoolOf): ClusterDump[] {
  return [...view.clusters.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map((cluster) => dumpCluster(cluster, poolOf));
}

function dumpCluster(cluster: ClusterView, poolOf: PoolOf) {
  const { name, protocol, policy, preferredZone, notInEffect, balancer, breaker, outlier, endpoints } = cluster;
  const { connections, pending, requests, retries, ...overflow } = breaker.counts;
  return {
    name,
    protocol,
    policy,
    preferredZone: preferredZone ?? null,
    notInEffect,
    // Suspicion is ignored: too few instances are free of it.
    panic: balancer.isInPanic,
    active: { connections, pending, requests, retries },
    overflow,
    ejections: outlier?.ejections ?? null,
    instances: endpoints.map((endpoint) => ({ ...dumpEndpoint(endpoint, cluster), pool: poolOf(endpoint.load) })),
  };
}

/** An instance as this cluster's requests see it. */
export function dumpEndpoint(endpoint: EndpointView, { outlier, healthCheck }: ClusterView) {
  const { instance, address, port, availability, weight, zone, load } = endpoint;
  const isEjected = outlier !== undefined && load.outlier.isEjected;
  return {
    instance,
    address,
    port,
    zone,
    weight,
    availability,
    activeRequests: load.active,
    ejectedUntil: isEjected ? new Date(load.outlier.ejectedUntilMs).toISOString() : null,
    check: healthCheck === undefined ? null : load.check.is,
  };
}
