/** Matches and requests of few words, so that routes overlap and requests hit several of them. */
import fc from 'fast-check';
import type { Input } from '../../../proto/load.ts';
import type { RouteMatch } from '../../../proto/types.ts';
import { request } from './resources.ts';

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

export const anyMatch = fc
  .record({
    path: pathMatch,
    headers: fc.array(headerMatch, { maxLength: 2 }),
    queryParameters: fc.array(queryMatch, { maxLength: 1 }),
  })
  .map(({ path: condition, ...rest }): Input<RouteMatch> => ({ ...condition, ...rest }));

export const anyRequest = fc
  .record({
    method: fc.constantFrom('1', '2', 'GET'),
    path,
    query: fc.constantFrom('', '?q=1', '?q=2&r=3'),
    headers: fc.dictionary(fc.constantFrom('x-a', 'x-b'), value),
  })
  .map(({ method, path: text, query, headers }) => request(`${method} ${text}${query}`, headers));
