import { expect } from 'chai';
import type { Input } from '../../../proto/load.ts';
import type { Route, RouteMatch } from '../../../proto/types.ts';
import { UnusableError } from '../../../routing/refusal.ts';
import { plainPolicy } from '../../../routing/route-policy.ts';
import { createRouteTable, type RouteTable } from '../../../routing/route-table.ts';
import { request, route, routeConfiguration, seededRandom, sticky, weighted } from './resources.ts';

const agent = { agentId: 'web-1' };

function table(routes: readonly Input<Route>[], previous?: RouteTable, options = agent): RouteTable {
  return createRouteTable(routeConfiguration(routes), previous, options);
}

/** Whether a match takes a request: the table has this match and a default. */
function takes(match: Input<RouteMatch>, line: string, headers: Record<string, string> = {}): boolean {
  const both = table([route('it', { cluster: 'it' }, match), route('default', { cluster: 'default' })]);
  return both.route(request(line, headers), Math.random)?.cluster === 'it';
}

/** The clusters of so many requests in a row. */
function picks(from: RouteTable, count: number, line = 'GET /', headers: Record<string, string> = {}): string[] {
  return Array.from({ length: count }, () => from.route(request(line, headers), Math.random)?.cluster ?? 'none');
}

function countOf(list: readonly string[], name: string): number {
  return list.filter((item) => item === name).length;
}

describe('a match', () => {
  const everything = { prefix: '/' };
  for (const { name, match, line, headers, want } of [
    { name: 'takes an exact path', match: { path: '/a' }, line: 'GET /a', want: true },
    { name: 'takes an exact path whatever the query', match: { path: '/a' }, line: 'GET /a?b=/c', want: true },
    { name: 'does not take a longer path for an exact one', match: { path: '/a' }, line: 'GET /a/', want: false },
    { name: 'minds the case of paths', match: { path: '/a' }, line: 'GET /A', want: false },
    { name: 'takes every path by the prefix "/"', match: { prefix: '/' }, line: 'GET /x/y', want: true },
    { name: 'takes the asterisk of OPTIONS by the prefix "/"', match: { prefix: '/' }, line: 'OPTIONS *', want: true },
    { name: 'takes a plain prefix inside an element', match: { prefix: '/a' }, line: 'GET /ab', want: true },
    { name: 'takes the elements of a prefix', match: { pathSeparatedPrefix: '/api' }, line: 'GET /api/x', want: true },
    { name: 'takes the prefix itself', match: { pathSeparatedPrefix: '/api' }, line: 'GET /api', want: true },
    { name: 'takes the prefix and a query', match: { pathSeparatedPrefix: '/api' }, line: 'GET /api?x', want: true },
    {
      name: 'does not end a prefix in an element',
      match: { pathSeparatedPrefix: '/api' },
      line: 'GET /apis',
      want: false,
    },
    { name: 'ignores a slash behind a prefix', match: { pathSeparatedPrefix: '/api/' }, line: 'GET /api', want: true },
    {
      name: 'takes a regular expression',
      match: { safeRegex: { regex: '/v[0-9]+/.*' } },
      line: 'GET /v1/x',
      want: true,
    },
    {
      name: 'wants the whole path to match it',
      match: { safeRegex: { regex: '/v[0-9]' } },
      line: 'GET /v1/x',
      want: false,
    },
    {
      name: 'tries every alternative for the whole',
      match: { safeRegex: { regex: '/a|/ab' } },
      line: 'GET /ab',
      want: true,
    },
    {
      name: 'takes a method',
      match: { ...everything, headers: [{ name: ':method', stringMatch: { exact: 'POST' } }] },
      line: 'POST /',
      want: true,
    },
    {
      name: 'does not take another method',
      match: { ...everything, headers: [{ name: ':method', stringMatch: { exact: 'POST' } }] },
      line: 'GET /',
      want: false,
    },
    {
      name: 'takes a header whatever the case of its name',
      match: { ...everything, headers: [{ name: 'X-Beta', stringMatch: { exact: '1' } }] },
      line: 'GET /',
      headers: { 'x-beta': '1' },
      want: true,
    },
    {
      name: 'compares a repeated header joined by a comma',
      match: { ...everything, headers: [{ name: 'x-a', stringMatch: { exact: '1,2' } }] },
      line: 'GET /',
      headers: { 'x-a': '1,2' },
      want: true,
    },
    {
      name: 'wants all headers',
      match: {
        ...everything,
        headers: [
          { name: 'x-a', presentMatch: true },
          { name: 'x-b', presentMatch: true },
        ],
      },
      line: 'GET /',
      headers: { 'x-a': '1' },
      want: false,
    },
    {
      name: 'takes a header that must be absent',
      match: { ...everything, headers: [{ name: 'x-a', presentMatch: false }] },
      line: 'GET /',
      want: true,
    },
    {
      name: 'reads presentMatch: false off the wire as absent',
      match: { ...everything, headers: [{ name: 'x-a', presentMatch: false }] },
      line: 'GET /',
      headers: { 'x-a': '' },
      want: false,
    },
    {
      name: 'does not take an absent header for an empty one',
      match: { ...everything, headers: [{ name: 'x-a', stringMatch: { exact: '' } }] },
      line: 'GET /',
      want: false,
    },
    {
      name: 'takes a header by prefix, suffix and part',
      match: {
        ...everything,
        headers: [
          { name: 'x-a', stringMatch: { prefix: 'ab' } },
          { name: 'x-a', stringMatch: { suffix: 'ef' } },
          { name: 'x-a', stringMatch: { contains: 'cd' } },
        ],
      },
      line: 'GET /',
      headers: { 'x-a': 'abcdef' },
      want: true,
    },
    {
      name: 'ignores case where it is told to',
      match: { ...everything, headers: [{ name: 'x-a', stringMatch: { exact: 'YES', ignoreCase: true } }] },
      line: 'GET /',
      headers: { 'x-a': 'yes' },
      want: true,
    },
    {
      name: 'takes a header by regular expression',
      match: { ...everything, headers: [{ name: 'x-a', stringMatch: { safeRegex: { regex: '[a-c]+' } } }] },
      line: 'GET /',
      headers: { 'x-a': 'abc' },
      want: true,
    },
    {
      name: 'takes a decoded query parameter',
      match: { ...everything, queryParameters: [{ name: 'q', stringMatch: { exact: 'a b' } }] },
      line: 'GET /?q=a%20b',
      want: true,
    },
    {
      name: 'takes a query parameter that is there',
      match: { ...everything, queryParameters: [{ name: 'debug', presentMatch: true }] },
      line: 'GET /?debug',
      want: true,
    },
    {
      name: 'minds the case of query parameters',
      match: { ...everything, queryParameters: [{ name: 'debug', presentMatch: true }] },
      line: 'GET /?Debug',
      want: false,
    },
  ]) {
    it(name, () => expect(takes(match, line, headers)).to.equal(want));
  }
});

