import { expect } from 'chai';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import type { Input } from '../../../proto/load.ts';
import {
  FractionalPercentDenominatorType as Denominator,
  HeaderValueOptionHeaderAppendAction as HeaderAction,
  HTTPFault,
  RedirectActionRedirectResponseCode,
  type Route,
  type RouteAction,
  type RouteMatch,
} from '../../../proto/types.ts';
import { escapeValue, type HeaderEdits } from '../../../routing/header-edits.ts';
import { escapeSubstitution, prefixAndSlash, wholePath } from '../../../routing/path-change.ts';
import { UnusableError } from '../../../routing/refusal.ts';
import { plainPolicy, type RoutePolicy } from '../../../routing/route-policy.ts';
import { createRouteTable } from '../../../routing/route-table.ts';
import { fuzzRuns, routeConfiguration } from './resources.ts';

const all = { prefix: '/' };

function policyOf(route: Input<Route>): RoutePolicy {
  const table = createRouteTable(routeConfiguration([{ name: 'r', match: all, ...route }]), undefined, {
    agentId: 'a',
  });
  return table.routes[0]?.policy ?? plainPolicy;
}

function actionPolicy(action: Input<RouteAction>, match: Input<RouteMatch> = all): RoutePolicy {
  return policyOf({ match, route: { cluster: 'c', ...action } });
}

function fault(config: Input<HTTPFault>): Input<Route> {
  const value = HTTPFault.encode(config);
  return {
    route: { cluster: 'c' },
    typedPerFilterConfig: { 'envoy.filters.http.fault': { type_url: HTTPFault.typeUrl, value } },
  };
}

