/** The headers of calls (PROTOCOL-HTTP2, "Requests" and "Responses"). Pure. */
import type { IncomingHttpHeaders } from 'node:http2';
import { StatusError, status } from './status.ts';

/** The longest wait of a timer. */
const mostMs = 2 ** 31 - 1;

/** Sentences are for people. */
const mostDetails = 2_000;

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds that the client waits for the end of its call; undefined: for ever. Throws StatusError. */
export function timeoutMs({ 'grpc-timeout': header }: IncomingHttpHeaders): number | undefined {
  if (header === undefined) return undefined;
  const [, value, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  if (value === undefined || unit === undefined) {
    throw new StatusError(
      status.INVALID_ARGUMENT,
      'the header grpc-timeout must be up to 8 digits and one of H M S m u n',
    );
  }
  return Math.min(Number(value) * (unitMs[unit] ?? 0), mostMs);
}

/** Undefined when the request is one of gRPC, else the HTTP status that says that it is not. */
export function refusedAs({ ':method': method, 'content-type': type }: IncomingHttpHeaders): number | undefined {
  if (method !== 'POST') return 405;
  return /^application\/grpc(?:$|[+;])/.test(type ?? '') ? undefined : 415;
}

/** The trailers that end a call. */
export function statusTrailers(code: number, details: string): Record<string, string> {
  return { 'grpc-status': String(code), ...(details !== '' && { 'grpc-message': percentEncode(details) }) };
}

/** "Status-Message": printable ASCII as it is, but for the percent sign. */
function percentEncode(text: string): string {
  const wellFormed = Buffer.from(text.slice(0, mostDetails)).toString();
  return wellFormed.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}
