/** Conditions on one text: a path, or the value of a header or query parameter. Prepared once, asked per request. */
import { RE2JS } from 're2js';
import type { RegexMatcher, StringMatcher } from '../proto/types.ts';
import { UnusableError } from './refusal.ts';

export type TextMatcher = (text: string) => boolean;

/** Throws UnusableError, naming `where`, on a pattern of an unknown kind or a regular expression that is none. */
export function createTextMatcher(matcher: StringMatcher | null, where: string): TextMatcher {
  if (matcher?.matchPattern === 'safeRegex') return createRegexMatcher(matcher.safeRegex, where);
  const fold = matcher?.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text;
  switch (matcher?.matchPattern) {
    case 'exact':
      return equals(fold(matcher.exact), fold);
    case 'prefix':
      return startsWith(fold(matcher.prefix), fold);
    case 'suffix':
      return endsWith(fold(matcher.suffix), fold);
    case 'contains':
      return contains(fold(matcher.contains), fold);
    default:
      throw new UnusableError(where, 'has a kind of text match that this agent does not know');
  }
}

/** RE2 syntax, so linear in the length of the text whatever the expression; the whole text must match. */
export function createRegexMatcher(matcher: RegexMatcher | null, where: string): TextMatcher {
  const pattern = matcher?.regex ?? '';
  try {
    const regex = RE2JS.compile(pattern);
    return (text) => regex.testExact(text);
  } catch (error) {
    // Whatever the engine throws about a pattern, it is a fault of the pattern.
    throw new UnusableError(where, `regular expression ${JSON.stringify(pattern)} is not usable: ${String(error)}`);
  }
}

type Fold = (text: string) => string;

function equals(wanted: string, fold: Fold): TextMatcher {
  return (text) => fold(text) === wanted;
}

function startsWith(wanted: string, fold: Fold): TextMatcher {
  return (text) => fold(text).startsWith(wanted);
}

function endsWith(wanted: string, fold: Fold): TextMatcher {
  return (text) => fold(text).endsWith(wanted);
}

function contains(wanted: string, fold: Fold): TextMatcher {
  return (text) => fold(text).includes(wanted);
}