describe('the policy of a route', () => {
  it('is the plain one when the route says nothing', () => expect(actionPolicy({})).to.equal(plainPolicy));

  it('cannot be changed', () => {
    expect(Object.isFrozen(plainPolicy)).to.equal(true);
    expect(Object.isFrozen(actionPolicy({ timeout: { seconds: 1 } }))).to.equal(true);
  });

  it('has retries with all that is said of them', () => {
    const retryPolicy = {
      retryOn: 'connect-failure,refused-stream,reset,retriable-status-codes',
      numRetries: { value: 2 },
      perTryTimeout: { nanos: 500_000_000 },
      retriableStatusCodes: [503, 502],
      retryBackOff: { baseInterval: { nanos: 10_000_000 }, maxInterval: { seconds: 1 } },
    };
    expect(actionPolicy({ retryPolicy })).to.deep.equal({
      ...plainPolicy,
      retry: {
        attempts: 2,
        onConnectFailure: true,
        onRefused: true,
        onReset: true,
        statuses: new Set([502, 503]),
        perTryTimeoutMs: 500,
        backoffBaseMs: 10,
        backoffMaxMs: 1_000,
      },
    });
  });

  it("fills retries up with Envoy's defaults", () => {
    expect(actionPolicy({ retryPolicy: { retryOn: 'reset', retriableStatusCodes: [503] } }).retry).to.deep.equal({
      attempts: 1,
      onConnectFailure: false,
      onRefused: false,
      onReset: true,
      statuses: new Set(),
      perTryTimeoutMs: 0,
      backoffBaseMs: 25,
      backoffMaxMs: 250,
    });
  });

  it('has mirrors with their shares', () => {
    const requestMirrorPolicies = [
      { cluster: 'a' },
      { cluster: 'b', runtimeFraction: { defaultValue: { numerator: 5_000, denominator: Denominator.MILLION } } },
      { cluster: 'c', runtimeFraction: { defaultValue: { numerator: 0 } } },
    ];
    expect(actionPolicy({ requestMirrorPolicies }).mirrors).to.deep.equal([
      { cluster: 'a', percent: 100 },
      { cluster: 'b', percent: 0.5 },
    ]);
  });

  it('has faults with their shares', () => {
    const both = fault({
      delay: {
        fixedDelay: { nanos: 100_000_000 },
        percentage: { numerator: 125, denominator: Denominator.TEN_THOUSAND },
      },
      abort: { httpStatus: 503, percentage: { numerator: 10 } },
    });
    expect(policyOf(both)).to.deep.equal({
      ...plainPolicy,
      fault: { delay: { ms: 100, percent: 1.25 }, abort: { status: 503, percent: 10 } },
    });
  });

  it('is plain when its faults concern nobody', () => {
    expect(policyOf(fault({ delay: { fixedDelay: { seconds: 1 } }, abort: { httpStatus: 503 } }))).to.equal(
      plainPolicy,
    );
  });

  const edits: HeaderEdits = { set: [['x-a', '100%']], add: [['x-b', '']], remove: ['x-c'] };
  const wireEdits = [
    { header: { key: 'X-A', value: '100%%' }, appendAction: HeaderAction.OVERWRITE_IF_EXISTS_OR_ADD },
    { header: { key: 'x-b', value: '' }, keepEmptyValue: true },
    { header: { key: 'x-d', value: '' } },
  ];

  it('has edits of request headers', () => {
    const route = { route: { cluster: 'c' }, requestHeadersToAdd: wireEdits, requestHeadersToRemove: ['X-C'] };
    expect(policyOf(route)).to.deep.equal({ ...plainPolicy, requestHeaders: edits });
  });

  it('has edits of response headers, of a redirect too', () => {
    const route = { redirect: {}, responseHeadersToAdd: wireEdits, responseHeadersToRemove: ['X-C'] };
    expect(policyOf(route).responseHeaders).to.deep.equal(edits);
  });

  it('reads a value as it was before it was escaped', () => {
    for (const value of ['', '%', '%%', 'a%b%%c', '%REQ(host)%']) {
      const requestHeadersToAdd = [{ header: { key: 'x', value: escapeValue(value) }, keepEmptyValue: true }];
      const read = policyOf({ route: { cluster: 'c' }, requestHeadersToAdd }).requestHeaders;
      expect(read?.add).to.deep.equal([['x', value]]);
    }
  });

  describe('that cannot be used says why:', () => {
    const percentage = { numerator: 1, denominator: 7 as never };
    for (const { name, route, message } of [
      {
        name: 'an unknown condition of retries',
        route: { route: { cluster: 'c', retryPolicy: { retryOn: 'reset, 5xx' } } },
        message: 'routes[0].route.retryPolicy: retries on "5xx", which this agent does not know',
      },
      {
        name: 'a mirror to nowhere',
        route: { route: { cluster: 'c', requestMirrorPolicies: [{}] } },
        message: 'routes[0].route.requestMirrorPolicies[0]: has no cluster',
      },
      {
        name: 'an unknown filter',
        route: { route: { cluster: 'c' }, typedPerFilterConfig: { lua: {} } },
        message: 'routes[0].typedPerFilterConfig: has the filter lua, which this agent does not know',
      },
      {
        name: 'an unknown configuration of faults',
        route: { route: { cluster: 'c' }, typedPerFilterConfig: { 'envoy.filters.http.fault': { type_url: 'x' } } },
        message:
          'routes[0].typedPerFilterConfig: envoy.filters.http.fault is configured by a x, which this agent does not know',
      },
      {
        name: 'an unknown kind of delay',
        route: fault({ delay: { percentage: { numerator: 1 } } }),
        message: 'routes[0].typedPerFilterConfig.delay: has a kind of delay that this agent does not know',
      },
      {
        name: 'an unknown denominator',
        route: fault({ delay: { fixedDelay: { seconds: 1 }, percentage } }),
        message: 'routes[0].typedPerFilterConfig.delay: has a denominator that this agent does not know',
      },
      {
        name: 'an abort without status',
        route: fault({ abort: { percentage: { numerator: 1 } } }),
        message: 'routes[0].typedPerFilterConfig.abort: has no HTTP status from 200 to 599',
      },
      {
        name: 'a variable in a header value',
        route: { route: { cluster: 'c' }, requestHeadersToAdd: [{ header: { key: 'x', value: '%PROTOCOL%' } }] },
        message: 'routes[0].requestHeaders: the value "%PROTOCOL%" has a variable, which this agent does not know',
      },
      {
        name: 'a header without a name',
        route: { route: { cluster: 'c' }, requestHeadersToRemove: [''] },
        message: 'routes[0].requestHeaders: has a header without a name',
      },
      {
        name: 'a header value with a line end',
        route: { route: { cluster: 'c' }, requestHeadersToAdd: [{ header: { key: 'x', value: 'a\r\nb: c' } }] },
        message: 'routes[0].requestHeaders: "a\\r\\nb: c" cannot be the value of a header',
      },
      {
        name: 'a header value of which octets would be a line end',
        route: { route: { cluster: 'c' }, responseHeadersToAdd: [{ header: { key: 'x', value: '\u010d\u010a' } }] },
        message: 'routes[0].responseHeaders: "\u010d\u010a" cannot be the value of a header',
      },
      {
        name: 'a header name that is none',
        route: { route: { cluster: 'c' }, requestHeadersToAdd: [{ header: { key: 'a: b\r\nc', value: '1' } }] },
        message: 'routes[0].requestHeaders: "a: b\\r\\nc" cannot be the name of a header or a cookie',
      },
      ...[
        { action: { prefixRewrite: '/a HTTP/1.1\r\nb: c' }, text: '/a HTTP/1.1\r\nb: c' },
        { action: { hostRewriteLiteral: 'a\r\nb: c' }, text: 'a\r\nb: c' },
        { action: { regexRewrite: { pattern: { regex: wholePath }, substitution: '/a b' } }, text: '/a b' },
      ].map(({ action, text }) => ({
        name: `a rewrite to ${JSON.stringify(text)}`,
        route: { route: { cluster: 'c', ...action } },
        message: `routes[0].route: ${JSON.stringify(text)} has a character that no path, host or id has`,
      })),
      ...[{ hostRedirect: 'a\r\nb: c' }, { pathRedirect: '/\u010a' }, { prefixRewrite: '/a\nb' }].map((redirect) => ({
        name: `a redirect to ${JSON.stringify(Object.values(redirect)[0])}`,
        route: { redirect },
        message: `routes[0].redirect: ${JSON.stringify(Object.values(redirect)[0])} has a character that no path, host or id has`,
      })),
      {
        name: 'another way of changing a header',
        route: {
          route: { cluster: 'c' },
          requestHeadersToAdd: [{ header: { key: 'x', value: '1' }, appendAction: HeaderAction.ADD_IF_ABSENT }],
        },
        message: 'routes[0].requestHeaders: changes a header in a way that this agent does not know',
      },
      {
        name: 'another rewrite',
        route: { route: { cluster: 'c', regexRewrite: { pattern: { regex: 'a' }, substitution: 'b' } } },
        message: 'routes[0].route: rewrites the path by "a", which this agent does not know',
      },
      {
        name: 'a rewrite with groups',
        route: { route: { cluster: 'c', regexRewrite: { pattern: { regex: wholePath }, substitution: '/\\1' } } },
        message: `routes[0].route: rewrites the path by ${JSON.stringify(wholePath)}, which this agent does not know`,
      },
      {
        name: 'an unknown status of a redirect',
        route: { redirect: { responseCode: 9 as never } },
        message: 'routes[0].redirect: has no status that this agent knows',
      },
    ]) {
      it(name, () => expect(() => policyOf(route)).to.throw(UnusableError, message));
    }
  });
});

