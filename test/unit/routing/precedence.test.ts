import { expect } from 'chai';
import fc from 'fast-check';
import { compareMatches, type RankedMatch, sortRules } from '../../../routing/precedence.ts';
import { fuzzRuns } from './resources.ts';

function match(partial: Partial<RankedMatch>): RankedMatch {
  return { headers: {}, query: {}, ...partial };
}

/** Names of the rules in the order in which they are tried. */
function order(rules: Readonly<Record<string, readonly Partial<RankedMatch>[]>>): string[] {
  const list = Object.entries(rules).map(([name, matches]) => ({ name, match: matches.map(match) }));
  return sortRules(list).map(({ rule }) => rule.name);
}

const present = { present: true } as const;

describe('precedence', () => {
  for (const { name, rules, want } of [
    {
      name: 'tries exact paths, then longer prefixes, then shorter ones, then regular expressions, then every path',
      rules: {
        every: [],
        regex: [{ path: { regex: '/a/.*' } }],
        short: [{ path: { prefix: '/a' } }],
        long: [{ path: { prefix: '/a/b' } }],
        exact: [{ path: { exact: '/a' } }],
      },
      want: ['exact', 'long', 'short', 'regex', 'every'],
    },
    {
      name: 'tries the path before the number of headers',
      rules: { headers: [{ headers: { a: present, b: present } }], path: [{ path: { prefix: '/a' } }] },
      want: ['path', 'headers'],
    },
    {
      name: 'tries a method before headers',
      rules: { headers: [{ headers: { a: present, b: present } }], method: [{ method: 'GET' }] },
      want: ['method', 'headers'],
    },
    {
      name: 'tries more headers first',
      rules: { one: [{ headers: { a: present } }], two: [{ headers: { a: present, b: present } }] },
      want: ['two', 'one'],
    },
    {
      name: 'tries headers before query parameters',
      rules: { query: [{ query: { a: present, b: present } }], header: [{ headers: { a: present } }] },
      want: ['header', 'query'],
    },
    {
      name: 'tries more query parameters first',
      rules: { one: [{ query: { a: present } }], two: [{ query: { a: present, b: present } }] },
      want: ['two', 'one'],
    },
    {
      name: 'keeps the order of the document among equals',
      rules: { first: [{ path: { prefix: '/b' } }], second: [{ path: { prefix: '/a' } }] },
      want: ['first', 'second'],
    },
    {
      name: 'reads the prefix "/" as no path',
      rules: { none: [{}], slash: [{ path: { prefix: '/' } }], header: [{ headers: { a: present } }] },
      want: ['header', 'none', 'slash'],
    },
    {
      name: 'ranks each alternative of a rule by itself',
      rules: { mixed: [{ path: { exact: '/a' } }, {}], prefix: [{ path: { prefix: '/a' } }] },
      want: ['mixed', 'prefix', 'mixed'],
    },
  ]) {
    it(name, () => expect(order(rules)).to.deep.equal(want));
  }

  it('says which rule of the document an alternative is of', () => {
    const rules = [{ match: [] }, { match: [match({ method: 'GET' })] }];
    expect(sortRules(rules)).to.deep.equal([
      { rule: rules[1], index: 1, match: match({ method: 'GET' }) },
      { rule: rules[0], index: 0, match: match({}) },
    ]);
  });

  it('property: is an order: what comes before is never ranked behind', () => {
    const text = fc.constantFrom('/', '/a', '/b', '/a/b', '/long/er');
    const path = fc.oneof(
      fc.record({ exact: text }),
      fc.record({ prefix: text }),
      fc.record({ regex: text }),
      fc.constant(undefined),
    );
    const conditions = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constant(present));
    const anyMatch = fc
      .record({ path, method: fc.constantFrom('GET', undefined), headers: conditions, query: conditions })
      .map(({ path: given, method, ...rest }) => ({
        ...(given && { path: given }),
        ...(method && { method }),
        ...rest,
      }));
    fc.assert(
      fc.property(fc.array(anyMatch, { maxLength: 8 }), (matches) => {
        const sorted = sortRules(matches.map((one) => ({ match: [one] })));
        sorted.forEach((a, place) => {
          for (const b of sorted.slice(place + 1)) {
            const rank = compareMatches(a.match, b.match);
            expect(rank < 0 || (rank === 0 && a.index < b.index)).to.equal(true);
          }
        });
      }),
      { numRuns: fuzzRuns },
    );
  });
});
