/** The three kinds as one type, how a resource is named among others, and when two of them say the same. */
import { z } from 'zod';
import { routeSchema } from './route.ts';
import { serviceSchema } from './service.ts';
import { trafficPolicySchema } from './traffic-policy.ts';

export const kindSchemas = { Route: routeSchema, Service: serviceSchema, TrafficPolicy: trafficPolicySchema } as const;

export const resourceSchema = z.discriminatedUnion('kind', [routeSchema, serviceSchema, trafficPolicySchema]);

/** A document in canonical form: defaults filled in, durations and names in their one spelling. JSON and nothing else. */
export type Resource = z.infer<typeof resourceSchema>;
export type Kind = Resource['kind'];

export const kinds: readonly Kind[] = ['Route', 'Service', 'TrafficPolicy'];

export function isKind(value: unknown): value is Kind {
  return kinds.some((kind) => kind === value);
}

export interface ResourceId {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** `Route/default/reviews-canary`. */
export function resourceKey({ kind, metadata }: Resource): string {
  return resourceIdKey({ kind, namespace: metadata.namespace, name: metadata.name });
}

/** The same key from its parts. */
export function resourceIdKey({ kind, namespace, name }: ResourceId): string {
  return `${kind}/${namespace}/${name}`;
}

/** Undefined when the text is no key of a resource. */
export function parseResourceKey(key: string): ResourceId | undefined {
  const [kind, namespace, name, ...rest] = key.split('/');
  if (!isKind(kind) || !namespace || !name || rest.length > 0) return undefined;
  return { kind, namespace, name };
}

/** JSON with sorted keys: equal texts mean equal resources, whatever order their fields were written in. */
export function canonicalJson(resource: Resource): string {
  return JSON.stringify(resource, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