describe('a rewrite', () => {
  const prefix = (path: string): Input<RouteMatch> => ({ pathSeparatedPrefix: path });
  const strip = (path: string) => ({ regexRewrite: { pattern: { regex: prefixAndSlash(path) }, substitution: '/' } });
  const full = (path: string) => ({
    regexRewrite: { pattern: { regex: wholePath }, substitution: escapeSubstitution(path) },
  });
  for (const { name, action, match, from, to } of [
    { name: 'replaces a prefix', action: { prefixRewrite: '/v2' }, match: prefix('/api'), from: '/api/x', to: '/v2/x' },
    { name: 'replaces all there is', action: { prefixRewrite: '/v2' }, match: prefix('/api'), from: '/api', to: '/v2' },
    {
      name: 'keeps a slash behind the prefix',
      action: { prefixRewrite: '/v2' },
      match: prefix('/api'),
      from: '/api/',
      to: '/v2/',
    },
    { name: 'takes a prefix away', action: strip('/api'), match: prefix('/api'), from: '/api/x', to: '/x' },
    { name: 'leaves a path when it takes all', action: strip('/api'), match: prefix('/api'), from: '/api', to: '/' },
    { name: 'makes no double slash', action: strip('/api'), match: prefix('/api'), from: '/api/', to: '/' },
    { name: 'knows dots in a prefix', action: strip('/a.b(c)'), match: prefix('/a.b(c)'), from: '/a.b(c)/x', to: '/x' },
    { name: 'puts a prefix before all', action: { prefixRewrite: '/v2/' }, match: all, from: '/x', to: '/v2/x' },
    { name: 'leaves the asterisk alone', action: { prefixRewrite: '/v2/' }, match: all, from: '*', to: '*' },
    { name: 'replaces the whole path', action: full('/x\\y'), match: prefix('/api'), from: '/api/x', to: '/x\\y' },
    { name: 'leaves the asterisk alone as a whole', action: full('/x'), match: all, from: '*', to: '*' },
    {
      name: 'replaces an exact path as a whole',
      action: { prefixRewrite: '/b' },
      match: { path: '/a' },
      from: '/a',
      to: '/b',
    },
  ]) {
    it(`${name}: ${from} to ${to}`, () => {
      const { rewrite } = actionPolicy(action, match);
      expect(rewrite).to.include({ changesPath: true, host: undefined });
      expect(rewrite?.path(from)).to.equal(to);
    });
  }

  it('property: is what an Envoy makes of the same expression, for any prefix', () => {
    const element = fc.stringMatching(/^[!-.0->@-~]{1,6}$/);
    const anyPath = fc.array(element, { minLength: 1, maxLength: 3 }).map((elements) => `/${elements.join('/')}`);
    const behind = fc.oneof(fc.constantFrom('', '/', '//x'), anyPath);
    fc.assert(
      fc.property(anyPath, behind, anyPath, (from, rest, to) => {
        for (const action of [strip(from), full(to)]) {
          const { pattern, substitution } = action.regexRewrite;
          const ours = actionPolicy(action, prefix(from)).rewrite?.path(from + rest);
          // The expression begins with "^", so there is one match; a pair of backslashes stands for one, as in RE2.
          const matcher = RE2JS.compile(pattern.regex).matcher(from + rest);
          expect(matcher.find()).to.equal(true);
          const theirs = substitution.replaceAll('\\\\', '\\') + (from + rest).slice(matcher.end());
          expect(ours).to.equal(theirs);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });

  it('of the host leaves the path as it is', () => {
    const { rewrite } = actionPolicy({ hostRewriteLiteral: 'reviews.internal' });
    expect(rewrite).to.include({ changesPath: false, host: 'reviews.internal' });
    expect(rewrite?.path('/a')).to.equal('/a');
  });
});

describe('a redirect', () => {
  const request = { scheme: 'http', host: 'shop.example:8080', path: '/api/x', query: 'a=1' };
  const api = { pathSeparatedPrefix: '/api' };
  const strip = { regexRewrite: { pattern: { regex: prefixAndSlash('/api') }, substitution: '/' } };
  for (const { name, redirect, from, want } of [
    { name: 'to another host', redirect: { hostRedirect: 'h' }, from: {}, want: 'http://h/api/x?a=1' },
    { name: 'to another path', redirect: { pathRedirect: '/y' }, from: {}, want: 'http://shop.example:8080/y?a=1' },
    { name: 'without a query', redirect: { hostRedirect: 'h' }, from: { query: '' }, want: 'http://h/api/x' },
    {
      name: 'to another prefix',
      redirect: { prefixRewrite: '/v2', hostRedirect: 'h' },
      from: { scheme: 'https' },
      want: 'https://h/v2/x?a=1',
    },
    { name: 'without a prefix', redirect: strip, from: {}, want: 'http://shop.example:8080/x?a=1' },
    { name: 'of OPTIONS *', redirect: { hostRedirect: 'h' }, from: { path: '*', query: '' }, want: 'http://h/' },
  ]) {
    it(`leads ${name}`, () => {
      const policy = policyOf({ match: api, redirect });
      expect(policy.redirect?.location({ ...request, ...from })).to.equal(want);
    });
  }

  it('has the status that is asked for', () => {
    const statuses = Object.values(RedirectActionRedirectResponseCode).map(
      (responseCode) => policyOf({ redirect: { responseCode } }).redirect?.status,
    );
    expect(statuses).to.deep.equal([301, 302, 303, 307, 308]);
  });
});
