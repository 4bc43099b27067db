/**
 * Clusters as an Envoy takes them: the same as own agents have, without what Envoy calls deprecated, and with every limit
 * written out where Envoy's default is another than ours.
 */

import { durationMs } from '../../../model/duration.ts';
import { type HashKey, isHashPolicy } from '../../../model/traffic-policy.ts';
import type { Input } from '../../../proto/load.ts';
import {
  type Any,
  type CircuitBreakers,
  type Cluster,
  CodecClientType,
  type HealthCheck,
  type LoadBalancingPolicy,
  Maglev,
  RingHash,
  type RouteActionHashPolicy,
  UpstreamProtocolOptions,
} from '../../../proto/types.ts';
import { any } from '../any.ts';
import { type ClusterTarget, compileClusterPolicy } from '../cluster-policy.ts';
import { compileEachCluster } from '../clusters.ts';
import { compileDuration } from '../duration.ts';
import type { EffectivePolicy } from '../effective-policy.ts';
import type { EncodedResource } from '../encoded-resource.ts';
import type { ServiceInput, WireProtocol } from '../service-input.ts';

export function compileEnvoyClusters(input: ServiceInput): EncodedResource[] {
  return compileEachCluster(input, compilePolicy);
}

function compilePolicy(policy: EffectivePolicy, target: ClusterTarget): Input<Cluster> {
  const {
    metadata,
    commonHttpProtocolOptions,
    healthChecks = [],
    circuitBreakers,
    ...same
  } = compileClusterPolicy(policy, target);
  return {
    ...same,
    healthChecks: healthChecks.map((check) => speaking(check, target.protocol)),
    circuitBreakers: withDefaults(circuitBreakers),
    // Whoever left the registry is gone: health checks shall not keep it.
    ignoreHealthOnHostRemoval: true,
    typedExtensionProtocolOptions: compileProtocol(policy, target.protocol),
    loadBalancingPolicy: compileHashing(policy, target.protocol),
  };
}

/** No limit. */
const unlimited = { value: 4_294_967_295 };

/** What is not given is 1024 to Envoy, and 3 retries at a time; to own agents it is no limit, and a budget of retries. */
function withDefaults(given: Input<CircuitBreakers> | null | undefined): Input<CircuitBreakers> {
  const limits = given?.thresholds?.[0] ?? {};
  const budget = { budgetPercent: { value: 20 }, minRetryConcurrency: { value: 3 } };
  return {
    thresholds: [
      {
        maxConnections: limits.maxConnections ?? unlimited,
        maxPendingRequests: limits.maxPendingRequests ?? { value: 1_024 },
        maxRequests: limits.maxRequests ?? unlimited,
        retryBudget: limits.retryBudget ?? budget,
      },
    ],
  };
}

/** As long as own agents: shorter than the keep-alive of most servers. */
const defaultIdleTimeout = '4s';

const protocolExtension = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function compileProtocol(policy: EffectivePolicy, protocol: WireProtocol): Record<string, Input<Any>> {
  if (protocol === 'tcp') return {};
  const idleTimeout = compileDuration(durationMs(policy.connectionPool?.idleTimeout ?? defaultIdleTimeout));
  const options = any(UpstreamProtocolOptions, {
    commonHttpProtocolOptions: { idleTimeout },
    explicitHttpConfig: isHttp2(protocol) ? { http2ProtocolOptions: {} } : { httpProtocolOptions: {} },
  });
  return { [protocolExtension]: options };
}

/** Of a port that is called grpc HTTP/2 is spoken, too. */
export function isHttp2(protocol: WireProtocol): boolean {
  return protocol === 'http2' || protocol === 'grpc';
}

function speaking(check: Input<HealthCheck>, protocol: WireProtocol): Input<HealthCheck> {
  if (!check.httpHealthCheck || !isHttp2(protocol)) return check;
  return { ...check, httpHealthCheck: { ...check.httpHealthCheck, codecClientType: CodecClientType.HTTP2 } };
}

/**
 * What is hashed is said by the cluster, not by the routes that lead to it: `hashOn` belongs to the target, and a route may
 * have a hash of its own, of a sticky split.
 */
function compileHashing(
  { loadBalancer, hashOn = [] }: EffectivePolicy,
  protocol: WireProtocol,
): Input<LoadBalancingPolicy> | undefined {
  const policy = loadBalancer?.policy;
  // Of a connection nothing is known but where it comes from.
  const keys = hashOn.filter((key) => protocol !== 'tcp' || key.sourceAddress !== undefined);
  if (!isHashPolicy(policy) || keys.length === 0) return undefined;
  const consistentHashingLbConfig = { hashPolicy: keys.map(compileKey) };
  const [name, typedConfig] =
    policy === 'maglev'
      ? (['maglev', any(Maglev, { consistentHashingLbConfig })] as const)
      : (['ring_hash', any(RingHash, { consistentHashingLbConfig })] as const);
  return { policies: [{ typedExtensionConfig: { name: `envoy.load_balancing_policies.${name}`, typedConfig } }] };
}

/** The first that a request has is its key: what stands behind it does not count. */
function compileKey(key: HashKey): Input<RouteActionHashPolicy> {
  const terminal = true;
  if (key.header !== undefined) return { header: { headerName: key.header }, terminal };
  if (key.cookie !== undefined) return { cookie: { name: key.cookie }, terminal };
  if (key.query !== undefined) return { queryParameter: { name: key.query }, terminal };
  return { connectionProperties: { sourceIp: true }, terminal };
}
