/** Parameters that several calls share, each with its one schema: what it may be, what it means, what it becomes. */
import { z } from 'zod';
import { duration, durationMs } from '../model/duration.ts';
import { dnsLabel, labels } from '../model/name-schemas.ts';
import { parseValue } from '../model/parse.ts';

/** Longer waits are asked for again: `GET /revisions/{n}/rollout?wait=…`. */
const longestWaitMs = 3_600_000;

export const name = dnsLabel.meta({ description: 'Name of the resource' });

export const namespace = dnsLabel
  .optional()
  .meta({ description: 'Namespace; without it the default namespace of the server' });

/** Of an instance or an agent. */
export const id = z
  .string()
  .regex(/^[A-Za-z0-9](?:[\w.:-]{0,251}[A-Za-z0-9])?$/, 'must be letters, digits, ".", "_", ":" and "-", at most 253')
  .meta({ description: 'Id, unique within its service or namespace' });

export const revision = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,14})$/, 'must be the number of a revision')
  .transform(Number)
  .meta({ description: 'Number of a revision' });

export const wait = duration
  .transform(durationMs)
  .refine((ms) => ms <= longestWaitMs, 'must be at most 1h')
  .optional()
  .meta({ description: 'How long to wait until every agent that the revision concerns has applied it, such as 10s' });

export const dryRun = z
  .enum(['true', 'false', '1', '0', ''], 'must be true or false')
  .prefault('false')
  .transform((text) => text !== 'false' && text !== '0')
  .meta({ description: 'Check everything, change nothing' });

export const message = z
  .string()
  .max(1000, 'must be at most 1000 characters')
  .regex(/^(?:[\t\n]|\P{Cc})*$/u, 'must not contain control characters')
  .default('')
  .meta({ description: 'Why, for the history' });

/** `team=books,tier=1`: all of these labels. */
export const prune = z
  .string()
  .transform((text, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    const pairs = text.split(',').map((pair) => pair.trim());
    const isPair = (pair: string) => pair.indexOf('=') > 0;
    if (!pairs.every(isPair)) refuse('must be LABEL=VALUE, or several with "," between');
    const entries = pairs.filter(isPair).map((pair) => divided(pair, pair.indexOf('=')));
    const parsed = parseValue(labels, Object.fromEntries(entries));
    for (const { message } of parsed.ok ? [] : parsed.faults) refuse(message);
    if (new Set(entries.map(([key]) => key)).size < entries.length) refuse('names a label twice');
    return parsed.ok ? parsed.value : z.NEVER;
  })
  .optional()
  .meta({ description: 'Delete also every document that has all these labels and is not in the body: k=v,k2=v2' });

function divided(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

const entityTag = /^(?:W\/)?"?(0|[1-9]\d{0,14})"?$/;

function revisionTag(description: string) {
  return z
    .string()
    .regex(/^(?:"(?:0|[1-9]\d{0,14})"|0|[1-9]\d{0,14})$/, 'must be one revision, such as "12"')
    .transform((text) => Number(text.replaceAll('"', '')))
    .optional()
    .meta({ description });
}

export const ifStoreMatch = revisionTag('Refuse with 409 unless this is the newest revision of all rules');

export const ifMatch = z
  .union(
    [z.literal('*').transform(() => 'any' as const), revisionTag('').unwrap()],
    'must be one revision, such as "12", or *',
  )
  .optional()
  .meta({ description: 'Refuse with 409 unless the resource exists (*), or its ETag is this' });

export const ifNoneMatchAny = z
  .literal('*', 'must be *: only a resource that does not exist can be created')
  .optional()
  .meta({ description: '`*`: refuse with 409 if the resource exists' });

/** The revisions that the client already has, or `any`. Tags that are none of ours match nothing. */
export const ifNoneMatch = z
  .string()
  .max(1000)
  .transform((text): 'any' | number[] => {
    if (text.trim() === '*') return 'any';
    const tags = text.split(',').map((tag) => entityTag.exec(tag.trim())?.[1]);
    return tags.filter((tag) => tag !== undefined).map(Number);
  })
  .optional()
  .meta({ description: 'Answer 304 if the resource still has one of these ETags' });

/** Who makes a change. Node hands headers over as Latin-1; what was sent is UTF-8 or ASCII. */
export const author = z
  .string()
  .transform((text) => {
    const utf8 = Buffer.from(text, 'latin1').toString('utf8');
    return utf8.includes('\ufffd') ? text : utf8;
  })
  .refine((text) => /^\P{C}{1,200}$/u.test(text), 'must be 1 to 200 printable characters')
  .optional()
  .meta({ description: 'Who makes the change, for the history; without it `rest:ADDRESS`' });

export function authorOf(header: string | undefined, remoteAddress: string): string {
  return header ?? `rest:${remoteAddress}`;
}

/** How a revision stands in an ETag. */
export function tagOf(revision: number): string {
  return `"${revision}"`;
}
