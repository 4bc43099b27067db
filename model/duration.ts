/**
 * Durations as people write them: `500ms`, `2s`, `1.5m`, `1h`. Documents keep the canonical text, so that two
 * spellings of one duration are equal; whoever sets a timer asks for milliseconds.
 */
import { z } from 'zod';
import { must } from './sentences.ts';

const pattern = /^(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h)$/;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** A longer one is a slip of the unit, and timers of Node end at 24.8 days. */
const longestMs = 24 * unitMs.h;

const sentence = 'must be a duration: a number with its unit ms, s, m or h, such as 500ms, 2s or 1.5m';
const wrongForm = must(sentence);

/** A positive duration of whole milliseconds, at most 24h; its output is canonical. */
export const duration = z
  .string({ error: (issue) => (issue.input === undefined ? undefined : wrongForm.error(issue)) })
  .regex(pattern, wrongForm)
  .superRefine((text, context) => {
    const fault = pattern.test(text) ? faultOf(parseMs(text)) : undefined;
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  })
  .transform((text) => canonicalDuration(parseMs(text)));

/** Milliseconds of a duration that a document holds. Throws for text that never passed the schema. */
export function durationMs(canonical: string): number {
  const ms = parseMs(canonical);
  if (faultOf(ms) !== undefined) throw new RangeError(`not a duration: ${canonical}`);
  return ms;
}

/** The shortest spelling: the largest unit that needs no fraction (`90000` is `90s`, `120000` is `2m`). */
export function canonicalDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** NaN when the text has not the form of a duration. */
function parseMs(text: string): number {
  const [, number, unit] = pattern.exec(text) ?? [];
  if (number === undefined || !isUnit(unit)) return Number.NaN;
  // 1.1m is 66000.00000000001 in binary fractions: what is below a nanosecond is no part of what was written.
  return Math.round(Number(number) * unitMs[unit] * 1e6) / 1e6;
}

function faultOf(ms: number): string | undefined {
  if (Number.isNaN(ms)) return sentence;
  if (ms <= 0) return 'must be a duration above 0';
  if (ms > longestMs) return 'must be a duration of at most 24h';
  if (!Number.isInteger(ms)) return 'must be a duration of whole milliseconds';
  return undefined;
}

function isUnit(text: string | undefined): text is keyof typeof unitMs {
  return text !== undefined && Object.hasOwn(unitMs, text);
}
