/** Clusters: how requests are spread over the instances of a service's port and subset, and how they are reached. */
import { clusterName, serviceKey } from '../../model/names.ts';
import { ApiVersion, Cluster, ClusterDiscoveryType } from '../../proto/types.ts';
import { compileClusterPolicy } from './cluster-policy.ts';
import { effectivePolicy } from './effective-policy.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { portNames, protocolOf, type ServiceInput, subsetsOf } from './service-input.ts';

/** One cluster for each port and each subset that somebody may name. */
export function compileClusters(input: ServiceInput): EncodedResource[] {
  const service = serviceKey(input.namespace, input.name);
  return portNames(input.ports).flatMap((port) => {
    const protocol = protocolOf(input, port);
    return subsetsOf(input.document, input.namedSubsets).map((subset) => {
      const name = clusterName({ service: input.name, namespace: input.namespace, port, subset });
      return encodeResource(Cluster, name, {
        name,
        type: ClusterDiscoveryType.EDS,
        edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: ApiVersion.V3 } },
        ...compileClusterPolicy(effectivePolicy(input.policies, subset), { service, protocol }),
      });
    });
  });
}
