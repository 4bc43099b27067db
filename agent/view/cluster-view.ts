/** A cluster and its endpoints, prepared for requests: whom to ask, and how long to wait for a connection. */
import { parseClusterName, serviceKey } from '../../model/names.ts';
import { fromStruct } from '../../proto/struct.ts';
import {
  type Cluster,
  ClusterDiscoveryType,
  ClusterLbPolicy,
  type ClusterLoadAssignment,
  HealthStatus,
  type LbEndpoint,
} from '../../proto/types.ts';
import { toMilliseconds } from '../../routing/duration.ts';
import { UnusableError } from '../../routing/refusal.ts';
import type { Availability, Candidate, Load } from '../balance/balancer.ts';
import { ClusterBalancer } from '../balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../balance/policy.ts';
import { instanceHeaderValue } from './instance-identity.ts';

export interface EndpointView extends Candidate {
  /** Id of the instance; '' when the server did not say. */
  readonly instance: string;
  /** Value of the header that names whom a request is meant for; '' without an id. */
  readonly identity: string;
  readonly address: string;
  readonly port: number;
  readonly health: HealthStatus;
}

export interface ClusterView {
  /** `reviews.default|http|v1`. */
  readonly name: string;
  /** The service that the cluster is of: `reviews.default`. */
  readonly service: string;
  readonly connectTimeoutMs: number;
  readonly policy: LoadBalancerPolicy;
  readonly endpoints: readonly EndpointView[];
  readonly balancer: ClusterBalancer<EndpointView>;
}

/** What the server leaves out when the operator did not choose; Envoy's default. */
const defaultConnectTimeoutMs = 5_000;

/** The limit that xDS sets to the weights of a cluster. */
const greatestSum = 2 ** 32 - 1;

/** Name of the assignment that holds the cluster's endpoints. Throws UnusableError when it has none. */
export function assignmentName(cluster: Cluster): string {
  if (cluster.type !== ClusterDiscoveryType.EDS) {
    throw new UnusableError('type', `expected EDS, found ${nameOf(ClusterDiscoveryType, cluster.type)}`);
  }
  return cluster.edsClusterConfig?.serviceName || cluster.name;
}

/**
 * `previous`: the view of the same cluster so far; the counters of endpoints that stay (same instance, same address) stay
 * too, so that the least-request balancer goes on knowing who is busy. Throws UnusableError on what it cannot use.
 */
export function createClusterView(
  cluster: Cluster,
  assignment: ClusterLoadAssignment,
  previous: ClusterView | undefined,
): ClusterView {
  const policy = readPolicy(cluster);
  const service = serviceOf(cluster.name);
  const loads = new Map(previous?.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint.load]));
  const endpoints = assignment.endpoints.flatMap(({ locality, lbEndpoints }, group) =>
    lbEndpoints.map((endpoint, place) =>
      readEndpoint(endpoint, { service, zone: locality?.zone ?? '', loads, where: `endpoints[${group}][${place}]` }),
    ),
  );
  if (endpoints.reduce((sum, { weight }) => sum + weight, 0) > greatestSum) {
    throw new UnusableError('endpoints', `their weights add up to more than ${greatestSum}`);
  }
  return {
    name: cluster.name,
    service,
    connectTimeoutMs: toMilliseconds(cluster.connectTimeout) || defaultConnectTimeoutMs,
    policy,
    endpoints,
    balancer: new ClusterBalancer({ policy, candidates: endpoints, previous: previous?.balancer }),
  };
}

function readPolicy({ lbPolicy }: Cluster): LoadBalancerPolicy {
  switch (lbPolicy) {
    case ClusterLbPolicy.ROUND_ROBIN:
      return 'round-robin';
    case ClusterLbPolicy.LEAST_REQUEST:
      return 'least-request';
    case ClusterLbPolicy.RANDOM:
      return 'random';
    case ClusterLbPolicy.RING_HASH:
      return 'ring-hash';
    case ClusterLbPolicy.MAGLEV:
      return 'maglev';
    default:
      throw new UnusableError('lbPolicy', `${nameOf(ClusterLbPolicy, lbPolicy)} is not one that this agent knows`);
  }
}

interface EndpointContext {
  readonly service: string;
  readonly zone: string;
  readonly loads: ReadonlyMap<string, Load>;
  readonly where: string;
}

function readEndpoint(endpoint: LbEndpoint, { service, zone, loads, where }: EndpointContext): EndpointView {
  const socket = endpoint.endpoint?.address?.socketAddress;
  if (!socket || socket.address === '' || socket.portValue < 1 || socket.portValue > 65_535) {
    throw new UnusableError(where, 'has no address and port');
  }
  const id = fromStruct(endpoint.metadata?.filterMetadata.sluice ?? null).instance;
  const instance = typeof id === 'string' ? id : '';
  const place = { instance, address: socket.address, port: socket.portValue };
  return {
    ...place,
    identity: instance === '' ? '' : instanceHeaderValue({ service, id: instance }),
    weight: endpoint.loadBalancingWeight?.value || 1,
    health: endpoint.healthStatus,
    availability: availabilityOf(endpoint.healthStatus),
    hashKey: instance || `${place.address}:${place.port}`,
    zone,
    load: loads.get(endpointKey(place)) ?? { active: 0 },
  };
}

/** UNKNOWN is what a server sends that checks nothing: as in Envoy, it counts as healthy. */
function availabilityOf(health: HealthStatus): Availability {
  if (health === HealthStatus.HEALTHY || health === HealthStatus.UNKNOWN) return 'healthy';
  return health === HealthStatus.DEGRADED ? 'degraded' : 'unavailable';
}

function endpointKey({ instance, address, port }: Pick<EndpointView, 'instance' | 'address' | 'port'>): string {
  return `${instance} ${address} ${port}`;
}

function serviceOf(clusterName: string): string {
  const parsed = parseClusterName(clusterName);
  if (parsed === undefined)
    throw new UnusableError('name', 'is no cluster name of the form service.namespace|port|subset');
  return serviceKey(parsed.namespace, parsed.service);
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
