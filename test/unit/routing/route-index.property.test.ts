import { expect } from 'chai';
import fc from 'fast-check';
import type { Input } from '../../../proto/load.ts';
import type { Route } from '../../../proto/types.ts';
import { hold, pathHolds, prepareMatch } from '../../../routing/match.ts';
import type { RouteRequest } from '../../../routing/request.ts';
import { createRouteTable } from '../../../routing/route-table.ts';
import { anyMatch, anyRequest } from './arbitraries.ts';
import { fuzzRuns, request, route, routeConfiguration } from './resources.ts';

describe('the route index', () => {
  it('property: finds what asking one route after another finds', () => {
    fc.assert(
      fc.property(
        fc.array(anyMatch, { maxLength: 40 }),
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
            const naive = prepared?.find(({ match }) => pathHolds(match.path, one.path) && hold(match.conditions, one));
            expect(table.route(one, Math.random)?.rule).to.equal(naive?.name);
          }
        },
      ),
      { numRuns: fuzzRuns },
    );
  });

  describe('reads of a request', () => {
    const method = (exact: string) => ({ prefix: '/', headers: [{ name: ':method', stringMatch: { exact } }] });
    for (const { name, matches, want } of [
      { name: 'nothing for a route that takes everything', matches: [{ prefix: '/' }], want: [] },
      { name: 'the method alone when no more is asked', matches: [method('PUT'), { prefix: '/' }], want: ['method'] },
      { name: 'the path when a route wants one', matches: [{ path: '/x' }, { prefix: '/' }], want: ['path'] },
      {
        name: 'no header for routes that stand behind the one found',
        matches: [{ path: '/a' }, ...Array.from({ length: 20 }, (_, index) => headerMatch(`${index}`))],
        want: ['path'],
      },
      {
        name: 'one header for many routes that differ in it',
        matches: Array.from({ length: 1_000 }, (_, index) => headerMatch(`${index}`)),
        want: ['x-a'],
      },
      {
        name: 'the query when a route wants a parameter',
        matches: [{ prefix: '/', queryParameters: [{ name: 'q', presentMatch: true }] }],
        want: ['query'],
      },
    ]) {
      it(name, () => {
        const routes = matches.map((match, index) => route(`r${index}`, { cluster: 'c' }, match));
        const table = createRouteTable(routeConfiguration(routes), undefined, { agentId: 'a' });
        const { asked, read } = recorded(request('GET /a?b=c', { 'x-a': 'none' }));
        table.route(asked, Math.random);
        expect([...read]).to.deep.equal(want);
      });
    }
  });
});

function headerMatch(exact: string) {
  return { prefix: '/', headers: [{ name: 'x-a', stringMatch: { exact } }] };
}

/** The request, and what of it was read, by name. */
function recorded(from: RouteRequest): { asked: RouteRequest; read: Set<string> } {
  const read = new Set<string>();
  const note = <T>(name: string, value: T): T => {
    read.add(name);
    return value;
  };
  const asked: RouteRequest = {
    get method() {
      return note('method', from.method);
    },
    get path() {
      return note('path', from.path);
    },
    get query() {
      return note('query', from.query);
    },
    header: (name) => note(name, from.header(name)),
  };
  return { asked, read };
}
