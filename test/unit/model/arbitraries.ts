/** Arbitrary resources that are valid and in effect now, for property tests. They are already canonical. */
import fc from 'fast-check';
import type { Resource } from '../../../model/resource.ts';

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const labels = fc.dictionary(word, fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,6}[A-Za-z0-9])?$/), { maxKeys: 3 });
const metadata = fc.record({ name: word, namespace: fc.constantFrom('default', 'books'), labels });
const service = fc.constantFrom('reviews', 'ratings', 'details');
const subset = fc.constantFrom('v1', 'v2', 'v3');
const timeout = fc.constantFrom('1ms', '1500ms', '2s', '90s', '1m', '1h');
const path = fc.stringMatching(/^(\/[a-zA-Z0-9~%._-]*[a-zA-Z0-9]){1,4}$/);
const regex = fc.constantFrom('a+', '^/x(/.*)?$', '[^"\\\\]*', '(?i)Firefox|# no comment');
/** Everything a header may hold that YAML finds interesting. */
const text = fc.string({
  unit: fc.constantFrom(...'a1 :#-{}[],&*!|>\'"%@`?~\\=é\t😀\u00a0\u2028\ufeff'),
  maxLength: 12,
});

const value = fc.oneof(
  fc.record({ exact: text }),
  fc.record({ prefix: text.filter((prefix) => prefix.length > 0) }),
  fc.record({ regex }),
  fc.record({ present: fc.boolean() }),
);

const match = fc.record(
  {
    path: fc.oneof(fc.record({ exact: path }), fc.record({ prefix: path }), fc.record({ regex })),
    method: fc.constantFrom('GET', 'POST', 'PURGE-ALL'),
    headers: fc.dictionary(word, value, { maxKeys: 2, noNullPrototype: true }),
    query: fc.dictionary(
      text.filter((name) => name.length > 0),
      value,
      { maxKeys: 2, noNullPrototype: true },
    ),
  },
  { requiredKeys: ['headers', 'query'], noNullPrototype: true },
);

const backends = fc
  .uniqueArray(
    fc.record(
      { subset, weight: fc.oneof(fc.nat(100), fc.nat(1_000_000_000)) },
      { requiredKeys: ['weight'], noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 4, selector: (backend) => backend.subset },
  )
  .filter((list) => list.some(({ weight }) => weight > 0));

const rule = fc.record(
  {
    match: fc.array(match, { maxLength: 3 }),
    backends,
    sticky: fc.oneof(fc.record({ header: word }), fc.record({ cookie: word })),
    timeout,
  },
  { requiredKeys: ['match', 'backends'], noNullPrototype: true },
);

export const arbitraryRoute: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('Route' as const),
  metadata,
  spec: fc.record(
    {
      service,
      port: fc.constantFrom('http', 'admin'),
      allowEmpty: fc.boolean(),
      rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: ['service', 'allowEmpty', 'rules'], noNullPrototype: true },
  ),
});

export const arbitraryService: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('Service' as const),
  metadata,
  spec: fc.record({
    ports: fc
      .uniqueArray(
        fc.record({ name: word, port: fc.integer({ min: 1, max: 65535 }), protocol: fc.constant('http' as const) }),
        {
          minLength: 1,
          maxLength: 3,
          selector: ({ name }) => name,
        },
      )
      .filter((ports) => new Set(ports.map(({ port }) => port)).size === ports.length),
    subsets: fc.uniqueArray(fc.record({ name: word, labels: labels.filter((map) => Object.keys(map).length > 0) }), {
      maxLength: 3,
      selector: ({ name }) => name,
    }),
    aliases: fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}(\.[a-z]{1,5}){1,3}$/), { maxLength: 3 }),
    hops: fc.constant('both' as const),
    instanceAddress: fc.constant('balance' as const),
  }),
});

export const arbitraryTrafficPolicy: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('TrafficPolicy' as const),
  metadata,
  spec: fc.record(
    {
      service,
      subset,
      loadBalancer: fc.record({ policy: fc.constantFrom('round-robin' as const, 'least-request' as const) }),
      connectionPool: fc.record({ connectTimeout: timeout }),
    },
    { requiredKeys: ['service'], noNullPrototype: true },
  ),
});

export const arbitraryResource = fc.oneof(arbitraryRoute, arbitraryService, arbitraryTrafficPolicy);
