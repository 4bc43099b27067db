/**
 * Another path for a request: the whole of it, or what its match matched as a prefix. Also the forms that these take on
 * the wire, so that compiler and agent cannot disagree.
 */
import type { RegexMatchAndSubstitute } from '../proto/types.ts';
import { assertVisible } from './head-text.ts';
import type { PathCondition } from './match.ts';
import { UnusableError } from './refusal.ts';

/** From path to path, both without query. */
export type PathChange = (path: string) => string;

/** The wire's words for a change of the path; `replacePrefix` and `regex` exclude each other. */
export interface WirePathChange {
  readonly prefixRewrite: string;
  readonly regexRewrite: RegexMatchAndSubstitute | null;
}

/** Matches every path as a whole, but not the "*" of OPTIONS. */
export const wholePath = '^/.*$';

/** Matches a prefix of whole elements together with the "/" behind it: "/api" with "/" in its place must not give "//x". */
export function prefixAndSlash(prefix: string): string {
  return `^${prefix.replace(/[^\w/~%-]/g, '\\$&')}/?`;
}

/** Text that stands for itself in a substitution, where "\1" would be a group. */
export function escapeSubstitution(text: string): string {
  return text.replaceAll('\\', '\\\\');
}

/** Undefined when the path stays as it is. Throws UnusableError on a pattern that is none of the forms above. */
export function preparePathChange(
  { prefixRewrite, regexRewrite }: WirePathChange,
  condition: PathCondition,
  where: string,
): PathChange | undefined {
  assertVisible(prefixRewrite, where);
  if (regexRewrite !== null) return prepareRegex(regexRewrite, condition, where);
  return prefixRewrite === '' ? undefined : replacePrefix(condition, prefixRewrite);
}

/** As in Envoy an exact path and a regular expression match, and give way, as a whole. */
function replacePrefix(condition: PathCondition, replacement: string): PathChange {
  const prefix = prefixOf(condition);
  if (prefix === undefined) return () => replacement;
  // What the prefix "/" takes need not begin with it: "*".
  return (path) => (path.startsWith(prefix) ? replacement + path.slice(prefix.length) : path);
}

function prefixOf(condition: PathCondition): string | undefined {
  if (condition.is !== 'prefix' && condition.is !== 'elements') return undefined;
  return condition.prefix === '' ? '/' : condition.prefix;
}

function prepareRegex(
  { pattern, substitution }: RegexMatchAndSubstitute,
  condition: PathCondition,
  where: string,
): PathChange {
  const replacement = substitution.replaceAll('\\\\', '\\');
  assertVisible(replacement, where);
  const isPlain = escapeSubstitution(replacement) === substitution;
  const prefix = prefixOf(condition);
  if (isPlain && pattern?.regex === wholePath) return (path) => (path.startsWith('/') ? replacement : path);
  if (isPlain && prefix !== undefined && pattern?.regex === prefixAndSlash(prefix)) {
    return (path) => replacement + path.slice(path.charAt(prefix.length) === '/' ? prefix.length + 1 : prefix.length);
  }
  throw new UnusableError(
    where,
    `rewrites the path by ${JSON.stringify(pattern?.regex)}, which this agent does not know`,
  );
}
