/** Request bodies: media types, sizes, and the way from bytes to something typed. Never reads from a socket. */
import { z } from 'zod';
import { type DocumentFile, maxDocumentBytes } from '../model/document.ts';
import { MeshError } from '../model/errors.ts';
import { findJsonFault } from '../model/json-fault.ts';
import { parseValue } from '../model/parse.ts';
import { problemAt } from './problem-response.ts';

export interface RawBody {
  /** The Content-Type as sent; '' without one. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface BodyReader<Body> {
  /** A larger body is not even read. */
  readonly limitBytes: number;
  /** What it takes, by media type, for the description; a schema stands for JSON of that form. */
  readonly content: Readonly<Record<string, z.ZodType | 'text'>>;
  read(raw: RawBody): Body;
}

/** Several rule files in one request. Each of them may be as large as a file on its own. */
export const maxApplyBytes = 4 * maxDocumentBytes;
/** Bodies that are one small JSON object. */
const maxObjectBytes = 64 * 1024;

const jsonTypes = ['application/json'];
const yamlTypes = ['application/yaml', 'text/yaml', 'application/x-yaml', 'text/x-yaml'];

/** The name that errors give to a body that is itself the document. */
export const bodyName = 'body';

export function jsonBody<Schema extends z.ZodType>(schema: Schema): BodyReader<z.output<Schema>> {
  return {
    limitBytes: maxObjectBytes,
    content: { 'application/json': schema },
    read(raw) {
      mediaType(raw, jsonTypes);
      return parse(schema, parseJson(textOf(raw)));
    },
  };
}

/** Documents as YAML or JSON: what `model/document.ts` parses. */
export const documentsBody: BodyReader<DocumentFile[]> = {
  limitBytes: maxDocumentBytes,
  content: { 'application/yaml': 'text', 'application/json': z.looseObject({}) },
  read(raw) {
    const text = readDocument(raw).text;
    return [{ name: bodyName, text }];
  },
};

export const filesSchema = z.strictObject({
  files: z
    .array(z.strictObject({ name: z.string().min(1).max(4096), text: z.string() }))
    .min(1, 'names no file')
    .max(10_000),
});

/** The same, or several named files, so that errors carry the reader's file names. */
export const filesBody: BodyReader<DocumentFile[]> = {
  limitBytes: maxApplyBytes,
  content: {
    'application/json': z.union([filesSchema, z.looseObject({}), z.array(z.looseObject({}))]),
    'application/yaml': 'text',
  },
  read(raw) {
    const { text, value } = readDocument(raw);
    if (isFiles(value)) {
      const { files } = parse(filesSchema, value);
      const tooLarge = files.filter((file) => Buffer.byteLength(file.text) > maxDocumentBytes);
      if (tooLarge.length === 0) return files;
      const problems = tooLarge.map(({ name }) => ({ file: name, path: '', message: 'is larger than 4 MiB' }));
      throw new MeshError('BODY_TOO_LARGE', [maxDocumentBytes], { problems });
    }
    if (raw.bytes.byteLength > maxDocumentBytes) throw new MeshError('BODY_TOO_LARGE', [maxDocumentBytes]);
    return [{ name: bodyName, text }];
  },
};

/** The value too when it is JSON: then its syntax has been checked, and faults are the request's and not a document's. */
function readDocument(raw: RawBody): { text: string; value?: unknown } {
  const type = mediaType(raw, [...yamlTypes, ...jsonTypes]);
  const text = textOf(raw);
  return jsonTypes.includes(type) ? { text, value: parseJson(text) } : { text };
}

/** A document has a kind; only the envelope has nothing but files. */
function isFiles(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'files') && !Object.hasOwn(value, 'kind');
}

function mediaType(raw: RawBody, allowed: readonly string[]): string {
  const [type = '', ...parameters] = raw.type.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  const isUtf8 = charset === undefined || ['utf-8', 'utf8', '"utf-8"', 'us-ascii'].includes(charset);
  if (allowed.includes(type) && isUtf8) return type;
  const wanted = `${allowed.join(', ')} in UTF-8`;
  if (raw.type === '' && raw.bytes.byteLength === 0) {
    const problem = { path: bodyName, message: `is missing; send ${wanted}` };
    throw MeshError.ofProblems('INVALID_REQUEST', [problem]);
  }
  throw new MeshError('UNSUPPORTED_MEDIA_TYPE', [raw.type.slice(0, 100), wanted]);
}

function textOf(raw: RawBody): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(raw.bytes);
  } catch (cause) {
    const problem = { file: bodyName, path: '', message: 'is not UTF-8 text' };
    throw new MeshError('INVALID_REQUEST', [1], { problems: [problem], cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const fault = findJsonFault(text) ?? { line: 1, column: 1, message: 'is not JSON' };
    throw new MeshError('INVALID_REQUEST', [1], { problems: [{ file: bodyName, path: '', ...fault }], cause });
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = parseValue(schema, value);
  if (parsed.ok) return parsed.value;
  const problems = parsed.faults.map((fault) => problemAt(bodyName, fault));
  throw MeshError.ofProblems('INVALID_REQUEST', problems);
}
