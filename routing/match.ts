/** One match of a rule, prepared: path, headers (the method among them) and query parameters, all of which must hold. */
import type { HeaderMatcher, QueryParameterMatcher, RouteMatch } from '../proto/types.ts';
import { UnusableError } from './refusal.ts';
import { queryParameter, type RouteRequest } from './request.ts';
import { createRegexMatcher, createTextMatcher, type TextMatcher } from './text-matcher.ts';

/** `elements`: `/api` takes `/api` and `/api/x`, not `/apis`. A `prefix` is plain text; '' takes every path. */
export type PathCondition =
  | { readonly is: 'exact'; readonly path: string }
  | { readonly is: 'prefix'; readonly prefix: string }
  | { readonly is: 'elements'; readonly prefix: string }
  | { readonly is: 'regex'; readonly matches: TextMatcher };

type Condition = (request: RouteRequest) => boolean;

/** A header that must have exactly this value: what an index can find without asking. */
export interface ExactHeader {
  readonly name: string;
  readonly value: string;
}

export interface PreparedMatch {
  readonly path: PathCondition;
  /** Also among the `conditions`. */
  readonly exactHeaders: readonly ExactHeader[];
  /** Everything but the path, cheapest first. */
  readonly conditions: readonly Condition[];
}

/** Throws UnusableError, naming `where`, on anything this agent does not know: a match half understood routes wrongly. */
export function prepareMatch(match: RouteMatch | null, where: string): PreparedMatch {
  if (match === null) throw new UnusableError(where, 'has no match');
  const headers = match.headers.map((header, index) => prepareHeader(header, `${where}.headers[${index}]`));
  const parameters = match.queryParameters.map((parameter, index) =>
    prepareParameter(parameter, `${where}.queryParameters[${index}]`),
  );
  return {
    path: preparePath(match, where),
    exactHeaders: match.headers.flatMap(exactHeader),
    conditions: [...headers, ...parameters],
  };
}

/** Whether all but the path holds. */
export function holds(match: PreparedMatch, request: RouteRequest): boolean {
  for (const condition of match.conditions) {
    if (!condition(request)) return false;
  }
  return true;
}

/** Whether the path holds. The route index answers this for most routes at once; this is the meaning of its answer. */
export function pathHolds(condition: PathCondition, path: string): boolean {
  switch (condition.is) {
    case 'exact':
      return path === condition.path;
    case 'prefix':
      return path.startsWith(condition.prefix);
    case 'elements':
      return path.startsWith(condition.prefix) && endsElement(path, condition.prefix.length);
    case 'regex':
      return condition.matches(path);
  }
}

/** Whether a path element ends before this position. */
export function endsElement(path: string, position: number): boolean {
  return position === path.length || path.charAt(position) === '/';
}

/** Names are case-insensitive; ":method" is the method. */
export function headerOf(request: RouteRequest, lowerCaseName: string): string | undefined {
  return lowerCaseName === ':method' ? request.method : request.header(lowerCaseName);
}

function preparePath(match: RouteMatch, where: string): PathCondition {
  switch (match.pathSpecifier) {
    case 'path':
      return { is: 'exact', path: match.path };
    case 'prefix':
      // Also what has no "/" at its start: `OPTIONS *`.
      return { is: 'prefix', prefix: match.prefix === '/' ? '' : match.prefix };
    case 'pathSeparatedPrefix': {
      const prefix = match.pathSeparatedPrefix.replace(/\/+$/, '');
      return prefix === '' ? { is: 'prefix', prefix } : { is: 'elements', prefix };
    }
    case 'safeRegex':
      return { is: 'regex', matches: createRegexMatcher(match.safeRegex, where) };
    default:
      throw new UnusableError(where, 'has a kind of path match that this agent does not know');
  }
}

function prepareHeader(header: HeaderMatcher, where: string): Condition {
  const name = header.name.toLowerCase();
  if (name === '') throw new UnusableError(where, 'has no header name');
  switch (header.headerMatchSpecifier) {
    case 'presentMatch':
      return presence((request) => headerOf(request, name), header.presentMatch);
    case 'stringMatch':
      return text((request) => headerOf(request, name), createTextMatcher(header.stringMatch, where));
    default:
      throw new UnusableError(where, 'has a kind of header match that this agent does not know');
  }
}

function prepareParameter(parameter: QueryParameterMatcher, where: string): Condition {
  const { name } = parameter;
  if (name === '') throw new UnusableError(where, 'has no parameter name');
  switch (parameter.queryParameterMatchSpecifier) {
    case 'presentMatch':
      return presence((request) => queryParameter(request.query, name), parameter.presentMatch);
    case 'stringMatch':
      return text((request) => queryParameter(request.query, name), createTextMatcher(parameter.stringMatch, where));
    default:
      throw new UnusableError(where, 'has a kind of query match that this agent does not know');
  }
}

type Read = (request: RouteRequest) => string | undefined;

function presence(read: Read, wanted: boolean): Condition {
  return (request) => (read(request) !== undefined) === wanted;
}

/** What is absent has no value to compare: it never matches, not even the empty text. */
function text(read: Read, matches: TextMatcher): Condition {
  return (request) => {
    const value = read(request);
    return value !== undefined && matches(value);
  };
}

function exactHeader({ name, headerMatchSpecifier, stringMatch }: HeaderMatcher): ExactHeader[] {
  const isExact = headerMatchSpecifier === 'stringMatch' && stringMatch?.matchPattern === 'exact';
  return isExact && !stringMatch.ignoreCase ? [{ name: name.toLowerCase(), value: stringMatch.exact }] : [];
}
