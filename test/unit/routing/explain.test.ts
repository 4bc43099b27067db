import { expect } from 'chai';
import fc from 'fast-check';
import type { Input } from '../../../proto/load.ts';
import { HTTPFault, type Route, type RouteAction } from '../../../proto/types.ts';
import { explain } from '../../../routing/explain.ts';
import { createRouteTable, type RouteTable } from '../../../routing/route-table.ts';
import { anyMatch, anyRequest } from './arbitraries.ts';
import { fuzzRuns, request, route, routeConfiguration, seededRandom, sticky, weighted } from './resources.ts';

function table(...routes: Input<Route>[]): RouteTable {
  return createRouteTable(routeConfiguration(routes), undefined, { agentId: 'web-1' });
}

describe('an explanation', () => {
  it('names the rule, why the ones before did not take the request, and where it goes', () => {
    const canary = table(
      route('shop/exact', { cluster: 'v3' }, { path: '/a' }),
      route(
        'shop/beta',
        { cluster: 'v2' },
        { pathSeparatedPrefix: '/api', headers: [{ name: 'x-beta', stringMatch: { exact: '1' } }] },
      ),
      route('shop/canary', weighted({ v1: 90, v2: 10 }), { pathSeparatedPrefix: '/api' }),
      route('shop/rest', { cluster: 'v1' }),
    );
    expect(explain(canary, request('GET /api/x', { 'x-beta': '2' }))).to.deep.equal({
      table: 'reviews.default:9080',
      passedOver: [
        { rule: 'shop/exact', because: 'the path must be "/a"; it is "/api/x"' },
        { rule: 'shop/beta', because: 'header "x-beta" must be "1"; it is "2"' },
      ],
      taken: {
        rule: 'shop/canary',
        match: ['the path must be "/api" or begin with "/api/"'],
        cluster: canary.route(request('GET /api/x'), Math.random)?.cluster,
        split: [
          { cluster: 'v1', weight: 9, percent: 90 },
          { cluster: 'v2', weight: 1, percent: 10 },
        ],
        sticky: undefined,
        policy: [],
      },
    });
  });

  it('says of every route why it does not take a request that none takes', () => {
    const strict = table(
      route('r/a', { cluster: 'c' }, { path: '/a' }),
      route('r/b', { cluster: 'c' }, { prefix: '/b' }),
    );
    expect(explain(strict, request('GET /c'))).to.deep.equal({
      table: 'reviews.default:9080',
      passedOver: [
        { rule: 'r/a', because: 'the path must be "/a"; it is "/c"' },
        { rule: 'r/b', because: 'the path must begin with "/b"; it is "/c"' },
      ],
      taken: undefined,
    });
  });

  const everything = { prefix: '/' };
  for (const { because, match } of [
    {
      because: 'the path must match the regular expression "/v[0-9]"; it is "/a"',
      match: { safeRegex: { regex: '/v[0-9]' } },
    },
    {
      because: 'the method must be "POST"; it is "GET"',
      match: { ...everything, headers: [{ name: ':method', stringMatch: { exact: 'POST' } }] },
    },
    {
      because: 'header "x-a" must begin with "v"; it is missing',
      match: { ...everything, headers: [{ name: 'X-A', stringMatch: { prefix: 'v' } }] },
    },
    {
      because: 'header "x-b" must not be there; it is "1"',
      match: { ...everything, headers: [{ name: 'x-b', presentMatch: false }] },
    },
    {
      because: 'header "x-b" must end with "z", upper or lower case; it is "1"',
      match: { ...everything, headers: [{ name: 'x-b', stringMatch: { suffix: 'z', ignoreCase: true } }] },
    },
    {
      because: 'query parameter "debug" must be there; it is missing',
      match: { ...everything, queryParameters: [{ name: 'debug', presentMatch: true }] },
    },
    {
      because: 'query parameter "q" must contain "y"; it is "x"',
      match: { ...everything, queryParameters: [{ name: 'q', stringMatch: { contains: 'y' } }] },
    },
  ]) {
    it(`has the sentence: ${because}`, () => {
      const { passedOver } = explain(table(route('r', { cluster: 'c' }, match)), request('GET /a?q=x', { 'x-b': '1' }));
      expect(passedOver).to.deep.equal([{ rule: 'r', because }]);
    });
  }

  it('names the sticky key with its value, and the target that it always has', () => {
    const byHeader = table(route('r', sticky({ v1: 50, v2: 50 }, { header: 'x-user' })));
    const ann = request('GET /', { 'x-user': 'ann' });
    const cluster = byHeader.route(ann, Math.random)?.cluster;
    expect(explain(byHeader, ann).taken).to.deep.include({
      cluster,
      sticky: { key: 'header "x-user"', value: 'ann', cluster },
    });
  });

  it('says when the sticky key is missing', () => {
    const byCookie = table(route('r', sticky({ v1: 50, v2: 50 }, { cookie: 'canary' })));
    const { taken } = explain(byCookie, request('GET /', { cookie: 'other=1' }));
    expect(taken?.sticky).to.deep.equal({ key: 'cookie "canary"', value: undefined, cluster: undefined });
  });

  it('says where a redirect leads', () => {
    const moved = table({ name: 'r', match: everything, redirect: { hostRedirect: 'new.example', responseCode: 4 } });
    expect(explain(moved, request('GET /a?b=c')).taken).to.deep.include({
      cluster: '',
      split: [],
      policy: ['answered with 308 to http://new.example/a?b=c'],
    });
  });

  it('says everything that the rule does to the request', () => {
    const action: Input<RouteAction> = {
      cluster: 'v1',
      timeout: { seconds: 2 },
      retryPolicy: {
        retryOn: 'connect-failure,reset,retriable-status-codes',
        retriableStatusCodes: [503],
        numRetries: { value: 2 },
        perTryTimeout: { nanos: 500_000_000 },
      },
      requestMirrorPolicies: [{ cluster: 'v3', runtimeFraction: { defaultValue: { numerator: 5 } } }],
      prefixRewrite: '/v2/',
      hostRewriteLiteral: 'reviews.internal',
    };
    const value = HTTPFault.encode({
      delay: { fixedDelay: { nanos: 100_000_000 }, percentage: { numerator: 1 } },
      abort: { httpStatus: 503, percentage: { numerator: 2 } },
    });
    const everySaid = table({
      ...route('r', action),
      typedPerFilterConfig: { 'envoy.filters.http.fault': { type_url: HTTPFault.typeUrl, value } },
      requestHeadersToAdd: [{ header: { key: 'x-a', value: '1' }, appendAction: 2 }],
      requestHeadersToRemove: ['x-b'],
      responseHeadersToAdd: [{ header: { key: 'x-c', value: '2' } }],
    });
    expect(explain(everySaid, request('GET /a')).taken?.policy).to.deep.equal([
      'ends after 2s',
      'tried again up to 2 times on connect-failure, reset, 503, each try for 500ms',
      '1 % are delayed by 100ms',
      '2 % are answered with 503',
      '5 % are copied to v3',
      'the path becomes "/v2/a"',
      'the host becomes "reviews.internal"',
      'request header "x-b" is removed',
      'request header "x-a" is set to "1"',
      'response header "x-c" is added with "2"',
    ]);
  });

  it('property: names the rule and the cluster that the request then takes, and changes neither', () => {
    const actions = [
      { cluster: 'c' },
      weighted({ v1: 2, v2: 1, v3: 4 }),
      sticky({ v1: 2, v2: 1 }, { header: 'x-a' }),
      sticky({ v1: 2, v2: 1 }, { cookie: 'k' }),
    ];
    const anyRoute = fc.record({ match: anyMatch, action: fc.constantFrom(...actions) });
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 20 }), fc.array(anyRequest, { minLength: 1 }), (list, requests) => {
        const routes = list.map(({ match, action }, index) => route(`r${index}`, action, match));
        const [explained, plain] = [table(...routes), table(...routes)];
        const [first, second] = [seededRandom(1), seededRandom(1)];
        for (const one of requests) {
          const { taken, passedOver } = explain(explained, one);
          const decision = explained.route(one, first);
          expect([taken?.rule, taken?.cluster]).to.deep.equal([decision?.rule, decision?.cluster]);
          expect(passedOver.map(({ rule }) => rule)).to.deep.equal(
            routes
              .slice(0, decision === undefined ? undefined : Number(decision.rule.slice(1)))
              .map(({ name }) => name),
          );
          expect(decision).to.deep.equal(plain.route(one, second));
        }
      }),
      { numRuns: fuzzRuns },
    );
  });
});