describe('a route table', () => {
  it('says rule, cluster and policy', () => {
    const only = table([route('canary/beta', { cluster: 'v1', timeout: { seconds: 1, nanos: 500_000_000 } })]);
    expect(only.route(request('GET /'), Math.random)).to.deep.equal({
      rule: 'canary/beta',
      cluster: 'v1',
      policy: { ...plainPolicy, timeoutMs: 1_500 },
      setCookie: undefined,
      counter: undefined,
    });
  });

  it('gives all backends of a route the one policy, and every route that says nothing the plain one', () => {
    const both = table([
      route('a', { ...weighted({ x: 1, y: 1 }), timeout: { seconds: 1 } }, { path: '/a' }),
      route('b', { cluster: 'x', timeout: { seconds: 0 } }),
    ]);
    const [first, second] = ['GET /a', 'GET /a'].map((line) => both.route(request(line), Math.random)?.policy);
    expect(first).to.equal(second).and.not.equal(plainPolicy);
    expect(both.route(request('GET /'), Math.random)?.policy).to.equal(plainPolicy);
  });

  it('sends what is redirected nowhere', () => {
    const redirect = table([{ name: 'a', match: { prefix: '/' }, redirect: { hostRedirect: 'h' } }]);
    const decision = redirect.route(request('GET /'), Math.random);
    expect(decision).to.include({ rule: 'a', cluster: '', setCookie: undefined });
    expect(decision?.policy.redirect?.status).to.equal(301);
    expect(redirect.clusters).to.deep.equal(new Set());
  });

  it('names clusters that only copies go to', () => {
    const requestMirrorPolicies = [
      { cluster: 'copy' },
      { cluster: 'never', runtimeFraction: { defaultValue: { numerator: 0 } } },
    ];
    expect([...table([route('a', { cluster: 'x', requestMirrorPolicies })]).clusters]).to.deep.equal(['x', 'copy']);
  });

  it('takes the first route that holds', () => {
    const both = table([route('a', { cluster: 'a' }), route('b', { cluster: 'b' })]);
    expect(picks(both, 1)).to.deep.equal(['a']);
  });

  it('has no decision for what no route takes', () => {
    expect(picks(table([route('a', { cluster: 'a' }, { path: '/a' })]), 1)).to.deep.equal(['none']);
  });

  it('names every cluster that it can choose, and none of weight 0', () => {
    const both = table([route('a', { cluster: 'x' }), route('b', weighted({ y: 1, z: 0 }))]);
    expect([...both.clusters].sort()).to.deep.equal(['x', 'y']);
  });

  it('splits 10,000 requests at 90:10 into exactly 9,000 and 1,000', () => {
    const list = picks(table([route('canary', weighted({ v1: 90, v2: 10 }))]), 10_000);
    expect([countOf(list, 'v1'), countOf(list, 'v2')]).to.deep.equal([9_000, 1_000]);
  });

  it('shares one split among all matches of a rule', () => {
    const canary = weighted({ v1: 50, v2: 50 });
    const two = table([route('canary', canary, { path: '/a' }), route('canary', canary, { path: '/b' })]);
    const list = Array.from({ length: 50 }, () => [...picks(two, 1, 'GET /a'), ...picks(two, 1, 'GET /b')]).flat();
    expect(countOf(list, 'v1')).to.equal(50);
    expect(countOf([...picks(two, 3, 'GET /a'), ...picks(two, 1, 'GET /b')], 'v1')).to.equal(2);
  });

  it('splits each rule by itself', () => {
    const canary = weighted({ v1: 50, v2: 50 });
    const two = table([route('a', canary, { path: '/a' }), route('b', canary, { path: '/b' })]);
    const lists = [picks(two, 100, 'GET /a'), picks(two, 51, 'GET /b').slice(1)];
    expect(lists.map((list) => countOf(list, 'v1'))).to.deep.equal([50, 25]);
  });

  it('lets agents start at different places of a split', () => {
    const firsts = Array.from({ length: 300 }, (_, index) => {
      const canary = table([route('canary', weighted({ v1: 90, v2: 10 }))], undefined, { agentId: `web-${index}` });
      return picks(canary, 1)[0] ?? '';
    });
    expect(countOf(firsts, 'v2')).to.be.within(10, 60);
  });

  it('goes on with a split whose shares are unchanged, however they are written', () => {
    const before = table([route('canary', weighted({ v1: 90, v2: 10 }))]);
    const head = picks(before, 7);
    const after = table(
      [route('canary', weighted({ v2: 1, v1: 9, v3: 0 }), { path: '/new' }), route('x', { cluster: 'x' })],
      before,
    );
    const tail = picks(after, 3, 'GET /new');
    expect(countOf([...head, ...tail], 'v2')).to.equal(1);
    expect(after.choices.get('canary')?.split).to.equal(before.choices.get('canary')?.split);
  });

  it('starts a split again at its phase when a share changes', () => {
    const fresh = picks(table([route('canary', weighted({ v1: 80, v2: 20 }))]), 10);
    const before = table([route('canary', weighted({ v1: 90, v2: 10 }))]);
    picks(before, 7);
    const after = table([route('canary', weighted({ v1: 80, v2: 20 }))], before);
    expect(picks(after, 10)).to.deep.equal(fresh);
  });

  for (const { name, routes, message } of [
    {
      name: 'a path match it does not know',
      routes: [route('a', { cluster: 'a' }, {})],
      message: 'routes[0].match: has a kind of path match that this agent does not know',
    },
    {
      name: 'a header match it does not know',
      routes: [route('a', { cluster: 'a' }, { prefix: '/', headers: [{ name: 'x' }] })],
      message: 'routes[0].match.headers[0]: has a kind of header match that this agent does not know',
    },
    {
      name: 'a text match it does not know',
      routes: [route('a', { cluster: 'a' }, { prefix: '/', headers: [{ name: 'x', stringMatch: {} }] })],
      message: 'routes[0].match.headers[0]: has no text match, or one of an unknown kind',
    },
    {
      name: 'a query match it does not know',
      routes: [route('a', { cluster: 'a' }, { prefix: '/', queryParameters: [{ name: 'x' }] })],
      message: 'routes[0].match.queryParameters[0]: has a kind of query match that this agent does not know',
    },
    {
      name: 'a regular expression that is none',
      routes: [route('a', { cluster: 'a' }), route('b', { cluster: 'a' }, { safeRegex: { regex: '(' } })],
      message: 'routes[1].match: regular expression "(" is not usable',
    },
    {
      name: 'a route without a match',
      routes: [{ name: 'a', route: { cluster: 'a' } }],
      message: 'routes[0].match: has no match',
    },
    {
      name: 'an action it does not know',
      routes: [{ name: 'a', match: { prefix: '/' } }],
      message: 'routes[0]: has a kind of action that this agent does not know',
    },
    {
      name: 'a target it does not know',
      routes: [route('a', {})],
      message: 'routes[0].route: has a kind of target that this agent does not know',
    },
    {
      name: 'weights that add up to 0',
      routes: [route('a', weighted({ v1: 0 }))],
      message: 'routes[0].route: the weights of its clusters add up to 0',
    },
    {
      name: 'weights that add up to more than 32 bits',
      routes: [route('a', weighted({ v1: 2 ** 32 - 1, v2: 1 }))],
      message: 'routes[0].route: its weights add up to more than 4294967295',
    },
    {
      name: 'a sticky split without a key',
      routes: [route('a', { ...sticky({ v1: 1, v2: 1 }, { header: 'x' }), hashPolicy: [] })],
      message: 'routes[0].route: its split is sticky, but no hash policy says by what',
    },
    {
      name: 'a sticky key it does not know',
      routes: [route('a', { ...sticky({ v1: 1, v2: 1 }, { header: 'x' }), hashPolicy: [{}] })],
      message: 'routes[0].route: has a kind of hash policy that this agent does not know',
    },
    {
      name: 'two splits of one rule',
      routes: [route('a', weighted({ v1: 1, v2: 1 }), { path: '/a' }), route('a', weighted({ v1: 1, v2: 2 }))],
      message: 'routes[1]: is of the rule a as an earlier one, but splits differently',
    },
  ]) {
    it(`refuses ${name}`, () => expect(() => table(routes)).to.throw(UnusableError, message));
  }

  it('refuses a configuration with two virtual hosts', () => {
    const config = routeConfiguration([]);
    const twice = { ...config, virtualHosts: [...config.virtualHosts, ...config.virtualHosts] };
    expect(() => createRouteTable(twice, undefined, agent)).to.throw(UnusableError, 'virtualHosts: expected one');
  });
});

