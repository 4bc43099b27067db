/** Takes secrets out of what is to be logged, by the names of their keys. */
import { stdSerializers } from 'pino';

/** Keys whose values never reach a log, at any depth, in any case. */
export const secretKeys: readonly string[] = ['key', 'token', 'password', 'authorization', 'secret'];
export const redacted = '[redacted]';

/** What lies deeper is not logged at all: pino stops at 5 as well. */
const deepest = 5;
const tooDeep = '[…]';

/** A copy without secrets; also of errors and their properties, and of what is in arrays. */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactFields(fields, 0);
}

function redactFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isSecret(name) ? redacted : redactValue(value, depth + 1)]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return tooDeep;
  if (value instanceof Error) return redactFields(stdSerializers.err(value), depth);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  // Dates and URLs say themselves how they are written.
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactValue(value.toJSON(), depth + 1);
  return redactFields(value, depth);
}

function isSecret(name: string): boolean {
  return secretKeys.includes(name.toLowerCase());
}
