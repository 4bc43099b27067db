/** Errors as `application/problem+json` (RFC 9457): the one place where a MeshError becomes an HTTP answer. */
import { errorCodes, MeshError } from '../model/errors.ts';
import { type Fault, faultProblem } from '../model/parse.ts';
import type { Problem } from '../model/problem.ts';

export const problemContentType = 'application/problem+json';

export interface ProblemBody {
  /** `urn:sluice:error:CODE`; docs/errors.md explains each code. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly errors: readonly Problem[];
}

/** Errors that only this API has, because they are about serving HTTP and nothing else. */
const ownCodes = {
  NOT_SUPPORTED_YET: { http: 501, text: (path: string) => `${path} is not supported yet` },
  TOO_MANY_STREAMS: { http: 503, text: (limit: string) => `${limit} event streams are open; that is the limit` },
  CROSS_ORIGIN: { http: 403, text: (origin: string) => `changes from pages of ${origin} are refused` },
} as const;

export type OwnCode = keyof typeof ownCodes;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: OwnCode;
  readonly http: number;

  constructor(code: OwnCode, detail: string) {
    super(ownCodes[code].text(detail));
    this.code = code;
    this.http = ownCodes[code].http;
  }
}

export function problemOf(error: MeshError | ApiError): ProblemBody {
  return {
    type: `urn:sluice:error:${error.code}`,
    title: titleOf(error.code),
    status: error.http,
    detail: error.message,
    code: error.code,
    errors: error instanceof MeshError ? error.problems : [],
  };
}

/** A fault of a part of the request: `query.wait: must be …`. */
export function problemAt(part: string, { path, message }: Fault): Problem {
  return faultProblem({ path: [part, ...path], message });
}

/**
 * Whatever was thrown while a request was answered, as one of our errors; undefined when the client is gone and nobody
 * listens. Express and its body parser throw errors that carry a status and a type.
 */
export function errorOf(thrown: unknown, limitBytes: number): MeshError | ApiError | undefined {
  if (thrown instanceof MeshError || thrown instanceof ApiError) return thrown;
  const { type, status } = fieldsOf(thrown);
  if (type === 'request.aborted') return undefined;
  if (type === 'entity.too.large') return new MeshError('BODY_TOO_LARGE', [limitBytes], { cause: thrown });
  if (type === 'encoding.unsupported') {
    return new MeshError('UNSUPPORTED_MEDIA_TYPE', ['this content encoding', 'identity, gzip, deflate or br']);
  }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const message = thrown instanceof Error ? thrown.message : 'is not readable';
    return new MeshError('INVALID_REQUEST', [1], { problems: [{ path: '', message }], cause: thrown });
  }
  return MeshError.from(thrown);
}

/** The codes an answer can have, for the description. */
export const problemCodes: readonly string[] = [...Object.keys(errorCodes), ...Object.keys(ownCodes)];

function fieldsOf(thrown: unknown): { type?: unknown; status?: unknown } {
  if (typeof thrown !== 'object' || thrown === null) return {};
  return { type: Reflect.get(thrown, 'type'), status: Reflect.get(thrown, 'status') };
}

/** `REVISION_CONFLICT` is a "Revision conflict". */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
