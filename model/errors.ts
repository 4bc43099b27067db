/**
 * Every error that leaves Sluice: one class, one catalogue. A code has one sentence, one HTTP status and one gRPC
 * status; whoever answers a request translates here and nowhere else. `docs/errors.md` is kept in step by a test.
 */
import { formatProblem, type Problem } from './problem.ts';

/** Status numbers of gRPC that are in use here (plain numbers: the model does not know gRPC). */
const grpc = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export const errorCodes = {
  INVALID_DOCUMENTS: {
    http: 422,
    grpc: grpc.INVALID_ARGUMENT,
    text: (faults: number) => `the change was refused, nothing changed: ${count(faults, 'fault')}`,
  },
  NO_DOCUMENTS: {
    http: 422,
    grpc: grpc.INVALID_ARGUMENT,
    text: () => 'there is no document to apply; an empty apply is refused',
  },
  REVISION_CONFLICT: {
    http: 409,
    grpc: grpc.ABORTED,
    text: (now: number) => `the rules changed meanwhile; the revision is ${now}`,
  },
  ETAG_CONFLICT: {
    http: 409,
    grpc: grpc.ABORTED,
    text: (resource: string, now: number) =>
      now === 0 ? `${resource} does not exist` : `${resource} changed meanwhile; its revision is ${now}`,
  },
  RESOURCE_EXISTS: {
    http: 409,
    grpc: grpc.ALREADY_EXISTS,
    text: (resource: string, now: number) => `${resource} exists already; its revision is ${now}`,
  },
  RESOURCE_NOT_FOUND: {
    http: 404,
    grpc: grpc.NOT_FOUND,
    text: (kind: string, namespace: string, name: string) =>
      `no ${kind} document named "${name}" in namespace "${namespace}"`,
  },
  SERVICE_NOT_FOUND: { http: 404, grpc: grpc.NOT_FOUND, text: (name: string) => `no service named "${name}"` },
  INSTANCE_NOT_FOUND: {
    http: 404,
    grpc: grpc.NOT_FOUND,
    text: (service: string, id: string) => `service "${service}" has no instance "${id}"`,
  },
  INSTANCE_HELD: {
    http: 409,
    grpc: grpc.FAILED_PRECONDITION,
    text: (service: string, id: string) =>
      `instance "${id}" of service "${service}" is held by its agent; stop or drain the agent`,
  },
  NAME_IS_ALIAS: {
    http: 409,
    grpc: grpc.ALREADY_EXISTS,
    text: (service: string, owner: string) =>
      `"${service}" is an alias of the service "${owner}": no instance can be registered under it`,
  },
  AGENT_NOT_FOUND: { http: 404, grpc: grpc.NOT_FOUND, text: (id: string) => `no agent with the id "${id}"` },
  REVISION_NOT_FOUND: {
    http: 404,
    grpc: grpc.NOT_FOUND,
    text: (revision: number) => `there is no revision ${revision}`,
  },
  ROUTE_PATH_NOT_FOUND: {
    http: 404,
    grpc: grpc.UNIMPLEMENTED,
    text: (path: string) => `nothing is served at ${path}; /openapi.json lists what is`,
  },
  METHOD_NOT_ALLOWED: {
    http: 405,
    grpc: grpc.UNIMPLEMENTED,
    text: (method: string, allowed: string) => `${method} is not allowed here; allowed: ${allowed}`,
  },
  BODY_TOO_LARGE: {
    http: 413,
    grpc: grpc.RESOURCE_EXHAUSTED,
    text: (limitBytes: number) => `the body is larger than ${limitBytes} bytes`,
  },
  INVALID_REQUEST: {
    http: 400,
    grpc: grpc.INVALID_ARGUMENT,
    text: (faults: number) => `the request was refused: ${count(faults, 'fault')}`,
  },
  UNSUPPORTED_MEDIA_TYPE: {
    http: 415,
    grpc: grpc.INVALID_ARGUMENT,
    text: (type: string, allowed: string) =>
      type === ''
        ? `the body has no Content-Type; send ${allowed}`
        : `cannot read a body of type "${type}"; send ${allowed}`,
  },
  INVALID_REGISTRATION: {
    http: 400,
    grpc: grpc.INVALID_ARGUMENT,
    text: (faults: number) => `the registration was refused: ${count(faults, 'fault')}`,
  },
  AGENT_ID_TAKEN: {
    http: 409,
    grpc: grpc.ALREADY_EXISTS,
    text: (id: string, namespace: string) => `another live agent in namespace "${namespace}" has the id "${id}"`,
  },
  STORE_READ_ONLY: {
    http: 507,
    grpc: grpc.FAILED_PRECONDITION,
    text: (reason: string) => `the store takes no changes: ${reason}`,
  },
  STORE_FAILED: { http: 500, grpc: grpc.INTERNAL, text: (reason: string) => `the store failed: ${reason}` },
  INTERNAL: { http: 500, grpc: grpc.INTERNAL, text: () => 'something unexpected failed; the log says what' },
} as const;

export type ErrorCode = keyof typeof errorCodes;
/** What the sentence of a code has to be told, in order. */
export type ErrorDetails<Code extends ErrorCode> = Parameters<(typeof errorCodes)[Code]['text']>;

export interface MeshErrorOptions {
  /** The faults one by one, for errors about something that a person wrote. */
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
}

/** `throw new MeshError('SERVICE_NOT_FOUND', ['reviews.default'])`. */
export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: ErrorCode;
  readonly http: number;
  /** Status number of gRPC. */
  readonly grpc: number;
  /** Empty for errors that are not about input. */
  readonly problems: readonly Problem[];

  constructor(...[code, details, options = {}]: MeshErrorArguments) {
    const { http, grpc, text } = errorCodes[code];
    // The union of argument tuples ties details to their code, which the compiler cannot follow through the lookup.
    const say = text as (...details: readonly (string | number)[]) => string;
    super(say(...details), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.http = http;
    this.grpc = grpc;
    this.problems = options.problems ?? [];
  }

  /** An error about faults in input: its sentence counts them, its `problems` are them. */
  static ofProblems(
    code: 'INVALID_DOCUMENTS' | 'INVALID_REQUEST' | 'INVALID_REGISTRATION',
    problems: readonly Problem[],
  ): MeshError {
    return new MeshError(code, [problems.length], { problems });
  }

  /** The only way for a foreign error to enter: itself if it is one of ours, else INTERNAL with the cause kept. */
  static from(error: unknown): MeshError {
    return error instanceof MeshError ? error : new MeshError('INTERNAL', [], { cause: error });
  }

  /** The sentence, then one line per problem: for terminals and logs. */
  toText(): string {
    return [this.message, ...this.problems.map(formatProblem)].join('\n');
  }
}

type MeshErrorArguments = {
  [Code in ErrorCode]: [code: Code, details: ErrorDetails<Code>, options?: MeshErrorOptions];
}[ErrorCode];

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
