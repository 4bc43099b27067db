/** Endpoints: which instances a cluster has, in what state, grouped by zone. One ClusterLoadAssignment per cluster. */
import type { Input } from '../../proto/load.ts';
import { toStruct } from '../../proto/struct.ts';
import {
  ClusterLoadAssignment,
  HealthStatus,
  type LbEndpoint,
  type LocalityLbEndpoints,
  SocketAddressProtocol,
} from '../../proto/types.ts';
import type { InstancePlace, InstanceRecord, InstanceState } from '../registry/instance.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { placeOf } from './hops.ts';
import { type EndpointsInput, portNames, subsetLabels } from './service-input.ts';

/** `starting` is not on the wire: nobody shall send it anything yet. A lost instance is routed last. */
const healthOf: Record<Exclude<InstanceState, 'starting'>, HealthStatus> = {
  passing: HealthStatus.HEALTHY,
  failing: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
  lost: HealthStatus.DEGRADED,
};

/** Weights are 32 bits on the wire. */
export const greatestWeight = 4_294_967_295;

/** When several instances share address and port only the best of them is named. */
const preference: readonly InstanceState[] = ['passing', 'lost', 'draining', 'failing'];

export function compileEndpoints(input: EndpointsInput): EncodedResource[] {
  return portNames(input.ports).flatMap((port) =>
    input.subsets.map((subset) => {
      const name = `${input.key}|${port}|${subset}`;
      return encodeResource(ClusterLoadAssignment, name, {
        clusterName: name,
        endpoints: compileLocalities(membersOf(input, port, subset)),
      });
    }),
  );
}

/** An instance that serves the port. */
export interface Member {
  readonly instance: InstanceRecord;
  /** Where it is dialled. */
  readonly address: string;
  readonly portNumber: number;
  /** Whether an agent is there. */
  readonly hasAgent: boolean;
  /** Ids of other instances at the same place, which are not named but by their ids. */
  readonly others: readonly string[];
}

/** Whom a cluster consists of: each address once. */
export function membersOf(input: EndpointsInput, port: string, subset: string): Member[] {
  const wanted = Object.entries(subsetLabels(input.document, subset));
  const byAddress = new Map<string, Member & { readonly others: string[] }>();
  const candidates = input.instances
    .filter(({ state, labels }) => state !== 'starting' && wanted.every(([key, value]) => labels[key] === value))
    // Registration order differs between replicas.
    .sort((a, b) => preference.indexOf(a.state) - preference.indexOf(b.state) || (a.id < b.id ? -1 : 1));
  for (const instance of candidates) {
    const { address, ports, hasAgent } = placeOf(instance, input.document);
    const portNumber = portOf(ports, port) ?? (input.hasOnePort ? portOf(ports, '') : undefined);
    const key = `${address}|${portNumber}`;
    if (portNumber === undefined) continue;
    const present = byAddress.get(key);
    if (present === undefined) byAddress.set(key, { instance, address, portNumber, hasAgent, others: [] });
    else present.others.push(instance.id);
  }
  return [...byAddress.values()];
}

function portOf(ports: InstancePlace['ports'], name: string): number | undefined {
  return Object.hasOwn(ports, name) ? ports[name] : undefined;
}

function compileLocalities(members: readonly Member[]): Input<LocalityLbEndpoints>[] {
  const zones = [...new Set(members.map(({ instance }) => instance.zone))].sort();
  return zones.map((zone) => {
    const local = members
      .filter(({ instance }) => instance.zone === zone)
      .sort((a, b) => (a.instance.id < b.instance.id ? -1 : 1));
    const sum = local.reduce((sum, { instance }) => sum + instance.weight, 0);
    const weight = Math.min(sum, greatestWeight);
    return { locality: { zone }, lbEndpoints: local.map(compileEndpoint), loadBalancingWeight: { value: weight } };
  });
}

/**
 * `agent: false`: nobody there knows what agents tell each other, in requests or in answers. `others`: by whose names DNS leads
 * here too; sorted, for which of them is the best has nothing to do with it.
 */
function compileEndpoint({ instance, address, portNumber, hasAgent, others }: Member): Input<LbEndpoint> {
  const socketAddress = { protocol: SocketAddressProtocol.TCP, address, portValue: portNumber };
  const own = {
    instance: instance.id,
    ...(!hasAgent && { agent: false }),
    ...(others.length > 0 && { others: [...others].sort() }),
  };
  return {
    endpoint: { address: { socketAddress } },
    healthStatus: healthOf[instance.state === 'starting' ? 'passing' : instance.state],
    metadata: { filterMetadata: { sluice: toStruct(own) } },
    loadBalancingWeight: { value: instance.weight },
  };
}
