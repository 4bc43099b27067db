/** What documents ask for and an Envoy cannot do. */
import { type ClientProblem, documentName } from '../compiled-variant.ts';
import { protocolOf, type ServiceInput } from '../service-input.ts';

export function envoyProblems(input: ServiceInput): ClientProblem[] {
  return [...dates(input), ...idleTimeoutsOfSubsets(input)];
}

/** Envoy writes it into every answer, after all that a rule does. */
function dates({ routes, namespace, name }: ServiceInput): ClientProblem[] {
  return routes.flatMap((route) =>
    route.spec.rules.flatMap(({ headers }, index) => {
      const { set = {}, add = {}, remove = [] } = headers?.response ?? {};
      const fields = [...Object.keys(set), ...Object.keys(add), ...remove];
      if (!fields.some((field) => field.toLowerCase() === 'date')) return [];
      return {
        kind: 'envoy' as const,
        document: documentName(route),
        path: `spec.rules[${index}].headers.response`,
        sentence: `the header date of answers cannot be changed for Envoy clients of ${name}.${namespace}: Envoy writes it itself`,
      };
    }),
  );
}

/** Envoy has one time for all connections of a listener. */
function idleTimeoutsOfSubsets(input: ServiceInput): ClientProblem[] {
  const { ports, policies, namespace, name } = input;
  if (!ports.some((port) => protocolOf(input, port.name) === 'tcp')) return [];
  return policies
    .filter(({ spec }) => spec.subset !== undefined && spec.connectionPool?.idleTimeout !== undefined)
    .map((policy) => ({
      kind: 'envoy',
      document: documentName(policy),
      path: 'spec.connectionPool.idleTimeout',
      sentence:
        `an idle timeout of subset ${policy.spec.subset} alone is not possible for connections of Envoy clients of ` +
        `${name}.${namespace}: they keep to that of the whole service`,
    }));
}
