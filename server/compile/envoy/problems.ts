/** What documents ask for and an Envoy cannot do. */
import type { ClientProblem } from '../compiled-variant.ts';
import { protocolOf, type ServiceInput } from '../service-input.ts';

export function envoyProblems(input: ServiceInput): ClientProblem[] {
  return idleTimeoutsOfSubsets(input);
}

/** Envoy has one time for all connections of a listener. */
function idleTimeoutsOfSubsets(input: ServiceInput): ClientProblem[] {
  const { ports, policies, namespace, name } = input;
  if (!ports.some((port) => protocolOf(input, port.name) === 'tcp')) return [];
  return policies
    .filter(({ spec }) => spec.subset !== undefined && spec.connectionPool?.idleTimeout !== undefined)
    .map(({ metadata, spec }) => ({
      kind: 'envoy',
      document: `TrafficPolicy ${metadata.namespace}/${metadata.name}`,
      path: 'spec.connectionPool.idleTimeout',
      sentence:
        `an idle timeout of subset ${spec.subset} alone is not possible for connections of Envoy clients of ` +
        `${name}.${namespace}: they keep to that of the whole service`,
    }));
}
