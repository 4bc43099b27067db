/** Clusters of gRPC clients. `lb_policy` is one that every library knows; better ones stand in the list beside it. */
import { isHashPolicy } from '../../../model/traffic-policy.ts';
import type { Input } from '../../../proto/load.ts';
import {
  type Any,
  ClusterLbPolicy,
  LeastRequest,
  type LoadBalancingPolicy,
  RingHash,
  RingHashHashFunction,
  RoundRobin,
  WrrLocality,
} from '../../../proto/types.ts';
import { any } from '../any.ts';
import { compileEachCluster } from '../clusters.ts';
import type { EncodedResource } from '../encoded-resource.ts';
import type { ServiceInput } from '../service-input.ts';

/** Unset means 1024 to gRPC; no limit is the greatest there is. */
const noLimit = 4_294_967_295;

export function compileGrpcClusters(input: ServiceInput): EncodedResource[] {
  return compileEachCluster(input, ({ loadBalancer, connectionPool }) => ({
    lbPolicy: ClusterLbPolicy.ROUND_ROBIN,
    circuitBreakers: { thresholds: [{ maxRequests: { value: connectionPool?.maxRequests ?? noLimit } }] },
    loadBalancingPolicy: policyListOf(loadBalancer?.policy),
    lrsServer: { self: {} },
  }));
}

function policyListOf(policy: string | undefined): Input<LoadBalancingPolicy> | undefined {
  if (isHashPolicy(policy)) return ringHash;
  return policy === 'least-request' ? leastRequest : undefined;
}

const roundRobin = entry('round_robin', any(RoundRobin, {}));

/** Those that lack it go round-robin by localities, as all do that do not know this list. */
const leastRequest: Input<LoadBalancingPolicy> = {
  policies: [
    entry('least_request', any(LeastRequest, {})),
    entry('wrr_locality', any(WrrLocality, { endpointPickingPolicy: { policies: [roundRobin] } })),
  ],
};

/** Never by lb_policy: the C core of Debian 12 (1.51) crashes at the first request to such a cluster. */
const ringHash: Input<LoadBalancingPolicy> = {
  policies: [entry('ring_hash', any(RingHash, { hashFunction: RingHashHashFunction.XX_HASH }))],
};

function entry(name: string, typedConfig: Input<Any>) {
  return { typedExtensionConfig: { name: `envoy.load_balancing_policies.${name}`, typedConfig } };
}
