/**
 * The kind TrafficPolicy: how requests are spread over the instances of a service or of one subset, and what protects
 * them. No defaults are filled in: a field that a subset's policy leaves out is the service's, not a built-in value.
 */
import { z } from 'zod';
import { choice } from './choice.ts';
import { duration } from './duration.ts';
import { cookieName, headerName, parameterName, pathText } from './http-parts.ts';
import { apiVersion, metadata } from './metadata.ts';
import { dnsLabel } from './name-schemas.ts';
import { always, fieldOf, onAnyMap, unique } from './unique.ts';

const greatest = 4_294_967_295;
const limit = z.int().min(1).max(greatest);
/** Failures in a row; 0: not counted. */
const failures = z.int().min(0).max(greatest);
const wholePercent = z.int().min(0).max(100);

const hashKey = choice({
  header: headerName,
  cookie: cookieName,
  sourceAddress: z.literal(true).describe('The address that the connection comes from.'),
  query: parameterName,
});

const connectionPool = z.strictObject({
  maxConnections: limit.exactOptional().describe('Open connections to all instances together; no limit unless given.'),
  maxPendingRequests: limit
    .exactOptional()
    .describe('Requests that wait for a connection; 1024 unless given. One more is answered with 503.'),
  maxRequests: limit.exactOptional().describe('Requests at the same time; no limit unless given.'),
  retryBudget: z
    .strictObject({
      percent: z.number().min(0).max(100).exactOptional().describe('Of the active requests; 20 unless given.'),
      minRetries: failures.exactOptional().describe('Always allowed at the same time; 3 unless given.'),
    })
    .exactOptional()
    .describe('How many requests may be sent again at the same time.'),
  idleTimeout: duration
    .exactOptional()
    .describe('How long a connection without a request is kept; 4s for http and 1h for tcp unless given.'),
  connectTimeout: duration.exactOptional().describe('For establishing one connection; 1s unless given.'),
});

const outlierDetection = z.strictObject({
  consecutive5xx: failures.exactOptional().describe('Answers of 500 to 599 in a row; 5 unless given, 0: not counted.'),
  consecutiveGatewayErrors: failures
    .exactOptional()
    .describe('Answers of 502, 503 or 504 in a row; not counted unless given.'),
  consecutiveLocalOriginFailures: failures
    .exactOptional()
    .describe('No answer at all (no connection, reset, timeout); these count as 5xx and gateway errors unless given.'),
  interval: duration.exactOptional().describe('How often ejections are looked at; 10s unless given.'),
  baseEjectionTime: duration.exactOptional().describe('Times the number of ejections so far; 30s unless given.'),
  maxEjectionPercent: wholePercent
    .exactOptional()
    .describe('Of the instances, but one may always be; 10 unless given, 0: nobody.'),
  minHealthPercent: wholePercent
    .exactOptional()
    .describe('With a smaller share of instances that are not suspected all are used; 50 unless given, 0: never.'),
});

const healthCheck = z.strictObject({
  http: z
    .strictObject({ path: pathText })
    .exactOptional()
    .describe('GET this path; without it a connection that is accepted is enough.'),
  interval: duration.exactOptional().describe('5s unless given.'),
  timeout: duration.exactOptional().describe('1s unless given.'),
  unhealthyThreshold: limit.exactOptional().describe('Failed checks in a row; 3 unless given.'),
  healthyThreshold: limit.exactOptional().describe('Passed checks in a row; 2 unless given.'),
});

const spec = z
  .strictObject({
    service: dnsLabel.describe('The service whose instances this is about.'),
    subset: dnsLabel
      .exactOptional()
      .describe('Only for this subset; overrides the policy of the service field by field.'),
    loadBalancer: z
      .strictObject({ policy: z.enum(['round-robin', 'least-request', 'random', 'ring-hash', 'maglev']) })
      .exactOptional()
      .describe('How an instance is chosen; round-robin unless given.'),
    hashOn: z
      .array(hashKey)
      .min(1)
      .superRefine(unique('key', hashKeyText), always)
      .exactOptional()
      .describe('What ring-hash and maglev go by: the first of these that a request has.'),
    localityPreference: z
      .enum(['same-zone-first'])
      .exactOptional()
      .describe('Instances of the own zone, as long as enough of them are healthy; zones do not count unless given.'),
    connectionPool: connectionPool.exactOptional().describe('Limits and times of connections.'),
    outlierDetection: outlierDetection
      .exactOptional()
      .describe('Instances that fail in a row get no requests for a while; off unless given.'),
    healthCheck: healthCheck.exactOptional().describe('Agents check instances themselves; off unless given.'),
  })
  .superRefine((value, context) => {
    const policy = fieldOf(fieldOf(value, 'loadBalancer'), 'policy');
    if (fieldOf(value, 'hashOn') === undefined) return;
    // The policy of a subset may take this field over from that of the service: see `conflicts.ts`.
    if (policy === undefined ? fieldOf(value, 'subset') !== undefined : isHashPolicy(policy)) return;
    context.addIssue({ code: 'custom', path: ['hashOn'], message: needsHashPolicy });
  }, onAnyMap);

export const needsHashPolicy = 'needs loadBalancer.policy ring-hash or maglev; the others go by no key';

export const trafficPolicySchema = z.strictObject({ apiVersion, kind: z.literal('TrafficPolicy'), metadata, spec });

export type TrafficPolicy = z.infer<typeof trafficPolicySchema>;
export type HashKey = NonNullable<TrafficPolicy['spec']['hashOn']>[number];

/** Whether this policy of a load balancer goes by a key. */
export function isHashPolicy(policy: unknown): boolean {
  return policy === 'ring-hash' || policy === 'maglev';
}

function hashKeyText(key: unknown): string | undefined {
  if (typeof key !== 'object' || key === null) return undefined;
  return Object.entries(key)
    .map(([field, value]) => `${field} ${field === 'header' ? String(value).toLowerCase() : value}`)
    .join();
}
