/** The OpenAPI 3.1 document, from the list of endpoints that is served and the schemas that parse its requests. */
import { z } from 'zod';
import { components, problemAnswer } from './answers.ts';
import type { AnswerDescription, Endpoint } from './endpoint.ts';
import { problemContentType } from './problem-response.ts';

type Json = Record<string, unknown>;

export interface OpenApiDocument extends Json {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

export function describeApi(endpoints: readonly Endpoint[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Json>> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {};
    Object.assign(paths[endpoint.path] ?? {}, { [endpoint.method]: operation(endpoint) });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version,
      description: 'The operators’ API of the Sluice control plane. Errors are application/problem+json.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: componentSchemas() },
  };
}

function operation(endpoint: Endpoint): Json {
  const { summary, method, path, body } = endpoint;
  const answers = Object.entries(endpoint.answers).map(([status, answer]) => [
    status,
    response(Number(status), answer),
  ]);
  return {
    operationId: operationId(method, path),
    summary,
    parameters: [
      ...parameters('path', endpoint.params),
      ...parameters('query', endpoint.query),
      ...parameters('header', endpoint.headers),
    ],
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body.content) } }),
    responses: { ...Object.fromEntries(answers), default: response(500, { description: 'What went wrong' }) },
  };
}

function parameters(place: 'path' | 'query' | 'header', schema: z.ZodObject): Json[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const { description, ...rest } = schemaOf(field);
    const isRequired = place === 'path' || !z.safeParse(field, undefined).success;
    return { name, in: place, required: isRequired, ...(description ? { description } : {}), schema: rest };
  });
}

function response(status: number, { description, schema, contentType }: AnswerDescription): Json {
  if (status >= 400 && schema === undefined) {
    return { description, content: { [problemContentType]: { schema: schemaOf(problemAnswer) } } };
  }
  if (schema === undefined) return { description };
  return { description, content: { [contentType ?? 'application/json']: { schema: schemaOf(schema) } } };
}

function contentOf(content: Readonly<Record<string, z.ZodType | 'text'>>): Json {
  const entries = Object.entries(content).map(([type, schema]) => [
    type,
    { schema: schema === 'text' ? { type: 'string' } : schemaOf(schema) },
  ]);
  return Object.fromEntries(entries);
}

/** A schema with a name of its own by its name, any other in full. */
function schemaOf(schema: z.core.$ZodType): Json {
  const id = components.get(schema)?.id;
  if (id !== undefined) return { $ref: reference(id) };
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

function componentSchemas(): Record<string, Json> {
  const { schemas } = z.toJSONSchema(components, { io: 'input', unrepresentable: 'any', uri: reference });
  const entries = Object.entries(schemas).map(([id, { $schema: _dialect, $id: _id, ...schema }]) => [id, schema]);
  return Object.fromEntries(entries);
}

function reference(id: string): string {
  return `#/components/schemas/${id}`;
}

/** `get /api/v1/routes/{name}` is `getRoutesName`. */
function operationId(method: string, path: string): string {
  const words = path.replace('/api/v1', '').split(/[^A-Za-z]+/);
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') || method;
}
