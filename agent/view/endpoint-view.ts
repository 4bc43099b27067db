/** An instance of a cluster, prepared for requests. */
import { fromStruct } from '../../proto/struct.ts';
import { type ClusterLoadAssignment, HealthStatus, type LbEndpoint } from '../../proto/types.ts';
import { assertVisible } from '../../routing/head-text.ts';
import { UnusableError } from '../../routing/refusal.ts';
import type { Availability, Candidate } from '../balance/balancer.ts';
import { InstanceState } from '../resilience/instance-state.ts';
import { instanceHeaderValue } from './instance-identity.ts';

export interface EndpointView extends Candidate {
  /** Id of the instance; '' when the server did not say. */
  readonly instance: string;
  /** Ids of instances that are registered at the same place: traffic knows the first alone. */
  readonly others: readonly string[];
  /** Value of the header that names whom a request is meant for; '' without an id, or without an agent that reads it. */
  readonly identity: string;
  readonly address: string;
  readonly port: number;
  readonly health: HealthStatus;
  /** What the agent knows of it by itself; the same object as long as instance and address stay. */
  readonly load: InstanceState;
}

const nobody: readonly string[] = [];

/** The limit that xDS sets to the weights of a cluster. */
const greatestSum = 2 ** 32 - 1;

/**
 * `service`: "reviews.default". `previous`: of the same cluster so far. Throws UnusableError on an endpoint that it cannot
 * use, and when all weights add up to too much.
 */
export function createEndpointViews(
  { endpoints: groups }: ClusterLoadAssignment,
  service: string,
  previous: readonly EndpointView[],
): EndpointView[] {
  const known = new Map(previous.map((endpoint) => [endpointKey(endpoint), endpoint.load]));
  const endpoints = groups.flatMap(({ locality, lbEndpoints }, group) =>
    lbEndpoints.map((endpoint, place) =>
      readEndpoint(endpoint, { service, zone: locality?.zone ?? '', known, where: `endpoints[${group}][${place}]` }),
    ),
  );
  if (endpoints.reduce((sum, { weight }) => sum + weight, 0) > greatestSum) {
    throw new UnusableError('endpoints', `their weights add up to more than ${greatestSum}`);
  }
  return endpoints;
}

interface EndpointContext {
  readonly service: string;
  readonly zone: string;
  readonly known: ReadonlyMap<string, InstanceState>;
  readonly where: string;
}

function readEndpoint(endpoint: LbEndpoint, { service, zone, known, where }: EndpointContext): EndpointView {
  const socket = endpoint.endpoint?.address?.socketAddress;
  if (!socket || socket.address === '' || socket.portValue < 1 || socket.portValue > 65_535) {
    throw new UnusableError(where, 'has no address and port');
  }
  const { instance: id, agent, others } = fromStruct(endpoint.metadata?.filterMetadata.sluice ?? null);
  const instance = typeof id === 'string' ? id : '';
  assertVisible(instance, where);
  const place = { instance, address: socket.address, port: socket.portValue };
  return {
    ...place,
    others: Array.isArray(others) ? others.filter((other) => typeof other === 'string') : nobody,
    identity: instance === '' || agent === false ? '' : instanceHeaderValue({ service, id: instance }),
    weight: endpoint.loadBalancingWeight?.value || 1,
    health: endpoint.healthStatus,
    availability: availabilityOf(endpoint.healthStatus),
    // An id outlives the address: an instance that restarts elsewhere gets its keys back.
    hashKey: instance || `${place.address}:${place.port}`,
    zone,
    load: known.get(endpointKey(place)) ?? new InstanceState(),
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