describe('a sticky rule', () => {
  const byHeader = table([route('canary', sticky({ v1: 50, v2: 50 }, { header: 'X-User' }))]);
  const byCookie = () => table([route('canary', sticky({ v1: 75, v2: 20, v3: 5 }, { cookie: 'sluice_canary' }))]);

  it('sends one user to one backend', () => {
    expect(new Set(picks(byHeader, 20, 'GET /', { 'x-user': 'ann' })).size).to.equal(1);
  });

  it('splits exactly the requests that have no key', () => {
    expect(countOf(picks(byHeader, 100), 'v1')).to.equal(50);
  });

  it('reads an empty key as none', () => {
    expect(countOf(picks(byHeader, 100, 'GET /', { 'x-user': '' }), 'v1')).to.equal(50);
  });

  it('issues a cookie that keeps each user on the backend that the exact split chose', () => {
    const random = seededRandom(1);
    const canary = byCookie();
    const first = Array.from({ length: 1_000 }, () => canary.route(request('GET /'), random));
    expect(
      ['v1', 'v2', 'v3'].map((name) =>
        countOf(
          first.map((one) => one?.cluster ?? ''),
          name,
        ),
      ),
    ).to.deep.equal([750, 200, 50]);
    const again = first.map((one) => {
      const cookie = /^(sluice_canary=[0-9a-z]+); Path=\/$/.exec(one?.setCookie ?? '')?.[1] ?? 'none';
      return canary.route(request('GET /', { cookie: `theme=dark; ${cookie}` }), random);
    });
    expect(again.map((one) => one?.cluster)).to.deep.equal(first.map((one) => one?.cluster));
    expect(again.map((one) => one?.setCookie)).to.deep.equal(first.map(() => undefined));
  });

  it('issues no cookie where there is nothing to choose', () => {
    const all = table([route('canary', sticky({ v1: 100, v2: 0 }, { cookie: 'c' }))]);
    expect(all.route(request('GET /'), Math.random)?.setCookie).to.equal(undefined);
  });

  it('keeps the split exact and issues no cookie when no draw fits', () => {
    const stuck = table([route('canary', sticky({ v1: 50, v2: 50 }, { cookie: 'c' }))]);
    const decisions = Array.from({ length: 10 }, () => stuck.route(request('GET /'), () => 0.5));
    expect(
      countOf(
        decisions.map((one) => one?.cluster ?? ''),
        'v1',
      ),
    ).to.equal(5);
    expect(decisions.filter((one) => one?.setCookie !== undefined)).to.have.length(5);
  });
});
