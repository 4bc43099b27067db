/** Clusters: how requests are spread over the instances of a service's port and subset, and how they are reached. */
import { durationMs } from '../../model/duration.ts';
import { clusterName } from '../../model/names.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';
import { ApiVersion, Cluster, ClusterDiscoveryType, ClusterLbPolicy } from '../../proto/types.ts';
import { compileDuration } from './duration.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { portNames, type ServiceInput, subsetsOf } from './service-input.ts';

/** An instance that does not accept within this time is passed over for another. */
const defaultConnectTimeoutMs = 1_000;

const lbPolicies: Partial<Record<string, ClusterLbPolicy>> = {
  'round-robin': ClusterLbPolicy.ROUND_ROBIN,
  'least-request': ClusterLbPolicy.LEAST_REQUEST,
};

/** One cluster for each port and each subset that somebody may name. */
export function compileClusters(input: ServiceInput): EncodedResource[] {
  return portNames(input.ports).flatMap((port) =>
    subsetsOf(input.document, input.namedSubsets).map((subset) => {
      const name = clusterName({ service: input.name, namespace: input.namespace, port, subset });
      const { loadBalancer, connectionPool } = policyFor(input.policies, subset);
      const connectTimeout = connectionPool?.connectTimeout;
      return encodeResource(Cluster, name, {
        name,
        type: ClusterDiscoveryType.EDS,
        edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: ApiVersion.V3 } },
        connectTimeout: compileDuration(connectTimeout ? durationMs(connectTimeout) : defaultConnectTimeoutMs),
        lbPolicy: lbPolicies[loadBalancer?.policy ?? 'round-robin'] ?? ClusterLbPolicy.ROUND_ROBIN,
      });
    }),
  );
}

type PolicySpec = TrafficPolicy['spec'];

/** The policy of the subset over that of the service, field by field, groups too. */
function policyFor(policies: readonly TrafficPolicy[], subset: string): Partial<PolicySpec> {
  const whole = policies.find(({ spec }) => spec.subset === undefined)?.spec;
  const own = subset === '' ? undefined : policies.find(({ spec }) => spec.subset === subset)?.spec;
  return {
    ...whole,
    ...own,
    ...((whole?.loadBalancer ?? own?.loadBalancer) && {
      loadBalancer: { policy: 'round-robin', ...whole?.loadBalancer, ...own?.loadBalancer },
    }),
    ...((whole?.connectionPool ?? own?.connectionPool) && {
      connectionPool: { ...whole?.connectionPool, ...own?.connectionPool },
    }),
  };
}
