/**
 * What an Envoy gets of a service. Where a policy prefers the zone of the caller the endpoints depend on that zone, and clusters say
 * where endpoints come from.
 */
import { parseClusterName } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { effectivePolicy } from '../compile/effective-policy.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { type OwnStreams, withOwnStreams } from '../compile/envoy/config-source.ts';
import { compileEnvoyEndpoints } from '../compile/envoy/endpoints.ts';
import { resourcesOf, type ServiceSnapshot } from './service-snapshot.ts';
import { variantOf } from './variants.ts';

type ByName = ReadonlyMap<string, EncodedResource>;

/** Zone -> endpoints by name: made when the first client of that zone asks, and kept as long as the snapshot. */
const ofZones = new WeakMap<ServiceSnapshot, Map<string, ByName>>();

const nothing: ByName = new Map();

/** `zone`: of the client; '' when it has none. `streams`: undefined for an aggregated one. */
export function envoyResources(
  snapshot: ServiceSnapshot,
  typeUrl: string,
  { zone, streams }: { readonly zone: string; readonly streams: OwnStreams | undefined },
): ByName {
  if (typeUrl === typeUrls.cluster && streams) return clustersWith(snapshot, streams);
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

/** By the clusters of a service, those included that are being taken away, then by the streams that endpoints come from. */
const withStreams = new WeakMap<ByName, Map<string, ByName>>();

function clustersWith(snapshot: ServiceSnapshot, streams: OwnStreams): ByName {
  const clusters = variantOf(snapshot, 'envoy').get(typeUrls.cluster) ?? nothing;
  const made = withStreams.get(clusters) ?? new Map<string, ByName>();
  withStreams.set(clusters, made);
  const key = `${streams.protocol} ${streams.cluster}`;
  const present = made.get(key);
  if (present) return present;
  const named = new Map([...clusters.values()].map((cluster) => [cluster.name, withOwnStreams(cluster, streams)]));
  made.set(key, named);
  return named;
}

function prefersZones({ input }: ServiceSnapshot): boolean {
  return input.policies.some(({ spec }) => spec.localityPreference !== undefined);
}
