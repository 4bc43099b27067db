/**
 * What a schema found wrong, as a sentence for the person who wrote the value. Nothing here decides what is wrong.
 * Sentences continue the path they stand behind: `spec.rules[2].timeout: must be …`.
 */
import type { z } from 'zod';
import { closest } from './closest.ts';
import { quote } from './problem.ts';

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** The sentence for one issue. For unknown fields it is one line per field, in the order of `issue.keys`. */
export function sentence(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(nouns[issue.expected] ?? issue.expected, issue.input);
    case 'invalid_value':
      return wrongChoice(issue.values, issue.input);
    case 'too_small':
      return tooSmall(issue.origin, Number(issue.minimum), issue.input);
    case 'too_big':
      return tooBig(issue.origin, Number(issue.maximum), issue.input);
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(key, fieldsOf(issue.inst))).join('\n');
    case 'invalid_key':
      return [...new Set(issue.issues.map(({ message }) => message))].join('; ');
    default:
      return 'is not valid here';
  }
}

/** The error of a schema's check: its rule, then what was found instead. */
export function must(rule: string): { error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => `${rule}; found ${describe(input)}` };
}

/** A value in words, short enough for a sentence. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return String(value);
}

function wrongType(noun: string, input: unknown): string {
  if (input === undefined) return 'is missing';
  if (input === null) return `has no value; must be ${noun}`;
  const hint = noun === nouns.string && typeof input !== 'object' ? `; put it in quotes: "${String(input)}"` : '';
  return `must be ${noun}; found ${describe(input)}${hint}`;
}

function wrongChoice(values: readonly unknown[], input: unknown): string {
  if (input === undefined) return 'is missing';
  const known = values.map(String);
  const wanted = known.length === 1 ? `must be ${known.join()}` : `must be one of ${known.join(', ')}`;
  return `${wanted}; found ${describe(input)}${didYouMean(input, known)}`;
}

function tooSmall(origin: string, minimum: number, input: unknown): string {
  if (origin === 'string') return minimum === 1 ? 'must not be empty' : `must have at least ${minimum} characters`;
  if (origin === 'array') return minimum === 1 ? 'must not be an empty list' : `must have at least ${minimum} items`;
  return `must be at least ${minimum}; found ${describe(input)}`;
}

function tooBig(origin: string, maximum: number, input: unknown): string {
  if (origin === 'string') return `must have at most ${maximum} characters`;
  if (origin === 'array') return `must have at most ${maximum} items`;
  return `must be at most ${maximum}; found ${describe(input)}`;
}

function unknownField(key: string, known: readonly string[]): string {
  const allowed = known.length === 0 ? '' : `; allowed here: ${known.join(', ')}`;
  return `unknown field ${quote(key)}${didYouMean(key, known) || allowed}`;
}

function didYouMean(input: unknown, known: readonly string[]): string {
  const guess = typeof input === 'string' ? closest(input, known) : undefined;
  return guess === undefined ? '' : `; did you mean ${quote(guess)}?`;
}

/** The fields of the map schema that raised the issue. */
function fieldsOf(schema: z.core.$ZodRawIssue['inst']): string[] {
  const definition: unknown = schema?._zod.def;
  if (typeof definition !== 'object' || definition === null || !('shape' in definition)) return [];
  return Object.keys(definition.shape ?? {});
}
