import { expect } from 'chai';
import { faultsOf, resourceOf, route, routeWith } from './reading.ts';

function ruleOf(rule: object) {
  const resource = resourceOf(routeWith(rule));
  return resource.kind === 'Route' ? resource.spec.rules[0] : undefined;
}

describe('what a rule does to its requests', () => {
  it('is kept in canonical form', () => {
    const written = {
      retry: { attempts: 2, on: ['RESET'.toLowerCase(), 503], perTryTimeout: '0.5s', backoff: { base: '25ms' } },
      mirror: [{ service: 'reviews', subset: 'v3', percent: 5 }],
      headers: { request: { set: { 'X-A': '1' }, remove: ['X-B'] } },
      rewrite: { path: { prefix: '/v2/' }, host: 'Reviews.Internal' },
    };
    expect(ruleOf(written)).to.deep.equal({
      match: [],
      backends: [{ subset: 'v1', weight: 1 }],
      retry: { attempts: 2, on: ['reset', '503'], perTryTimeout: '500ms', backoff: { base: '25ms' } },
      mirror: [{ subset: 'v3', percent: 5 }],
      headers: { request: { set: { 'x-a': '1' }, add: {}, remove: ['x-b'] } },
      rewrite: { path: { prefix: '/v2' }, host: 'reviews.internal' },
    });
  });

  const where = 'spec.rules[0]';
  const prefixed = [{ path: { prefix: '/a' } }, {}];
  for (const { name, rule, want } of [
    { name: 'a share of a millionth', rule: { mirror: [{ percent: 0.0001 }] }, want: [] },
    {
      name: 'a share that would become none',
      rule: { mirror: [{ percent: 0.00001 }] },
      want: [`${where}.mirror[0].percent: must have at most four digits behind the point; found 0.00001`],
    },
    {
      name: 'more than all',
      rule: { fault: { delay: { duration: '1s', percent: 101 } } },
      want: [`${where}.fault.delay.percent: must be at most 100; found 101`],
    },
    { name: 'a fault that is none', rule: { fault: {} }, want: [`${where}.fault: needs a delay or an abort`] },
    {
      name: 'two mirrors to one target',
      rule: {
        mirror: [{ subset: 'v1', percent: 1 }, { percent: 1 }, { service: 'reviews', subset: 'v1', percent: 2 }],
      },
      want: [`${where}.mirror[2]: is the same target as mirror[0]; give it one percent`],
    },
    {
      name: 'a condition of retries that is none',
      rule: { retry: { attempts: 1, on: ['timeout'] } },
      want: [
        `${where}.retry.on[0]: must be connect-failure, refused, reset or a status such as "503"; found "timeout"`,
      ],
    },
    {
      name: 'a try that is longer than all of them',
      rule: { timeout: '2s', retry: { attempts: 1, on: ['reset'], perTryTimeout: '2001ms' } },
      want: [`${where}.retry.perTryTimeout: is longer than the timeout of the rule, which ends all tries together`],
    },
    {
      name: 'a try as long as all of them',
      rule: { timeout: '2s', retry: { attempts: 1, on: ['reset'], perTryTimeout: '2000ms' } },
      want: [],
    },
    {
      name: 'a longest pause that is shorter than the first',
      rule: { retry: { attempts: 1, on: ['reset'], backoff: { base: '1s', max: '999ms' } } },
      want: [`${where}.retry.backoff.max: is shorter than base`],
    },
    {
      name: 'a header of the connection',
      rule: { headers: { request: { set: { 'Content-Length': '1' } }, response: { remove: ['upgrade'] } } },
      want: [
        `${where}.headers.request.set.Content-Length: "Content-Length" belongs to the connection; no rule can change it`,
        `${where}.headers.response.remove[0]: "upgrade" belongs to the connection; no rule can change it`,
      ],
    },
    {
      name: 'a header of the agents',
      rule: { headers: { request: { remove: ['X-Sluice-Instance'] } } },
      want: [`${where}.headers.request.remove[0]: "x-sluice-instance" is used by the agents; no rule can change it`],
    },
    {
      name: 'the host as a header of the request',
      rule: { headers: { request: { set: { Host: 'a' } }, response: { set: { Host: 'a' } } } },
      want: [`${where}.headers.request.set.Host: "Host" is changed by rewrite.host`],
    },
    {
      name: 'one header in two ways',
      rule: { headers: { response: { set: { 'X-A': '1' }, add: { 'x-a': '2', b: '1' }, remove: ['x-A', 'c'] } } },
      want: [
        `${where}.headers.response.add.x-a: header "x-a" stands in set too; a header is changed in one way`,
        `${where}.headers.response.remove[0]: header "x-a" stands in set too; a header is changed in one way`,
      ],
    },
    {
      name: 'a header value with a space at its end',
      rule: { headers: { request: { add: { a: 'x ', b: 'x y', c: '' } } } },
      want: [
        `${where}.headers.request.add.a: must be ASCII, without control characters and without spaces at its beginning or end`,
      ],
    },
    {
      name: 'another prefix where one is matched',
      rule: { match: prefixed, rewrite: { path: { prefix: '/' } } },
      want: [],
    },
    {
      name: 'another prefix where none is matched',
      rule: { match: [...prefixed, { path: { exact: '/b' } }], rewrite: { path: { prefix: '/' } } },
      want: [
        `${where}.rewrite.path.prefix: needs a path prefix, or no path, in every match of the rule; match[2] has another kind of path`,
      ],
    },
    {
      name: 'another path, whatever is matched',
      rule: { match: [{ path: { regex: '/b+' } }], rewrite: { path: { full: '/' } } },
      want: [],
    },
    { name: 'a rewrite of nothing', rule: { rewrite: {} }, want: [`${where}.rewrite: needs a path or a host`] },
  ]) {
    it(`${want.length === 0 ? 'may be' : 'cannot be'} ${name}`, () =>
      expect(faultsOf(routeWith(rule))).to.deep.equal(want));
  }
});

