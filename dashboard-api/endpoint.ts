/**
 * One call of the API as a value: what it takes, as zod schemas, what it answers, and what it does. `api.ts` serves the
 * list of endpoints and `openapi.ts` describes the same list, so neither can say what the other does not.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { z } from 'zod';
import { MeshError } from '../model/errors.ts';
import { parseValue } from '../model/parse.ts';
import { type Problem, quote } from '../model/problem.ts';
import type { BodyReader, RawBody } from './body.ts';
import { problemAt } from './problem-response.ts';

export type Method = 'get' | 'post' | 'put' | 'delete';

export type Answer =
  | { readonly is: 'json'; readonly status: number; readonly headers?: AnswerHeaders; readonly body: unknown }
  | { readonly is: 'text'; readonly status: number; readonly contentType: string; readonly text: string }
  | { readonly is: 'empty'; readonly status: 204 | 304; readonly headers?: AnswerHeaders }
  /** The endpoint writes the answer itself, for as long as the client stays. */
  | { readonly is: 'stream'; readonly contentType: string; open(response: ServerResponse): void };

export type AnswerHeaders = Readonly<Record<string, string>>;

/** What an answer of one status is, for the description. */
export interface AnswerDescription {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Without it application/json. */
  readonly contentType?: string;
}

/** A request as it came, before anything of it is trusted. */
export interface RawCall {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: RawBody;
  readonly remoteAddress: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** The same request when all of it is known to be right. */
export interface Call<Params, Query, Headers, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  readonly remoteAddress: string;
  readonly signal: AbortSignal;
}

export interface Endpoint {
  readonly method: Method;
  /** In the spelling of OpenAPI: `/api/v1/routes/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly headers: z.ZodObject;
  readonly body: BodyReader<unknown> | undefined;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Refuses with MeshErrors. */
  run(raw: RawCall): Promise<Answer>;
}

type NoFields = z.ZodObject<Record<never, never>>;
const noFields: NoFields = z.strictObject({});

interface Definition<Params extends z.ZodObject, Query extends z.ZodObject, Headers extends z.ZodObject, Body> {
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly params?: Params;
  /** Strict: a parameter that it does not know is refused. */
  readonly query?: Query;
  /** Only what it names is looked at. */
  readonly headers?: Headers;
  readonly body?: BodyReader<Body>;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  handle(call: Call<z.output<Params>, z.output<Query>, z.output<Headers>, Body>): Answer | Promise<Answer>;
}

export function endpoint<
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
  Headers extends z.ZodObject = NoFields,
  Body = undefined,
>(definition: Definition<Params, Query, Headers, Body>): Endpoint {
  const { params = noFields, query = noFields, headers = noFields, body } = definition;
  return {
    method: definition.method,
    path: definition.path,
    summary: definition.summary,
    params,
    query,
    headers,
    body,
    answers: definition.answers,
    async run(raw) {
      const problems: Problem[] = [];
      const read = (schema: z.ZodObject, place: string, value: unknown): unknown => {
        const parsed = parseValue(schema, value);
        if (parsed.ok) return parsed.value;
        problems.push(...parsed.faults.map((fault) => problemAt(place, fault)));
        return undefined;
      };
      const call = {
        params: read(params, 'path', raw.params),
        query: read(query, 'query', onlyOnce(raw.query, problems)),
        headers: read(headers, 'header', headerValues(headers, raw.headers)),
      };
      if (problems.length > 0) throw MeshError.ofProblems('INVALID_REQUEST', problems);
      const { remoteAddress, signal } = raw;
      // Each part came out of its own schema just now; the compiler lost sight of that in the loop over problems.
      const typed = { ...call, body: body?.read(raw.body), remoteAddress, signal } as Parameters<
        typeof definition.handle
      >[0];
      return definition.handle(typed);
    },
  };
}

export function json(body: unknown, options: { status?: number; headers?: AnswerHeaders } = {}): Answer {
  const { status = 200, headers = {} } = options;
  return { is: 'json', status, headers, body };
}

/** A parameter that is given twice means two things at once, so it is refused. */
function onlyOnce(query: URLSearchParams, problems: Problem[]): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    if (values.has(name)) problems.push({ path: 'query', message: `has ${quote(name)} more than once` });
    values.set(name, value);
  }
  return Object.fromEntries(values);
}

function headerValues(schema: z.ZodObject, headers: IncomingHttpHeaders): Record<string, unknown> {
  const named = Object.keys(schema.shape).map((name) => [name, headers[name]] as const);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}
