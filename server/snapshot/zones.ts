/** What an Envoy gets of a service. Only where a policy prefers the zone of the caller does it depend on that zone. */
import { parseClusterName } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { effectivePolicy } from '../compile/effective-policy.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileEnvoyEndpoints } from '../compile/envoy/endpoints.ts';
import { resourcesOf, type ServiceSnapshot } from './service-snapshot.ts';
import { variantOf } from './variants.ts';

type ByName = ReadonlyMap<string, EncodedResource>;

/** Zone -> endpoints by name: made when the first client of that zone asks, and kept as long as the snapshot. */
const ofZones = new WeakMap<ServiceSnapshot, Map<string, ByName>>();

const nothing: ByName = new Map();

/** `zone`: of the client; '' when it has none. */
export function envoyResources(snapshot: ServiceSnapshot, typeUrl: string, zone: string): ByName {
  if (typeUrl !== typeUrls.endpoint || zone === '' || !prefersZones(snapshot)) {
    return variantOf(snapshot, 'envoy').get(typeUrl) ?? nothing;
  }
  const zones = ofZones.get(snapshot) ?? new Map<string, ByName>();
  ofZones.set(snapshot, zones);
  const present = zones.get(zone);
  if (present) return present;
  const { input, instances } = snapshot;
  const zoneOf = (cluster: string) => {
    const subset = parseClusterName(cluster)?.subset ?? '';
    return effectivePolicy(input.policies, subset).localityPreference === undefined ? '' : zone;
  };
  const made = compileEnvoyEndpoints(resourcesOf(snapshot, typeUrl), instances, zoneOf);
  const named = new Map(made.map((resource) => [resource.name, resource]));
  zones.set(zone, named);
  return named;
}

function prefersZones({ input }: ServiceSnapshot): boolean {
  return input.policies.some(({ spec }) => spec.localityPreference !== undefined);
}
