/** The body of `POST /explain`: a request in JSON, made into the bytes that a client would send. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { byHeaderName, headerValue, method } from '../../model/http-parts.ts';
import { findJsonFault } from '../../model/json-fault.ts';
import { faultProblem, parseValue } from '../../model/parse.ts';
import type { Problem } from '../../model/problem.ts';
import { onAnyMap } from '../../model/unique.ts';
import { parseAuthority } from '../view/mesh-name.ts';

export interface AskedRequest {
  /** The head, as it would come in. */
  readonly bytes: Buffer;
  /** Whose local port it comes to (`--upstream`), written as there; undefined: it comes to the outbound port. */
  readonly service: string | undefined;
  /** Of the client, for `hashOn`. */
  readonly sourceAddress: string;
}

const visible = /^[!-~]*$/;

const fields = z.strictObject({
  method: method.default('GET'),
  /** The Host header. */
  host: z.string().max(1_024).regex(visible, 'is no host with or without a port').optional(),
  service: z
    .string()
    .refine((text) => parseAuthority(text) !== undefined, 'is no service with or without a port, such as reviews:9080')
    .optional(),
  /** With the query; an http:// URL as to an HTTP proxy. */
  path: z
    .string()
    .min(1)
    .regex(visible, 'must be written as in a request: other than ASCII percent-encoded')
    .regex(/^(?:\/|http:\/\/|\*$)/i, 'must begin with "/" or "http://"')
    .default('/'),
  /** Values of a repeated header joined by ",". */
  headers: byHeaderName(headerValue).default({}),
  sourceAddress: z
    .string()
    .refine((text) => isIP(text) !== 0, 'is no IP address')
    .default('127.0.0.1'),
});

type Body = z.output<typeof fields>;

const schema = fields.superRefine((body, context) => {
  // Also asked when something else is wrong: then any of it may be missing.
  if (Array.isArray(body)) return;
  const { host, service, path, headers }: Partial<Body> = body;
  const header = headers?.host;
  if (host !== undefined && header !== undefined && header !== host) {
    context.addIssue({ code: 'custom', path: ['headers', 'host'], message: 'is another one than "host"' });
  }
  if (host === undefined && header === undefined && service === undefined && !isAbsolute(path)) {
    context.addIssue({ code: 'custom', path: ['host'], message: 'is missing, and there is no "service" instead' });
  }
}, onAnyMap);

/** Every fault at once. */
export function readExplainBody(text: string): { readonly asked: AskedRequest } | { readonly problems: Problem[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    const { line, column, message } = findJsonFault(text) ?? { line: 1, column: 1, message: 'is no JSON' };
    return { problems: [{ line, column, path: '', message }] };
  }
  const parsed = parseValue(schema, json);
  if (!parsed.ok) return { problems: parsed.faults.map(faultProblem) };
  const { service, sourceAddress } = parsed.value;
  return { asked: { bytes: headOf(parsed.value), service, sourceAddress } };
}

function headOf({ method: verb, host, service, path, headers }: Body): Buffer {
  const { host: header, ...others } = headers;
  const addressee = host ?? header ?? service ?? '';
  const target = verb === 'CONNECT' ? addressee : path;
  // A client that says an URL says its host in the header as well.
  const named =
    isAbsolute(path) && host === undefined && header === undefined ? /^[^/]*\/\/([^/?]*)/.exec(path)?.[1] : undefined;
  const lines = Object.entries(others).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${verb} ${target} HTTP/1.1\r\nhost: ${named ?? addressee}\r\n${lines.join('')}\r\n`);
}

function isAbsolute(path: unknown): boolean {
  return typeof path === 'string' && /^http:\/\//i.test(path);
}
