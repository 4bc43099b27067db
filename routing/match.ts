/** One match of a rule, prepared: path, headers (the method among them) and query parameters, all of which must hold. */
import { quote } from '../model/problem.ts';
import type { HeaderMatcher, QueryParameterMatcher, RouteMatch } from '../proto/types.ts';
import { UnusableError } from './refusal.ts';
import { queryParameter, type RouteRequest } from './request.ts';
import { createRegexMatcher, createTextMatcher, type TextMatcher } from './text-matcher.ts';

/** `elements`: `/api` takes `/api` and `/api/x`, not `/apis`. A `prefix` is plain text; '' takes every path. */
export type PathCondition =
  | { readonly is: 'exact'; readonly path: string }
  | { readonly is: 'prefix'; readonly prefix: string }
  | { readonly is: 'elements'; readonly prefix: string }
  | { readonly is: 'regex'; readonly matcher: TextMatcher };

/** One condition on anything but the path. */
export interface Condition {
  readonly holds: (request: RouteRequest) => boolean;
  /** What is looked at; undefined when the request does not have it. */
  readonly read: (request: RouteRequest) => string | undefined;
  /** What is wanted, for people: `header "x-beta" must be "1"`. */
  readonly words: string;
}

/** A header that must have exactly this value: what an index can find without asking. */
export interface ExactHeader {
  readonly name: string;
  readonly value: string;
  /** The same, among the conditions of its match. */
  readonly condition: Condition;
}

export interface PreparedMatch {
  readonly path: PathCondition;
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
    exactHeaders: match.headers.flatMap((header, index) => exactHeader(header, headers[index])),
    conditions: [...headers, ...parameters],
  };
}

/** Whether all of them hold. */
export function hold(conditions: readonly Condition[], request: RouteRequest): boolean {
  for (const condition of conditions) {
    if (!condition.holds(request)) return false;
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
      return condition.matcher.matches(path);
  }
}

/** What a path must be, for people; undefined when it takes every path. */
export function pathWords(condition: PathCondition): string | undefined {
  switch (condition.is) {
    case 'exact':
      return `the path must be ${quote(condition.path)}`;
    case 'prefix':
      return condition.prefix === '' ? undefined : `the path must begin with ${quote(condition.prefix)}`;
    case 'elements':
      return `the path must be ${quote(condition.prefix)} or begin with ${quote(`${condition.prefix}/`)}`;
    case 'regex':
      return `the path must ${condition.matcher.words}`;
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
      return { is: 'regex', matcher: createRegexMatcher(match.safeRegex, where) };
    default:
      throw new UnusableError(where, 'has a kind of path match that this agent does not know');
  }
}

function prepareHeader(header: HeaderMatcher, where: string): Condition {
  const name = header.name.toLowerCase();
  if (name === '') throw new UnusableError(where, 'has no header name');
  const read = (request: RouteRequest) => headerOf(request, name);
  const noun = name === ':method' ? 'the method' : `header ${quote(name)}`;
  switch (header.headerMatchSpecifier) {
    case 'presentMatch':
      return presence(read, noun, header.presentMatch);
    case 'stringMatch':
      return text(read, noun, createTextMatcher(header.stringMatch, where));
    default:
      throw new UnusableError(where, 'has a kind of header match that this agent does not know');
  }
}

function prepareParameter(parameter: QueryParameterMatcher, where: string): Condition {
  const { name } = parameter;
  if (name === '') throw new UnusableError(where, 'has no parameter name');
  const read = (request: RouteRequest) => queryParameter(request.query, name);
  const noun = `query parameter ${quote(name)}`;
  switch (parameter.queryParameterMatchSpecifier) {
    case 'presentMatch':
      return presence(read, noun, parameter.presentMatch);
    case 'stringMatch':
      return text(read, noun, createTextMatcher(parameter.stringMatch, where));
    default:
      throw new UnusableError(where, 'has a kind of query match that this agent does not know');
  }
}

function presence(read: Condition['read'], noun: string, wanted: boolean): Condition {
  return {
    holds: (request) => (read(request) !== undefined) === wanted,
    read,
    words: `${noun} must ${wanted ? '' : 'not '}be there`,
  };
}

/** What is absent has no value to compare: it never matches, not even the empty text. */
function text(read: Condition['read'], noun: string, matcher: TextMatcher): Condition {
  return {
    holds(request) {
      const value = read(request);
      return value !== undefined && matcher.matches(value);
    },
    read,
    words: `${noun} must ${matcher.words}`,
  };
}

function exactHeader(header: HeaderMatcher, condition: Condition | undefined): ExactHeader[] {
  const { name, headerMatchSpecifier, stringMatch } = header;
  const isExact = headerMatchSpecifier === 'stringMatch' && stringMatch?.matchPattern === 'exact';
  if (!isExact || stringMatch.ignoreCase || condition === undefined) return [];
  return [{ name: name.toLowerCase(), value: stringMatch.exact, condition }];
}
