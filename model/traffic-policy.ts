/**
 * The kind TrafficPolicy: how requests are spread over the instances of a service or of one subset, and what protects
 * them. No defaults are filled in: a field that a subset's policy leaves out is the service's, not a built-in value.
 */
import { z } from 'zod';
import { choice } from './choice.ts';
import { duration } from './duration.ts';
import { cookieName, headerName, pathText } from './http-parts.ts';
import { apiVersion, metadata } from './metadata.ts';
import { dnsLabel } from './names.ts';

const limit = z.int().min(1).max(4_294_967_295);

const spec = z.strictObject({
  service: dnsLabel.describe('The service whose instances this is about.'),
  subset: dnsLabel
    .exactOptional()
    .describe('Only for this subset; overrides the policy of the service field by field.'),
  loadBalancer: z
    .strictObject({ policy: z.enum(['round-robin', 'least-request', 'random', 'ring-hash', 'maglev']) })
    .exactOptional()
    .describe('How an instance is chosen; round-robin unless given.'),
  hashOn: z
    .array(choice({ header: headerName, cookie: cookieName }))
    .min(1)
    .exactOptional(),
  localityPreference: z.enum(['same-zone-first']).exactOptional(),
  connectionPool: z
    .strictObject({
      maxConnections: limit.exactOptional(),
      maxPendingRequests: limit.exactOptional(),
      maxRequests: limit.exactOptional(),
      idleTimeout: duration.exactOptional(),
      connectTimeout: duration.exactOptional().describe('For establishing one connection.'),
    })
    .exactOptional(),
  outlierDetection: z
    .strictObject({
      consecutive5xx: limit.exactOptional(),
      interval: duration.exactOptional(),
      baseEjectionTime: duration.exactOptional(),
      maxEjectionPercent: z.int().min(0).max(100).exactOptional(),
    })
    .exactOptional(),
  healthCheck: z
    .strictObject({
      http: z.strictObject({ path: pathText }).exactOptional(),
      interval: duration.exactOptional(),
      timeout: duration.exactOptional(),
      unhealthyThreshold: limit.exactOptional(),
      healthyThreshold: limit.exactOptional(),
    })
    .exactOptional(),
});

export const trafficPolicySchema = z.strictObject({ apiVersion, kind: z.literal('TrafficPolicy'), metadata, spec });

export type TrafficPolicy = z.infer<typeof trafficPolicySchema>;
