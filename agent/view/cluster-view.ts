/** A cluster and its endpoints, prepared for requests: whom to ask, within which limits, and how long to wait. */
import { parseClusterName, serviceKey } from '../../model/names.ts';
import { fromStruct, type Json } from '../../proto/struct.ts';
import { type Cluster, ClusterDiscoveryType, ClusterLbPolicy, type ClusterLoadAssignment } from '../../proto/types.ts';
import { clusterWords } from '../../routing/cluster-words.ts';
import { toMilliseconds } from '../../routing/duration.ts';
import { UnusableError } from '../../routing/refusal.ts';
import { ClusterBalancer } from '../balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../balance/policy.ts';
import type { HealthCheckSettings } from '../resilience/active-health.ts';
import { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { SuspicionLog } from '../resilience/instance-state.ts';
import { OutlierDetection } from '../resilience/outlier-detection.ts';
import { readBreakerLimits, readHealthCheck, readOutlierSettings, readPanicThreshold } from './cluster-limits.ts';
import { createEndpointViews, type EndpointView } from './endpoint-view.ts';
import { type HashOf, noHash, prepareHashOn } from './hash-on.ts';

export type { EndpointView } from './endpoint-view.ts';

/** `tcp`: bytes, of which nothing is known. `undeclared`: nobody has said; HTTP is told by its first bytes. */
export type ClusterProtocol = 'http' | 'tcp' | 'undeclared';

export interface ClusterView {
  /** `reviews.default|http|v1`. */
  readonly name: string;
  /** As sentences call it: `reviews.default, subset v1`. */
  readonly title: string;
  /** The service that the cluster is of: `reviews.default`. */
  readonly service: string;
  readonly protocol: ClusterProtocol;
  readonly connectTimeoutMs: number;
  /** How long a connection without a request is kept; a tunnel, without a byte. */
  readonly idleTimeoutMs: number;
  /** How long a connection that is no HTTP may carry nothing. */
  readonly tcpIdleTimeoutMs: number;
  readonly policy: LoadBalancerPolicy;
  /** Whose instances go first; undefined: zones are not looked at. */
  readonly preferredZone: string | undefined;
  /** What a TrafficPolicy asks for and this agent cannot do, a sentence each. */
  readonly notInEffect: readonly string[];
  readonly endpoints: readonly EndpointView[];
  readonly balancer: ClusterBalancer<EndpointView>;
  /** What the balancer hashes of a request. Asks nothing of it when the policy goes by no hash. */
  readonly hashOf: HashOf;
  readonly breaker: CircuitBreaker;
  /** Undefined: nobody is ejected, and no outcome need be reported. */
  readonly outlier: OutlierDetection | undefined;
  /** Undefined: the agent checks nothing. */
  readonly healthCheck: HealthCheckSettings | undefined;
  /** Whoever changes what is suspected of an instance counts it here. */
  readonly suspicions: SuspicionLog;
}

export interface ClusterViewOptions {
  /** The agent's own; '' when it has none. */
  readonly zone: string;
  /**
   * The view of the same cluster so far. What is known of endpoints that stay (same instance, same address) and what is
   * counted of the cluster goes on.
   */
  readonly previous: ClusterView | undefined;
  /** Processes of the agent that each keep a part of the limits. 1 when not given. */
  readonly workers?: number;
}

/** What the server leaves out when the operator did not choose; Envoy's default. */
const defaultConnectTimeoutMs = 5_000;

/**
 * HTTP: shorter than the shortest keep-alive in wide use (5 s, of Node and of uvicorn), so that it is this side that ends
 * the connection and no request meets one that just closes. TCP: Envoy's default.
 */
const defaultIdleTimeoutMs: { readonly [Of in ClusterProtocol]: number } = {
  http: 4_000,
  undeclared: 4_000,
  tcp: 3_600_000,
};

/** Name of the assignment that holds the cluster's endpoints. Throws UnusableError when it has none. */
export function assignmentName(cluster: Cluster): string {
  if (cluster.type !== ClusterDiscoveryType.EDS) {
    throw new UnusableError('type', `expected EDS, found ${nameOf(ClusterDiscoveryType, cluster.type)}`);
  }
  return cluster.edsClusterConfig?.serviceName || cluster.name;
}

/** Throws UnusableError on what it cannot use. */
export function createClusterView(
  cluster: Cluster,
  assignment: ClusterLoadAssignment,
  { zone, previous, workers = 1 }: ClusterViewOptions,
): ClusterView {
  const own = fromStruct(cluster.metadata?.filterMetadata.sluice ?? null);
  const policy = readPolicy(cluster);
  const service = serviceOf(cluster.name);
  const protocol = readProtocol(own.protocol);
  const idleTimeoutMs = toMilliseconds(cluster.commonHttpProtocolOptions?.idleTimeout ?? null);
  const endpoints = createEndpointViews(assignment, service, previous?.endpoints ?? []);
  const suspicions = previous?.suspicions ?? { changes: 0 };
  const outlier = createOutlierDetection(cluster, endpoints, { suspicions, previous: previous?.outlier });
  const healthCheck = readHealthCheck(cluster, service);
  // A policy that is no longer in force leaves its verdicts behind: only those of the present ones count.
  const isSuspected = ({ load }: EndpointView) =>
    (outlier !== undefined && load.outlier.isEjected) || (healthCheck !== undefined && load.check.is === 'failing');
  const panicThreshold = readPanicThreshold(cluster);
  const canSuspect = outlier !== undefined || healthCheck !== undefined;
  const hashOf = prepareHashOn(own.hashOn, 'metadata.hashOn');
  const prefersZone = readPreference(own.localityPreference);
  const preferredZone = prefersZone && zone !== '' ? zone : undefined;
  return {
    name: cluster.name,
    title: clusterWords(cluster.name),
    service,
    protocol,
    connectTimeoutMs: toMilliseconds(cluster.connectTimeout) || defaultConnectTimeoutMs,
    idleTimeoutMs: idleTimeoutMs || defaultIdleTimeoutMs[protocol],
    tcpIdleTimeoutMs: idleTimeoutMs || defaultIdleTimeoutMs.tcp,
    policy,
    preferredZone,
    notInEffect: prefersZone && zone === '' ? [noZone] : [],
    endpoints,
    balancer: new ClusterBalancer({
      policy,
      candidates: endpoints,
      preferredZone,
      suspicions: canSuspect ? { isSuspected, state: suspicions, panicThreshold } : undefined,
      previous: previous?.balancer,
    }),
    hashOf: policy === 'ring-hash' || policy === 'maglev' ? hashOf : noHash,
    breaker: new CircuitBreaker(readBreakerLimits(cluster, workers), previous?.breaker),
    outlier,
    healthCheck,
    suspicions,
  };
}

function createOutlierDetection(
  cluster: Cluster,
  endpoints: readonly EndpointView[],
  shared: { readonly suspicions: SuspicionLog; readonly previous: OutlierDetection | undefined },
): OutlierDetection | undefined {
  const settings = readOutlierSettings(cluster);
  if (settings === undefined) return undefined;
  return new OutlierDetection({ settings, instances: endpoints.map(({ load }) => load), ...shared });
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

function readProtocol(protocol: Json | undefined): ClusterProtocol {
  if (protocol === undefined) return 'http';
  if (protocol === 'tcp' || protocol === 'undeclared') return protocol;
  throw new UnusableError('metadata.protocol', `${JSON.stringify(protocol)} is not one that this agent knows`);
}

const noZone = 'localityPreference has no effect: this agent does not know its zone (--zone)';

/** Whether the agent's own zone goes first, if it knows it. */
function readPreference(preference: Json | undefined): boolean {
  if (preference === undefined) return false;
  if (preference === 'same-zone-first') return true;
  throw new UnusableError(
    'metadata.localityPreference',
    `${JSON.stringify(preference)} is not one that this agent knows`,
  );
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
