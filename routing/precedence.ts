/**
 * The order in which rules are tried: Gateway API's, so that no rule wins by where it stands in a file. Exact paths come
 * first, then the longest prefix, then regular expressions; among equals those with a method, with more headers, with more
 * query parameters; what is still equal keeps the order of the document.
 *
 * A match that leaves the path open (none given, or the prefix "/") comes last of all: it takes whatever is left. Ranked as a
 * prefix it would stand before every regular expression, and no rule with one could stand beside a default rule.
 */
import type { Match } from '../model/route.ts';

/** What ranking needs of a match. */
export type RankedMatch = Pick<Match, 'path' | 'method' | 'headers' | 'query'>;

/** One alternative of a rule: what becomes one route on the wire. */
export interface Alternative<Rule> {
  readonly rule: Rule;
  /** Place of the rule in the document, which names a rule that has no name of its own. */
  readonly index: number;
  readonly match: RankedMatch;
}

/** What a rule without a match stands for. */
const everyRequest: RankedMatch = { headers: {}, query: {} };

/** Every alternative of every rule, in the order they are to be tried. */
export function sortRules<Rule extends { readonly match: readonly RankedMatch[] }>(
  rules: readonly Rule[],
): Alternative<Rule>[] {
  const alternatives = rules.flatMap((rule, index) =>
    (rule.match.length === 0 ? [everyRequest] : rule.match).map((match) => ({ rule, index, match })),
  );
  // Sorting is stable: what ranks equal stays in the order of the document.
  return alternatives.sort((a, b) => compareMatches(a.match, b.match));
}

/** Negative when `a` is tried before `b`; 0 when only their places in the document tell. */
export function compareMatches(a: RankedMatch, b: RankedMatch): number {
  return (
    pathRank(a) - pathRank(b) ||
    prefixLength(b) - prefixLength(a) ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    Object.keys(b.headers).length - Object.keys(a.headers).length ||
    Object.keys(b.query).length - Object.keys(a.query).length
  );
}

function pathRank({ path }: RankedMatch): number {
  if (path?.exact !== undefined) return 0;
  if (path?.regex !== undefined) return 2;
  return isOpen(path?.prefix) ? 3 : 1;
}

function prefixLength({ path }: RankedMatch): number {
  return isOpen(path?.prefix) ? 0 : (path?.prefix?.length ?? 0);
}

function isOpen(prefix: string | undefined): boolean {
  return prefix === undefined || prefix === '/';
}
