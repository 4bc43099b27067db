import { expect } from 'chai';
import fc from 'fast-check';
import type { Input } from '../../../proto/load.ts';
import type { Route, RouteMatch } from '../../../proto/types.ts';
import { holds, pathHolds, prepareMatch } from '../../../routing/match.ts';
import { createRouteTable } from '../../../routing/route-table.ts';
import { fuzzRuns, request, routeConfiguration } from './resources.ts';

// Few words, so that routes overlap and requests hit several of them.
const path = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/a/b/c', '/b', '*', '/aé');
const value = fc.constantFrom('1', '2', '3');
const header = fc.constantFrom('x-a', 'x-b', ':method');

const pathMatch: fc.Arbitrary<Input<RouteMatch>> = fc.oneof(
  path.map((text) => ({ path: text })),
  path.map((text) => ({ prefix: text })),
  path.map((text) => ({ pathSeparatedPrefix: text })),
  fc.constantFrom('/a.*', '.*b', '/|/b').map((regex) => ({ safeRegex: { regex } })),
);

const headerMatch = fc.oneof(
  { weight: 4, arbitrary: fc.record({ name: header, stringMatch: value.map((exact) => ({ exact })) }) },
  { weight: 1, arbitrary: fc.record({ name: header, presentMatch: fc.boolean() }) },
);

const queryMatch = fc.record({ name: fc.constantFrom('q', 'r'), stringMatch: value.map((exact) => ({ exact })) });

const anyRoute = fc
  .record({
    path: pathMatch,
    headers: fc.array(headerMatch, { maxLength: 2 }),
    queryParameters: fc.array(queryMatch, { maxLength: 1 }),
  })
  .map(({ path: condition, ...rest }): Input<RouteMatch> => ({ ...condition, ...rest }));

const anyRequest = fc
  .record({
    method: fc.constantFrom('1', '2', 'GET'),
    path,
    query: fc.constantFrom('', '?q=1', '?q=2&r=3'),
    headers: fc.dictionary(fc.constantFrom('x-a', 'x-b'), value),
  })
  .map(({ method, path: text, query, headers }) => request(`${method} ${text}${query}`, headers));

describe('the route index', () => {
  it('property: finds what asking one route after another finds', () => {
    fc.assert(
      fc.property(
        fc.array(anyRoute, { maxLength: 40 }),
        fc.array(anyRequest, { minLength: 1 }),
        (matches, requests) => {
          const routes = matches.map(
            (match, index): Input<Route> => ({ name: `r${index}`, match, route: { cluster: 'c' } }),
          );
          const config = routeConfiguration(routes);
          const table = createRouteTable(config, undefined, { agentId: 'a' });
          const prepared = config.virtualHosts[0]?.routes.map(({ name, match }) => ({
            name,
            match: prepareMatch(match, name),
          }));
          for (const one of requests) {
            const naive = prepared?.find(({ match }) => pathHolds(match.path, one.path) && holds(match, one));
            expect(table.route(one, Math.random)?.rule).to.equal(naive?.name);
          }
        },
      ),
      { numRuns: fuzzRuns },
    );
  });
});
