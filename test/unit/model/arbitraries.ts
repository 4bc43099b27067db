/** Arbitrary resources that are valid and in effect now, for property tests. They are already canonical. */
import fc from 'fast-check';
import type { Resource } from '../../../model/resource.ts';
import type { Rule } from '../../../model/route.ts';
import { isHashPolicy, type TrafficPolicy } from '../../../model/traffic-policy.ts';

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

const percent = fc.nat(1_000_000).map((millionths) => millionths / 1e4);
const host = fc.constantFrom('reviews.internal', 'h');
const prefix = fc.oneof(fc.constant('/'), path);
const pathChange = fc.oneof(fc.record({ full: path }), fc.record({ prefix }));
const status = fc.integer({ min: 400, max: 599 }).map(String);
const headerName = fc.stringMatching(/^x-[a-z]{1,3}$/);
const headerText = fc.stringMatching(/^[!-~]([ -~]{0,8}[!-~])?$|^$/);

/** Each header in one of the three, sorted. */
const headerChange = fc
  .uniqueArray(fc.tuple(headerName, headerText, fc.constantFrom('set', 'add', 'remove')), {
    maxLength: 5,
    selector: ([name]) => name,
  })
  .map((list) => {
    const values = (field: string) =>
      Object.fromEntries(list.flatMap(([name, value, where]) => (where === field ? [[name, value] as const] : [])));
    return { set: values('set'), add: values('add'), remove: Object.keys(values('remove')).sort() };
  });

/** What a rule may say beside its targets. No try is longer than the shortest timeout. */
const rulePolicy = fc.record(
  {
    retry: fc.record(
      {
        attempts: fc.integer({ min: 1, max: 10 }),
        on: fc.uniqueArray(fc.oneof(fc.constantFrom('connect-failure', 'refused', 'reset'), status), { minLength: 1 }),
        perTryTimeout: fc.constant('1ms'),
        backoff: fc.record(
          { base: fc.constantFrom('5ms', '25ms'), max: fc.constantFrom('25ms', '1s') },
          { requiredKeys: ['base'], noNullPrototype: true },
        ),
      },
      { requiredKeys: ['attempts', 'on'], noNullPrototype: true },
    ),
    mirror: fc.uniqueArray(fc.record({ subset, percent }, { requiredKeys: ['percent'], noNullPrototype: true }), {
      minLength: 1,
      selector: (target) => target.subset,
    }),
    fault: fc
      .record(
        {
          delay: fc.record({ duration: timeout, percent }),
          abort: fc.record({ status: fc.integer({ min: 200, max: 599 }), percent }),
        },
        { requiredKeys: [], noNullPrototype: true },
      )
      .filter((value) => Object.keys(value).length > 0),
    headers: fc.record({ request: headerChange, response: headerChange }, { requiredKeys: [], noNullPrototype: true }),
    rewrite: fc
      .record({ path: pathChange, host }, { requiredKeys: [], noNullPrototype: true })
      .filter((value) => Object.keys(value).length > 0),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const redirectRule = fc.record(
  {
    match: fc.array(match, { maxLength: 3 }),
    // Not one list for all: written as YAML it would be an anchor with aliases.
    backends: fc.constant(undefined).map((): Rule['backends'] => []),
    redirect: fc
      .record(
        { status: fc.constantFrom(301 as const, 302 as const, 307 as const, 308 as const), host, path: pathChange },
        { requiredKeys: ['status'], noNullPrototype: true },
      )
      .filter((value) => Object.keys(value).length > 1),
    headers: fc.record({ response: headerChange }),
  },
  { requiredKeys: ['match', 'backends', 'redirect'], noNullPrototype: true },
);

/** Every field of a rule. */
export const arbitraryRule: fc.Arbitrary<Rule> = fc
  .oneof(
    fc.tuple(rule, rulePolicy).map(([targets, policy]): Rule => ({ ...targets, ...policy })),
    redirectRule,
  )
  .filter(isPrefixKept);

/** A prefix can only be replaced where one was matched. */
function isPrefixKept({ match: list, rewrite, redirect }: Rule): boolean {
  const replaces = rewrite?.path?.prefix !== undefined || redirect?.path?.prefix !== undefined;
  return !replaces || list.every(({ path: from }) => from === undefined || from.prefix !== undefined);
}

const arbitraryRoute: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('Route' as const),
  metadata,
  spec: fc.record(
    {
      service,
      port: fc.constantFrom('http', 'admin'),
      allowEmpty: fc.boolean(),
      rules: fc.array(arbitraryRule, { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: ['service', 'allowEmpty', 'rules'], noNullPrototype: true },
  ),
});

const arbitraryService: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('Service' as const),
  metadata,
  spec: fc.record({
    ports: fc
      .uniqueArray(
        fc.record({
          name: word,
          port: fc.integer({ min: 1, max: 65535 }),
          protocol: fc.constantFrom('http' as const, 'tcp' as const),
        }),
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

const limit = fc.integer({ min: 1, max: 100 });
const wholePercent = fc.integer({ min: 0, max: 100 });
const hashKey = fc.oneof(
  fc.record({ header: word }),
  fc.record({ cookie: word }),
  fc.record({ query: word }),
  fc.constant({ sourceAddress: true as const }),
);

const policy: fc.Arbitrary<TrafficPolicy['spec']> = fc
  .record(
    {
      service,
      subset,
      loadBalancer: fc.record({
        policy: fc.constantFrom(...(['round-robin', 'least-request', 'random', 'ring-hash', 'maglev'] as const)),
      }),
      hashOn: fc.uniqueArray(hashKey, { minLength: 1, selector: (key) => JSON.stringify(key) }),
      localityPreference: fc.constant('same-zone-first' as const),
      connectionPool: fc.record(
        {
          maxConnections: limit,
          maxPendingRequests: limit,
          maxRequests: limit,
          retryBudget: fc.record(
            { percent: wholePercent, minRetries: limit },
            { requiredKeys: [], noNullPrototype: true },
          ),
          idleTimeout: timeout,
          connectTimeout: timeout,
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
      outlierDetection: fc.record(
        {
          consecutive5xx: fc.nat(5),
          consecutiveGatewayErrors: fc.nat(5),
          consecutiveLocalOriginFailures: fc.nat(5),
          interval: timeout,
          baseEjectionTime: timeout,
          maxEjectionPercent: wholePercent,
          minHealthPercent: wholePercent,
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
      healthCheck: fc.record(
        {
          http: fc.record({ path }),
          interval: timeout,
          timeout,
          unhealthyThreshold: limit,
          healthyThreshold: limit,
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
    },
    { requiredKeys: ['service'], noNullPrototype: true },
  )
  .filter(({ hashOn, loadBalancer }) => hashOn === undefined || isHashPolicy(loadBalancer?.policy));

const arbitraryTrafficPolicy: fc.Arbitrary<Resource> = fc.record({
  apiVersion: fc.constant('sluice.dev/v1' as const),
  kind: fc.constant('TrafficPolicy' as const),
  metadata,
  spec: policy,
});

export const arbitraryResource = fc.oneof(arbitraryRoute, arbitraryService, arbitraryTrafficPolicy);
