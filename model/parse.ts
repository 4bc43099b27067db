/**
 * Values through a schema: a typed value, or every fault with its path. The one place where zod's errors are read;
 * rule files, REST bodies and settings all come through here.
 */
import type { z } from 'zod';
import { formatPath, type Path, type Problem } from './problem.ts';
import { sentence } from './sentences.ts';

export interface Fault {
  readonly path: Path;
  readonly message: string;
  /** It is the name of the field that is wrong, not its value: where to point. */
  readonly onKey?: boolean;
}

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Never throws for a value of JSON, however faulty or large. */
export function parseValue<Schema extends z.ZodType>(schema: Schema, value: unknown): Parsed<z.output<Schema>> {
  try {
    const result = schema.safeParse(value, { error: sentence });
    return result.success
      ? { ok: true, value: result.data }
      : { ok: false, faults: result.error.issues.flatMap(faultsOf) };
  } catch (error) {
    // zod hands issues upwards as function arguments: more than about 100,000 of them exceed the stack.
    if (!(error instanceof RangeError)) throw error;
    return { ok: false, faults: [{ path: [], message: 'has more faults than can be listed' }] };
  }
}

export function faultProblem({ path, message }: Fault): Problem {
  return { path: formatPath(path), message };
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  // The values read here come from JSON or YAML, so no key is a symbol.
  const path = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment));
  if (issue.code === 'invalid_key') return [{ path, message: issue.message, onKey: true }];
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  // One line per unknown field, see `sentence`; each is a fault at its own place.
  const lines = issue.message.split('\n');
  return issue.keys.map((key, index) => ({
    path: [...path, key],
    message: lines[index] ?? issue.message,
    onKey: true,
  }));
}
