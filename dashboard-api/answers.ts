/**
 * What the API answers, as zod schemas: for the description, and for the tests, which hold every answer against its
 * schema. `components` gives each its name in `/openapi.json`.
 */
import { z } from 'zod';
import { kindSchemas, kinds, resourceSchema } from '../model/resource.ts';
import { problemCodes } from './problem-response.ts';

export const components = z.registry<{ id: string }>();

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  components.add(schema, { id });
  return schema;
}

for (const kind of kinds) named(kind, kindSchemas[kind]);

export const resourceAnswer = named('Resource', resourceSchema);

export const problemFault = named(
  'Fault',
  z.object({
    file: z.string().optional(),
    line: z.int().optional(),
    column: z.int().optional(),
    path: z.string(),
    message: z.string(),
  }),
);

export const problemAnswer = named(
  'Problem',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(problemCodes),
    errors: z.array(problemFault),
  }),
);

const reasons = z.array(z.object({ id: z.string(), reason: z.string() }));

export const rolloutAnswer = named(
  'Rollout',
  z.object({
    revision: z.int(),
    phase: z.enum(['applying', 'complete']).meta({
      description:
        'complete: nobody is pending, or was given up at the deadline, and what the revision takes away is gone',
    }),
    retired: z
      .int()
      .meta({ description: 'Clusters that the revision takes away, served until nobody may send to them' }),
    agents: z.int().meta({ description: 'How many agents the revision concerns' }),
    applied: z.int(),
    pending: reasons,
    rejected: reasons,
    gone: reasons.meta({ description: 'Agents whose lease ran out meanwhile: they no longer count' }),
  }),
);

const change = z.object({
  kind: z.enum(kinds),
  namespace: z.string(),
  name: z.string(),
  action: z.enum(['created', 'updated', 'deleted']),
});
const changeInFull = change.extend({ before: resourceSchema.nullable(), after: resourceSchema.nullable() });

export const changedAnswer = named(
  'Changed',
  z.object({
    revision: z.int().meta({ description: 'The new one; the present one when nothing changed or after a dry run' }),
    changes: z
      .array(changeInFull.partial({ before: true, after: true }))
      .meta({ description: 'A dry run says also what each document was (before) and would be (after)' }),
    warnings: z.array(problemFault),
    rollout: rolloutAnswer.nullable().meta({ description: 'Null after a dry run' }),
  }),
);

export const revisionAnswer = named(
  'Revision',
  z.object({
    revision: z.int(),
    at: z.iso.datetime(),
    by: z.string(),
    message: z.string(),
    changes: z.array(change),
  }),
);

export const revisionInFullAnswer = named('RevisionInFull', revisionAnswer.extend({ changes: z.array(changeInFull) }));

export const diffAnswer = named('Diff', z.object({ from: z.int(), to: z.int(), changes: z.array(changeInFull) }));

export const storedAnswer = named('Stored', z.object({ revision: z.int(), resource: resourceSchema }));

const load = z.object({
  requestsPerSecond: z.number().meta({ description: 'Requests that ended, as their senders report' }),
  errorsPerSecond: z.number(),
  inProgress: z.number(),
});

export const clusterLoadAnswer = named(
  'ClusterLoad',
  load.extend({
    cluster: z.string(),
    service: z.string().meta({ description: 'Empty, like the next three, for a cluster that is not of this mesh' }),
    namespace: z.string(),
    port: z.string(),
    subset: z.string(),
    clients: z.int().meta({ description: 'How many have reported on it' }),
    droppedPerSecond: z.number().meta({ description: 'Requests that their senders sent to nobody' }),
    localities: z.array(load.extend({ region: z.string(), zone: z.string(), subZone: z.string() })),
  }),
);

const counts = z.object({
  starting: z.int(),
  passing: z.int(),
  failing: z.int(),
  draining: z.int(),
  lost: z.int(),
});

export const serviceAnswer = named(
  'ServiceSummary',
  z.object({
    namespace: z.string(),
    name: z.string(),
    declared: z.boolean().meta({ description: 'Whether a Service document describes it' }),
    ports: z.array(z.object({ name: z.string(), port: z.int(), protocol: z.string() })),
    aliases: z.array(z.string()),
    virtualIps: z.array(z.string()).meta({ description: 'What its names stand for in DNS' }),
    instances: counts,
    revision: z.int(),
  }),
);

export const instanceAnswer = named(
  'Instance',
  z.object({
    id: z.string(),
    service: z.string(),
    namespace: z.string(),
    address: z.string(),
    port: z.int().nullable().meta({ description: 'Null when the instance has several; then `ports` names them' }),
    ports: z
      .record(z.string(), z.int())
      .optional()
      .meta({ description: 'Port name -> number; absent when the instance has one port without a name' }),
    labels: z.record(z.string(), z.string()),
    weight: z.int(),
    zone: z.string(),
    state: z.enum(['starting', 'passing', 'failing', 'draining', 'lost']),
    source: z.enum(['agent', 'rest']),
    lastSeen: z.string(),
  }),
);

export const agentAnswer = named(
  'Agent',
  z.object({
    id: z.string(),
    namespace: z.string(),
    service: z.string(),
    kind: z.string(),
    state: z.enum(['current', 'accepted', 'pending', 'rejected', 'disconnected', 'foreign-store', 'older-store']),
    detail: z.string(),
    connected: z.boolean(),
    revision: z.object({ sent: z.int(), applied: z.int() }),
    touched: z.int().meta({ description: 'The newest revision that changes something it holds' }),
    nack: z
      .object({
        revision: z.int(),
        at: z.string(),
        message: z.string(),
        resources: z.array(z.object({ typeUrl: z.string(), name: z.string(), reason: z.string() })),
      })
      .nullable(),
    names: z.array(z.string()),
    version: z.string(),
    lastSeen: z.string(),
  }),
);

export const clientProblemAnswer = named(
  'ClientProblem',
  z.object({
    namespace: z.string(),
    service: z.string(),
    clients: z.enum(['agent', 'envoy', 'grpc']).meta({ description: 'The kind of clients that cannot do it' }),
    document: z.string().meta({ description: 'Kind, namespace and name: "Route default/reviews"' }),
    path: z.string(),
    message: z.string(),
  }),
);

export function listOf(schema: z.ZodType): z.ZodType {
  const id = `${components.get(schema)?.id}List`;
  return named(id, z.object({ items: z.array(schema), next: z.string().nullable() }));
}
