/** The kind Route: which backends the requests for one service and port go to, and what is done to them on the way. */
import { z } from 'zod';
import { choice } from './choice.ts';
import { duration } from './duration.ts';
import { cookieName, headerMatches, headerName, method, pathMatch, queryMatches } from './http-parts.ts';
import { apiVersion, metadata } from './metadata.ts';
import { dnsLabel } from './name-schemas.ts';
import { checkRule } from './rule-checks.ts';
import { fault, headers, mirror, redirect, retry, rewrite } from './rule-fields.ts';
import { always, fieldOf, keyField, onAnyMap, unique } from './unique.ts';

/** The sum of weights is a 32-bit number on the wire. */
const greatestWeight = 4_294_967_295;

const match = z.strictObject({
  path: pathMatch.exactOptional().describe('The path of the request, without its query.'),
  method: method.exactOptional().describe('GET, POST and so on, in upper case.'),
  headers: headerMatches.default({}).describe('Conditions by header name; all must hold.'),
  query: queryMatches.default({}).describe('Conditions by query parameter; all must hold.'),
});

const backend = z.strictObject({
  service: dnsLabel.exactOptional().describe("The Route's own service unless another is named."),
  subset: dnsLabel.exactOptional().describe('All instances of the service unless a subset is named.'),
  weight: z.int().min(0).max(greatestWeight).default(1).describe('Share of the requests: weight / sum of weights.'),
});

const backends = z
  .array(backend)
  .superRefine((list, context) => {
    const sum = sumOfWeights(list);
    if (sum === 0) {
      context.addIssue({ code: 'custom', message: 'weights add up to 0; at least one backend needs a weight above 0' });
    }
    if (sum !== undefined && sum > greatestWeight) {
      context.addIssue({ code: 'custom', message: `weights add up to more than ${greatestWeight}` });
    }
  }, always)
  .default([]);

const rule = z
  .strictObject({
    name: dnsLabel.exactOptional().describe('Stands in explanations and logs; unique in the Route.'),
    match: z.array(match).default([]).describe('Any of them; without one the rule takes every request.'),
    /** Empty only beside a redirect. */
    backends: backends.describe('Where the requests go, in exact shares.'),
    sticky: choice({ header: headerName, cookie: cookieName })
      .exactOptional()
      .describe('Requests with the same header or cookie go to the same backend.'),
    timeout: duration.exactOptional().describe('For the whole request and answer; none unless given.'),
    retry: retry.exactOptional().describe('Send a failed request again; never unless given.'),
    mirror: z.array(mirror).min(1).exactOptional().describe('Copies of requests whose answers nobody sees.'),
    fault: fault.exactOptional().describe('Delays and errors on purpose.'),
    headers: headers.exactOptional().describe('Changes of headers.'),
    rewrite: rewrite.exactOptional().describe('Another path or host for the backend.'),
    redirect: redirect.exactOptional().describe('Answer with a redirect; instead of backends.'),
  })
  .superRefine(checkRule, onAnyMap);

const spec = z
  .strictObject({
    service: dnsLabel.describe('The service whose traffic this governs, for all callers.'),
    port: dnsLabel.exactOptional().describe("Name of the service's port; may be left out when it has only one."),
    allowEmpty: z.boolean().default(false).describe('Accept backends that have no instance yet.'),
    rules: z
      .array(rule)
      .min(1)
      .superRefine(unique('rule', keyField('name'), 'name'), always)
      .describe('The most specific match decides, not the order; see docs/rules.md.'),
  })
  .superRefine(refuseRepeatedTargets, always)
  .transform(withoutOwnService);

export const routeSchema = z.strictObject({ apiVersion, kind: z.literal('Route'), metadata, spec });

export type Route = z.infer<typeof routeSchema>;
export type Rule = Route['spec']['rules'][number];
export type Match = Rule['match'][number];
/** Without `service` it is the Route's own service, without `subset` all of its instances. */
export type Backend = Rule['backends'][number];
export type Mirror = NonNullable<Rule['mirror']>[number];
export type Retry = NonNullable<Rule['retry']>;
export type Fault = NonNullable<Rule['fault']>;
export type HeaderChange = NonNullable<NonNullable<Rule['headers']>['request']>;
export type PathChange = NonNullable<NonNullable<Rule['rewrite']>['path']>;
export type Redirect = NonNullable<Rule['redirect']>;
export type Sticky = NonNullable<Rule['sticky']>;
export type PathMatch = NonNullable<Match['path']>;
export type ValueMatch = Match['headers'][string];

/** Undefined when there is nothing to add up, or a weight is faulty (which is said elsewhere). */
function sumOfWeights(list: unknown): number | undefined {
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const weights = list.map((item) => fieldOf(item, 'weight')).filter((weight) => typeof weight === 'number');
  if (weights.length < list.length || weights.some((weight) => weight < 0)) return undefined;
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/** One share per target: the split and its explanation name backends by their target. */
function refuseRepeatedTargets(value: unknown, context: z.core.$RefinementCtx): void {
  const rules = fieldOf(value, 'rules');
  if (!Array.isArray(rules)) return;
  const own = fieldOf(value, 'service');
  rules.forEach((item, ruleIndex) => {
    for (const [field, share] of [
      ['backends', 'weight'],
      ['mirror', 'percent'],
    ] as const) {
      const list = fieldOf(item, field);
      const firstAt = new Map<string, number>();
      for (const [index, target] of Array.isArray(list) ? list.entries() : []) {
        if (typeof target !== 'object' || target === null) continue;
        const key = `${fieldOf(target, 'service') ?? own}|${fieldOf(target, 'subset') ?? ''}`;
        const first = firstAt.get(key);
        if (first === undefined) firstAt.set(key, index);
        else {
          const message = `is the same target as ${field}[${first}]; give it one ${share}`;
          context.addIssue({ code: 'custom', path: ['rules', ruleIndex, field, index], message });
        }
      }
    }
  });
}

/**
 * `service: reviews` in a backend of the Route for reviews says nothing: left out, so that equal rules are equal.
 * Changes its argument, which is zod's own fresh copy of the document.
 */
function withoutOwnService<Spec extends SpecWithTargets>(route: Spec): Spec {
  for (const { backends, mirror = [] } of route.rules) {
    for (const target of [...backends, ...mirror]) {
      if (target.service === route.service) delete target.service;
    }
  }
  return route;
}

interface SpecWithTargets {
  service: string;
  rules: { backends: { service?: string }[]; mirror?: { service?: string }[] }[];
}