describe('a redirect', () => {
  const redirectTo = (redirect: object, rule: object = {}) => faultsOf(route({ rules: [{ redirect, ...rule }] }));

  it('takes 302 unless told otherwise', () => {
    const resource = resourceOf(route({ rules: [{ redirect: { path: { prefix: '/b/' } } }] }));
    expect(resource.kind === 'Route' && resource.spec.rules).to.deep.equal([
      { match: [], backends: [], redirect: { status: 302, path: { prefix: '/b' } } },
    ]);
  });

  it('leads somewhere', () => {
    expect(redirectTo({ status: 301 })).to.deep.equal(['spec.rules[0].redirect: needs a host or a path']);
  });

  it('has a status of a redirect', () => {
    expect(redirectTo({ host: 'h', status: 200 })).to.deep.equal([
      'spec.rules[0].redirect.status: must be one of 301, 302, 303, 307, 308; found 200',
    ]);
  });

  it('may stand beside a match and changes of the answer', () => {
    const rule = { name: 'a', match: [{}], headers: { response: { set: { a: '1' } } } };
    expect(redirectTo({ host: 'h' }, rule)).to.deep.equal([]);
  });

  it('stands beside nothing that concerns requests on their way to a backend', () => {
    const rule = {
      sticky: { cookie: 'c' },
      timeout: '1s',
      retry: { attempts: 1, on: ['reset'] },
      mirror: [{ percent: 1 }],
      fault: { abort: { status: 503, percent: 1 } },
      rewrite: { host: 'h' },
      headers: { request: { remove: ['a'] } },
    };
    expect(redirectTo({ host: 'h' }, rule)).to.deep.equal(
      ['sticky', 'timeout', 'retry', 'mirror', 'fault', 'rewrite', 'headers.request'].map(
        (field) => `spec.rules[0].${field}: stands beside a redirect, which sends nothing on: it would have no effect`,
      ),
    );
  });

  it('replaces a prefix where one is matched', () => {
    expect(redirectTo({ path: { prefix: '/b' } }, { match: [{ path: { exact: '/a' } }] })).to.deep.equal([
      'spec.rules[0].redirect.path.prefix: needs a path prefix, or no path, in every match of the rule; match[0] has another kind of path',
    ]);
  });
});
