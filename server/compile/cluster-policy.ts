/**
 * TrafficPolicy as fields of a cluster. Defaults stand on the wire where they are in use, so that an own agent and an
 * Envoy do the same whatever they would do unasked.
 */
import { durationMs } from '../../model/duration.ts';
import { type HashKey, isHashPolicy } from '../../model/traffic-policy.ts';
import type { Input } from '../../proto/load.ts';
import { type Json, toStruct } from '../../proto/struct.ts';
import {
  type CircuitBreakers,
  type Cluster,
  ClusterLbPolicy,
  type HealthCheck,
  type OutlierDetection,
  type UInt32Value,
} from '../../proto/types.ts';
import { compileDuration } from './duration.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { isBytesToAgents, type WireProtocol } from './service-input.ts';

/** An instance that does not accept within this time is passed over for another. */
const defaultConnectTimeout = '1s';

const lbPolicies = {
  'round-robin': ClusterLbPolicy.ROUND_ROBIN,
  'least-request': ClusterLbPolicy.LEAST_REQUEST,
  random: ClusterLbPolicy.RANDOM,
  'ring-hash': ClusterLbPolicy.RING_HASH,
  maglev: ClusterLbPolicy.MAGLEV,
} as const;

export interface ClusterTarget {
  /** "reviews.default": the Host of health checks. */
  readonly service: string;
  readonly protocol: WireProtocol;
}

/** All fields of a cluster but its name and where its endpoints come from. */
export function compileClusterPolicy(policy: EffectivePolicy, target: ClusterTarget): Input<Cluster> {
  const { loadBalancer, connectionPool, outlierDetection, healthCheck } = policy;
  const { connectTimeout = defaultConnectTimeout, idleTimeout } = connectionPool ?? {};
  const minHealthPercent = outlierDetection?.minHealthPercent;
  const own = metadataOf(policy, target);
  return {
    connectTimeout: time(connectTimeout),
    lbPolicy: lbPolicies[loadBalancer?.policy ?? 'round-robin'],
    healthChecks: healthCheck === undefined ? [] : [compileHealthCheck(healthCheck, target)],
    circuitBreakers: connectionPool && compileCircuitBreakers(connectionPool),
    outlierDetection: outlierDetection && compileOutlierDetection(outlierDetection),
    metadata: Object.keys(own).length === 0 ? undefined : { filterMetadata: { sluice: toStruct(own) } },
    commonLbConfig: minHealthPercent === undefined ? undefined : { healthyPanicThreshold: { value: minHealthPercent } },
    commonHttpProtocolOptions: idleTimeout === undefined ? undefined : { idleTimeout: time(idleTimeout) },
  };
}

/** What xDS has no field for in a cluster; docs/wire.md. */
function metadataOf(policy: EffectivePolicy, { protocol }: ClusterTarget): Record<string, Json> {
  const { loadBalancer, hashOn = [], localityPreference } = policy;
  // Of a connection nothing is known but where it comes from.
  const keys = hashOn.filter((key) => !isBytesToAgents(protocol) || key.sourceAddress !== undefined);
  return {
    ...(protocol !== 'http' && { protocol: protocol === 'undeclared' ? protocol : 'tcp' }),
    ...(keys.length > 0 && isHashPolicy(loadBalancer?.policy) && { hashOn: keys.map(compileHashKey) }),
    ...(localityPreference && { localityPreference }),
  };
}

function compileHashKey(key: HashKey): Json {
  return { ...key };
}

type ConnectionPool = NonNullable<EffectivePolicy['connectionPool']>;

/** Envoy's defaults of a retry budget. */
const defaultBudgetPercent = 20;
const defaultMinRetries = 3;

function compileCircuitBreakers(pool: ConnectionPool): Input<CircuitBreakers> | undefined {
  const { maxConnections, maxPendingRequests, maxRequests, retryBudget } = pool;
  if (maxConnections === undefined && maxPendingRequests === undefined && maxRequests === undefined && !retryBudget) {
    return undefined;
  }
  const { percent = defaultBudgetPercent, minRetries = defaultMinRetries } = retryBudget ?? {};
  const budget = { budgetPercent: { value: percent }, minRetryConcurrency: { value: minRetries } };
  return {
    thresholds: [
      {
        maxConnections: count(maxConnections),
        maxPendingRequests: count(maxPendingRequests),
        maxRequests: count(maxRequests),
        retryBudget: retryBudget && budget,
      },
    ],
  };
}

function compileOutlierDetection(detection: NonNullable<EffectivePolicy['outlierDetection']>): Input<OutlierDetection> {
  const { consecutive5xx = 5, consecutiveGatewayErrors = 0, consecutiveLocalOriginFailures: local } = detection;
  const { interval = '10s', baseEjectionTime = '30s', maxEjectionPercent = 10 } = detection;
  return {
    // A threshold of 0 is invalid to Envoy: what is not counted is not enforced.
    ...(consecutive5xx > 0 ? { consecutive_5xx: count(consecutive5xx) } : { enforcingConsecutive_5xx: count(0) }),
    ...(consecutiveGatewayErrors > 0 && {
      consecutiveGatewayFailure: count(consecutiveGatewayErrors),
      enforcingConsecutiveGatewayFailure: count(100),
    }),
    ...(local !== undefined && {
      splitExternalLocalOriginErrors: true,
      ...(local > 0
        ? { consecutiveLocalOriginFailure: count(local) }
        : { enforcingConsecutiveLocalOriginFailure: count(0) }),
      enforcingLocalOriginSuccessRate: count(0),
    }),
    interval: time(interval),
    baseEjectionTime: time(baseEjectionTime),
    maxEjectionPercent: count(maxEjectionPercent),
    // Also when one is more than that share of a few instances; but 0 means nobody.
    alwaysEjectOneHost: { value: maxEjectionPercent > 0 },
    // On unless told otherwise, and no document asks for it.
    enforcingSuccessRate: count(0),
  };
}

function compileHealthCheck(
  check: NonNullable<EffectivePolicy['healthCheck']>,
  { service, protocol }: ClusterTarget,
): Input<HealthCheck> {
  const { http, interval = '5s', timeout = '1s', unhealthyThreshold = 3, healthyThreshold = 2 } = check;
  return {
    timeout: time(timeout),
    interval: time(interval),
    unhealthyThreshold: count(unhealthyThreshold),
    healthyThreshold: count(healthyThreshold),
    // Envoy would send the name of the cluster, which is no host.
    ...(http && !isBytesToAgents(protocol)
      ? { httpHealthCheck: { host: service, path: http.path } }
      : { tcpHealthCheck: {} }),
  };
}

function time(canonical: string) {
  return compileDuration(durationMs(canonical));
}

function count(value: number | undefined): Input<UInt32Value> | undefined {
  return value === undefined ? undefined : { value };
}
