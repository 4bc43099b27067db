/**
 * Endpoints as an Envoy takes them. Whom the registry calls failing or draining is left out: Envoy would send to them when it
 * panics, and own agents never do. Lost instances are `DEGRADED`, and take something only when nobody else is left.
 */
import { ClusterLoadAssignment, HealthStatus, type LocalityLbEndpoints } from '../../../proto/types.ts';
import type { InstanceRecord } from '../../registry/instance.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';

/** In percent: one endpoint of a hundred that is well is enough for all requests. */
const everythingToTheWell = { value: 10_000 };

/**
 * The resources of own agents, as they are where that is right. `zoneOf`: the zone that clients of a cluster prefer; '' for
 * none.
 */
export function compileEnvoyEndpoints(
  own: readonly EncodedResource[],
  instances: readonly InstanceRecord[],
  zoneOf: (cluster: string) => string,
): readonly EncodedResource[] {
  const areAllWell = instances.every(({ state }) => state === 'passing' || state === 'starting');
  return own.map((resource) => {
    const zone = zoneOf(resource.name);
    return areAllWell && zone === '' ? resource : compileAssignment(resource, zone);
  });
}

function compileAssignment({ name, bytes }: EncodedResource, zone: string): EncodedResource {
  const endpoints = ClusterLoadAssignment.decode(bytes).endpoints.flatMap(withoutRefused);
  const isSomeLost = endpoints.some(({ lbEndpoints }) =>
    lbEndpoints.some(({ healthStatus }) => healthStatus === HealthStatus.DEGRADED),
  );
  const isPreferred = zone !== '' && endpoints.some(({ locality }) => locality?.zone === zone);
  return encodeResource(ClusterLoadAssignment, name, {
    clusterName: name,
    endpoints: isPreferred
      ? endpoints.map((locality) => ({ ...locality, priority: locality.locality?.zone === zone ? 0 : 1 }))
      : endpoints,
    // By priority it is Envoy's 140 that means what own agents do: until less than 72 % are well.
    policy: isSomeLost && !isPreferred ? { overprovisioningFactor: everythingToTheWell } : undefined,
  });
}

/** Localities that have nobody left are no use. */
function withoutRefused(locality: LocalityLbEndpoints): LocalityLbEndpoints[] {
  const lbEndpoints = locality.lbEndpoints.filter(
    ({ healthStatus }) => healthStatus === HealthStatus.HEALTHY || healthStatus === HealthStatus.DEGRADED,
  );
  if (lbEndpoints.length === 0) return [];
  const weight = lbEndpoints.reduce((sum, { loadBalancingWeight }) => sum + (loadBalancingWeight?.value ?? 1), 0);
  return [{ ...locality, lbEndpoints, loadBalancingWeight: { value: Math.min(weight, 4_294_967_295) } }];
}
