/** Clusters: how requests are spread over the instances of a service's port and subset, and how they are reached. */
import { clusterName, serviceKey } from '../../model/names.ts';
import type { Input } from '../../proto/load.ts';
import { ApiVersion, Cluster, ClusterDiscoveryType, type ConfigSource } from '../../proto/types.ts';
import { type ClusterTarget, compileClusterPolicy } from './cluster-policy.ts';
import { type EffectivePolicy, effectivePolicy } from './effective-policy.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { portNames, protocolOf, type ServiceInput, subsetsOf } from './service-input.ts';

/** Over the stream that the client has already. */
export const ads: Input<ConfigSource> = { ads: {}, resourceApiVersion: ApiVersion.V3 };

export function compileClusters(input: ServiceInput): EncodedResource[] {
  return compileEachCluster(input, compileClusterPolicy);
}

/**
 * One cluster for each port and each subset that somebody may name, the same for every kind of client but for what
 * `fieldsOf` makes of the policy.
 */
export function compileEachCluster(
  input: ServiceInput,
  fieldsOf: (policy: EffectivePolicy, target: ClusterTarget) => Input<Cluster>,
): EncodedResource[] {
  const service = serviceKey(input.namespace, input.name);
  return portNames(input.ports).flatMap((port) => {
    const target = { service, protocol: protocolOf(input, port) };
    return subsetsOf(input.document, input.namedSubsets).map((subset) => {
      const name = clusterName({ service: input.name, namespace: input.namespace, port, subset });
      return encodeResource(Cluster, name, {
        name,
        type: ClusterDiscoveryType.EDS,
        edsClusterConfig: { edsConfig: ads },
        ...fieldsOf(effectivePolicy(input.policies, subset), target),
      });
    });
  });
}
