import { expect } from 'chai';
import { faultsOf, resourcesIn, route, routeWith } from './reading.ts';

const first = (document: object) => resourcesIn(JSON.stringify(document))[0];

describe('a Route', () => {
  it('is kept in canonical form: defaults filled in, one spelling of everything', () => {
    const written = route({
      rules: [
        {
          name: 'beta',
          match: [
            { path: { prefix: '/api/' }, headers: { 'X-Beta': { exact: '1' } } },
            { path: { prefix: '/' }, method: 'GET', query: { Debug: { present: true } } },
          ],
          backends: [{ service: 'reviews', subset: 'v1' }, { service: 'ratings', weight: 0 }, { subset: 'v2' }],
          sticky: { header: 'X-User-Id' },
          timeout: '2000ms',
        },
      ],
    });
    expect(first(written)).to.deep.equal({
      apiVersion: 'sluice.dev/v1',
      kind: 'Route',
      metadata: { name: 'canary', namespace: 'default', labels: {} },
      spec: {
        service: 'reviews',
        allowEmpty: false,
        rules: [
          {
            name: 'beta',
            match: [
              { path: { prefix: '/api' }, headers: { 'x-beta': { exact: '1' } }, query: {} },
              { path: { prefix: '/' }, method: 'GET', headers: {}, query: { Debug: { present: true } } },
            ],
            backends: [
              { subset: 'v1', weight: 1 },
              { service: 'ratings', weight: 0 },
              { subset: 'v2', weight: 1 },
            ],
            sticky: { header: 'x-user-id' },
            timeout: '2s',
          },
        ],
      },
    });
  });

  for (const weights of [[1], [1, 999], [33, 33, 34], [0, 1], [4_294_967_295, 0], [2_147_483_648, 2_147_483_647]]) {
    it(`may split ${weights.join(':')}`, () => {
      expect(faultsOf(routeWith({ backends: split(weights) }))).to.deep.equal([]);
    });
  }

  for (const { name, spec, want } of [
    { name: 'without rules', spec: { rules: [] }, want: ['spec.rules: must not be an empty list'] },
    { name: 'without a list of rules', spec: { rules: undefined }, want: ['spec.rules: is missing'] },
    { name: 'whose service is no name', spec: { service: 'Reviews' }, want: [label('spec.service', '"Reviews"')] },
    { name: 'whose service is a full name', spec: { service: 'a.b' }, want: [label('spec.service', '"a.b"')] },
    {
      name: 'whose port is a number',
      spec: { port: 80 },
      want: ['spec.port: must be text; found 80; put it in quotes: "80"'],
    },
    {
      name: 'whose allowEmpty is text',
      spec: { allowEmpty: 'yes' },
      want: ['spec.allowEmpty: must be true or false; found "yes"'],
    },
    {
      name: 'with two rules of one name, also beside another fault',
      spec: {
        rules: [
          { name: 'a', backends: [{}] },
          { name: 'a', backends: [{}], timeout: '1' },
        ],
      },
      want: [
        'spec.rules[1].name: rule "a" stands here a second time; first at [0]',
        'spec.rules[1].timeout: must be a duration: a number with its unit ms, s, m or h, such as 500ms, 2s or 1.5m; found "1"',
      ],
    },
    {
      name: 'that is full of faults',
      spec: { service: 1, rulez: [], rules: [null, 'x', { backends: 3 }] },
      want: [
        'spec.service: must be text; found 1; put it in quotes: "1"',
        'spec.rules[0]: has no value; must be a map',
        'spec.rules[1]: must be a map; found "x"',
        'spec.rules[2].backends: must be a list; found 3',
        'spec.rulez: unknown field "rulez"; did you mean "rules"?',
      ],
    },
  ]) {
    it(`${name} is refused`, () => expect(faultsOf(route(spec)).sort()).to.deep.equal([...want].sort()));
  }

  for (const { name, rule, want } of [
    {
      name: 'without backends',
      rule: { backends: undefined },
      want: ['spec.rules[0].backends: a rule needs backends or a redirect, has neither'],
    },
    {
      name: 'with an empty list of backends',
      rule: { backends: [] },
      want: ['spec.rules[0].backends: a rule needs backends or a redirect, has neither'],
    },
    {
      name: 'with backends and a redirect',
      rule: { redirect: { host: 'h' } },
      want: ['spec.rules[0].redirect: stands beside backends; a rule has one of them'],
    },
    {
      name: 'whose weights are all 0',
      rule: { backends: split([0, 0]) },
      want: ['spec.rules[0].backends: weights add up to 0; at least one backend needs a weight above 0'],
    },
    {
      name: 'with a negative weight',
      rule: { backends: split([-1, 5]) },
      want: ['spec.rules[0].backends[0].weight: must be at least 0; found -1'],
    },
    {
      name: 'with a broken weight',
      rule: { backends: split([0.5, 0.5]) },
      want: [
        'spec.rules[0].backends[0].weight: must be a whole number; found 0.5',
        'spec.rules[0].backends[1].weight: must be a whole number; found 0.5',
      ],
    },
    {
      name: 'with a weight in percent',
      rule: { backends: [{ weight: '10%' }] },
      want: ['spec.rules[0].backends[0].weight: must be a number; found "10%"'],
    },
    {
      name: 'whose weights do not fit the wire',
      rule: { backends: split([4_294_967_295, 1]) },
      want: ['spec.rules[0].backends: weights add up to more than 4294967295'],
    },
    {
      name: 'with one target twice',
      rule: { backends: [{ subset: 'v1' }, { service: 'reviews', subset: 'v1' }] },
      want: ['spec.rules[0].backends[1]: is the same target as backends[0]; give it one weight'],
    },
    {
      name: 'with a path that is exact and a prefix',
      rule: { match: [{ path: { exact: '/a', prefix: '/a' } }] },
      want: ['spec.rules[0].match[0].path: needs exactly one of exact, prefix, regex; given are exact and prefix'],
    },
    {
      name: 'with a path that is nothing',
      rule: { match: [{ path: {} }] },
      want: ['spec.rules[0].match[0].path: needs exactly one of exact, prefix, regex; none is given'],
    },
    { name: 'with a relative path', rule: path({ exact: 'a' }), want: [pathFault('exact', '"a"')] },
    { name: 'with a query in the path', rule: path({ prefix: '/a?b' }), want: [pathFault('prefix', '"/a?b"')] },
    { name: 'with a path that is not encoded', rule: path({ exact: '/ä' }), want: [pathFault('exact', '"/ä"')] },
    ...['/a//b', '/a/../b', '/.', '//'].map((text) => ({
      name: `with the ambiguous path ${text}`,
      rule: path({ prefix: text }),
      want: [`spec.rules[0].match[0].path.prefix: must not contain "//", "/./" or "/../"; found "${text}"`],
    })),
    {
      name: 'with a regular expression that does not end',
      rule: path({ regex: '/a(' }),
      want: ['spec.rules[0].match[0].path.regex: regular expression "/a(" is not usable: missing closing ): `/a(`'],
    },
    {
      name: 'with a regular expression that looks ahead',
      rule: path({ regex: '(?=a)b' }),
      want: [
        'spec.rules[0].match[0].path.regex: regular expression "(?=a)b" is not usable: invalid or unsupported Perl syntax: `(?=`',
      ],
    },
    {
      name: 'with a regular expression that would grow without end',
      rule: path({ regex: '((a{100}){100}){100}' }),
      want: [
        'spec.rules[0].match[0].path.regex: regular expression "((a{100}){100}){100}" is not usable: invalid repeat count: `{100}`',
      ],
    },
    {
      name: 'with a method in lower case',
      rule: { match: [{ method: 'get' }] },
      want: ['spec.rules[0].match[0].method: must be an HTTP method in upper case, such as GET; found "get"'],
    },
    {
      name: 'with one header in two cases',
      rule: { match: [{ headers: { 'X-A': { exact: '1' }, 'x-a': { exact: '2' } } }] },
      want: ['spec.rules[0].match[0].headers.x-a: is the same header as "X-A": case does not count'],
    },
    {
      name: 'with a header that has no name of one',
      rule: { match: [{ headers: { 'x a': { exact: '1' } } }] },
      want: ['spec.rules[0].match[0].headers["x a"]: is no header name'],
    },
    {
      name: 'with a header value on two lines',
      rule: { match: [{ headers: { a: { exact: 'x\ny' } } }] },
      want: [
        'spec.rules[0].match[0].headers.a.exact: is no header value: it has a line break or another control character',
      ],
    },
    {
      name: 'with a header that is text instead of a condition',
      rule: { match: [{ headers: { a: '1' } }] },
      want: ['spec.rules[0].match[0].headers.a: must be a map; found "1"'],
    },
    {
      name: 'with a match that is no list',
      rule: { match: { method: 'GET' } },
      want: ['spec.rules[0].match: must be a list; found a map'],
    },
    {
      name: 'that sticks to two things',
      rule: { sticky: { header: 'a', cookie: 'b' } },
      want: ['spec.rules[0].sticky: needs exactly one of header, cookie; given are header and cookie'],
    },
    {
      name: 'that sticks to a cookie with a semicolon',
      rule: { sticky: { cookie: 'a;b' } },
      want: ['spec.rules[0].sticky.cookie: is no cookie name: letters, digits, "-" and "_" are usual; found "a;b"'],
    },
  ]) {
    it(`a rule ${name} is refused`, () => expect(faultsOf(routeWith(rule))).to.deep.equal(want));
  }
});

function split(weights: readonly number[]): object[] {
  return weights.map((weight, index) => ({ subset: `v${index}`, weight }));
}

function path(match: object): object {
  return { match: [{ path: match }] };
}

function pathFault(field: string, found: string): string {
  return `spec.rules[0].match[0].path.${field}: must begin with "/" and be written as in a request: without "?" and "#", other than ASCII percent-encoded; found ${found}`;
}

function label(where: string, found: string): string {
  return `${where}: must be a DNS label: lower-case letters, digits and "-", at most 63, first and last a letter or digit; found ${found}`;
}
