/**
 * The format as JSON Schema (draft 2020-12), from the schemas that parse it, so that editors complete rule files.
 * It accepts everything that the parser accepts; checks between fields (sums, uniqueness) are the parser's alone.
 */
import { z } from 'zod';
import { type Kind, kindSchemas } from './resource.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** One kind each, and `sluice` for any of them: what a rule file's document may be. */
export const schemaNames = ['route', 'service', 'trafficpolicy', 'sluice'] as const;
export type SchemaName = (typeof schemaNames)[number];

/** The schema of that name, self-contained. The same text on every call. */
export function jsonSchema(name: SchemaName): JsonSchema {
  const { title, body } = bodies[name]();
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...body };
}

const bodies: Readonly<Record<SchemaName, () => { title: string; body: JsonSchema }>> = {
  route: () => ({ title: 'Route', body: bodyOf('Route') }),
  service: () => ({ title: 'Service', body: bodyOf('Service') }),
  trafficpolicy: () => ({ title: 'TrafficPolicy', body: bodyOf('TrafficPolicy') }),
  sluice: () => ({
    title: 'Sluice document',
    body: { oneOf: [bodyOf('Route'), bodyOf('Service'), bodyOf('TrafficPolicy')] },
  }),
};

function bodyOf(kind: Kind): JsonSchema {
  const {
    $schema,
    '~standard': _,
    ...body
  } = z.toJSONSchema(kindSchemas[kind], { io: 'input', target: 'draft-2020-12' });
  return body;
}
