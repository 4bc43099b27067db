/**
 * Endpoints of gRPC clients. They go by the weights of localities and not by those of instances, so instances of one
 * weight share a locality; and they drop whatever is not healthy, so lost instances are healthy ones of the second
 * priority: used last.
 */
import { isHashPolicy, type TrafficPolicy } from '../../../model/traffic-policy.ts';
import type { Input } from '../../../proto/load.ts';
import {
  ClusterLoadAssignment,
  HealthStatus,
  type LbEndpoint,
  type LocalityLbEndpoints,
  SocketAddressProtocol,
} from '../../../proto/types.ts';
import { effectivePolicy } from '../effective-policy.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import { greatestWeight, type Member, membersOf } from '../endpoints.ts';
import { type EndpointsInput, portNames } from '../service-input.ts';

export interface GrpcEndpointsInput extends EndpointsInput {
  readonly policies: readonly TrafficPolicy[];
}

export function compileGrpcEndpoints(input: GrpcEndpointsInput): EncodedResource[] {
  return input.subsets.flatMap((subset) => {
    const isHashed = isHashPolicy(effectivePolicy(input.policies, subset).loadBalancer?.policy);
    return portNames(input.ports).map((port) => {
      const name = `${input.key}|${port}|${subset}`;
      const members = membersOf(input, port, subset);
      const first = members.filter(({ instance }) => instance.state === 'passing');
      const last = members.filter(({ instance }) => instance.state === 'lost');
      // Priorities have no gaps.
      const priorities = [first, last].filter((list) => list.length > 0);
      const group = isHashed ? together : byZoneAndWeight;
      return encodeResource(ClusterLoadAssignment, name, {
        clusterName: name,
        endpoints: priorities.flatMap((list, priority) => group(list).map((locality) => ({ ...locality, priority }))),
      });
    });
  });
}

/** The ring counts locality times instance: all share one, which weighs 1, and weigh what they weigh. */
function together(members: readonly Member[]): Input<LocalityLbEndpoints>[] {
  const zones = grouped(members, ({ instance }) => instance.zone);
  const [zone = ''] = zones.length === 1 ? (zones[0] ?? []) : [];
  const all = zones.flatMap(([, list]) => list);
  return [
    {
      locality: { zone },
      lbEndpoints: all.map((member) => compileEndpoint(member, member.instance.weight)),
      loadBalancingWeight: { value: 1 },
    },
  ];
}

function byZoneAndWeight(members: readonly Member[]): Input<LocalityLbEndpoints>[] {
  const total = members.reduce((sum, { instance }) => sum + instance.weight, 0);
  // All of one priority together are 32 bits.
  const shrink = Math.max(1, total / (greatestWeight - members.length));
  return grouped(members, ({ instance }) => instance.zone).flatMap(([zone, inZone]) => {
    const weights = grouped(inZone, ({ instance }) => String(instance.weight));
    return weights.map(([weight, list]) => ({
      locality: { zone, subZone: weights.length === 1 ? '' : `weight ${weight}` },
      lbEndpoints: list.map((member) => compileEndpoint(member, 1)),
      loadBalancingWeight: { value: Math.max(1, Math.floor((Number(weight) * list.length) / shrink)) },
    }));
  });
}

/** By key, both in order, whatever order instances came in. */
function grouped(members: readonly Member[], keyOf: (member: Member) => string): [string, Member[]][] {
  const groups = new Map<string, Member[]>();
  for (const member of [...members].sort((a, b) => (a.instance.id < b.instance.id ? -1 : 1))) {
    const key = keyOf(member);
    const group = groups.get(key);
    if (group) group.push(member);
    else groups.set(key, [member]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

function compileEndpoint({ address, portNumber }: Member, weight: number): Input<LbEndpoint> {
  const socketAddress = { protocol: SocketAddressProtocol.TCP, address, portValue: portNumber };
  return {
    endpoint: { address: { socketAddress } },
    healthStatus: HealthStatus.HEALTHY,
    loadBalancingWeight: { value: weight },
  };
}
