/** What the Route of a port with protocol tcp cannot say: there are no requests in it, only connections. */
import type { Path } from './problem.ts';
import type { Match, Route, Rule } from './route.ts';

/** Where a Route speaks of HTTP, in the order of the document. */
export function httpPartsOf(route: Route): Path[] {
  return route.spec.rules.flatMap((rule, index) => partsOf(rule).map((path) => ['spec', 'rules', index, ...path]));
}

/** All but name, backends and matches that have no condition. */
function partsOf(rule: Rule): Path[] {
  const matches = rule.match.flatMap((match, index) => (isOpen(match) ? [] : [['match', index]]));
  const fields = (['sticky', 'timeout', 'retry', 'mirror', 'fault', 'headers', 'rewrite', 'redirect'] as const).filter(
    (field) => rule[field] !== undefined,
  );
  return [...matches, ...fields.map((field) => [field])];
}

/** Whether the match has no condition. */
export function isOpen({ path, method, headers, query }: Match): boolean {
  return path === undefined && method === undefined && Object.keys({ ...headers, ...query }).length === 0;
}
