/** Conditions on one text: a path, or the value of a header or query parameter. Prepared once, asked per request. */
import { RE2JS } from 're2js';
import { quote } from '../model/problem.ts';
import type { RegexMatcher, StringMatcher } from '../proto/types.ts';
import { UnusableError } from './refusal.ts';

export interface TextMatcher {
  readonly matches: (text: string) => boolean;
  /** What is wanted, to go on after "must": `be "1"`. */
  readonly words: string;
}

/** Throws UnusableError, naming `where`, on a pattern of an unknown kind or a regular expression that is none. */
export function createTextMatcher(matcher: StringMatcher | null, where: string): TextMatcher {
  if (matcher?.matchPattern === 'safeRegex') return createRegexMatcher(matcher.safeRegex, where);
  const fold = matcher?.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text;
  const inWords = (verb: string, text: string) =>
    `${verb} ${quote(text)}${matcher?.ignoreCase ? ', upper or lower case' : ''}`;
  switch (matcher?.matchPattern) {
    case 'exact':
      return { matches: equals(fold(matcher.exact), fold), words: inWords('be', matcher.exact) };
    case 'prefix':
      return { matches: startsWith(fold(matcher.prefix), fold), words: inWords('begin with', matcher.prefix) };
    case 'suffix':
      return { matches: endsWith(fold(matcher.suffix), fold), words: inWords('end with', matcher.suffix) };
    case 'contains':
      return { matches: contains(fold(matcher.contains), fold), words: inWords('contain', matcher.contains) };
    default:
      throw new UnusableError(where, 'has no text match, or one of an unknown kind');
  }
}

/** RE2 syntax, so linear in the length of the text whatever the expression; the whole text must match. */
export function createRegexMatcher(matcher: RegexMatcher | null, where: string): TextMatcher {
  const pattern = matcher?.regex ?? '';
  try {
    const regex = RE2JS.compile(pattern);
    return { matches: (text) => regex.testExact(text), words: `match the regular expression ${quote(pattern)}` };
  } catch (error) {
    // Whatever the engine throws about a pattern, it is a fault of the pattern.
    throw new UnusableError(where, `regular expression ${quote(pattern)} is not usable: ${String(error)}`);
  }
}

type Fold = (text: string) => string;
type Test = TextMatcher['matches'];

function equals(wanted: string, fold: Fold): Test {
  return (text) => fold(text) === wanted;
}

function startsWith(wanted: string, fold: Fold): Test {
  return (text) => fold(text).startsWith(wanted);
}

function endsWith(wanted: string, fold: Fold): Test {
  return (text) => fold(text).endsWith(wanted);
}

function contains(wanted: string, fold: Fold): Test {
  return (text) => fold(text).includes(wanted);
}
