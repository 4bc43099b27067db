/**
 * Conditions of rules as gRPC libraries check them: on path and metadata. Every gRPC request is a POST to
 * `/package.Service/Method` without a query, so a condition on anything else either always holds or never does.
 */
import { regexSize } from '../../../model/http-parts.ts';
import type { Match, PathMatch, ValueMatch } from '../../../model/route.ts';
import type { Input } from '../../../proto/load.ts';
import type { HeaderMatcher, RouteMatch } from '../../../proto/types.ts';

/** Why requests of gRPC clients are never taken by a match, and which field of it says so. */
export interface Unmet {
  readonly field: readonly string[];
  readonly reason: string;
}

/** Undefined when a request of a gRPC client may meet every condition. */
export function unmetBy({ path, method, headers, query }: Match): Unmet | undefined {
  if (method !== undefined && method !== 'POST') return { field: ['method'], reason: 'every gRPC request is a POST' };
  const parameter = Object.entries(query).find(([, value]) => !('present' in value) || value.present);
  if (parameter) return { field: ['query', parameter[0]], reason: 'a gRPC request has no query' };
  const regexes: [string[], string | undefined][] = [
    [['path', 'regex'], path?.regex],
    ...Object.entries(headers).map(([name, { regex }]): [string[], string | undefined] => [
      ['headers', name, 'regex'],
      regex,
    ]),
  ];
  for (const [field, regex] of regexes) {
    const reason = regex === undefined ? undefined : whyNoLibraryTakes(regex);
    if (reason !== undefined) return { field, reason };
  }
  const header = Object.keys(headers).find((name) => unseen.test(name));
  if (header === undefined) return undefined;
  return { field: ['headers', header], reason: 'gRPC libraries compare metadata alone, and no binary metadata' };
}

/** Headers that are added below the place where gRPC libraries route, and binary ones. */
const unseen = /^(?:host|user-agent|te|grpc-.*|.*-bin)$/;

/** The WebAssembly of @grpc/grpc-js-xds has 16 MiB for all expressions, and ends the application when they are used up. */
const largestRegex = 20_000;

/**
 * Classes of characters that rules may name and older RE2 do not know. The C core refuses routes with one; @grpc/grpc-js-xds takes
 * them, and ends the application when it makes the expression.
 */
const newClasses: ReadonlySet<string> = new Set(
  [
    'ASCII_Hex_Digit Alphabetic Ascii Assigned Beria_Erfe Cn Cypro_Minoan Dash Emoji Emoji_Component Emoji_Modifier',
    'Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic Garay Gurung_Khema Hex_Digit Kawi Kirat_Rai LC Lc',
    'Lowercase Math Nag_Mundari Ol_Onal Old_Uyghur Quotation_Mark Sidetic Sunuwar Tai_Yo Tangsa Terminal_Punctuation',
    'Todhri Tolong_Siki Toto Tulu_Tigalari Unknown Uppercase Vithkuqi White_Space',
  ].flatMap((line) => line.split(' ')),
);

/** Undefined when all of them take it. */
function whyNoLibraryTakes(regex: string): string | undefined {
  if (regexSize(regex) > largestRegex) return 'the regular expression is too large for gRPC libraries';
  for (const [, name] of regex.matchAll(/\\Q.*?(?:\\E|$)|\\[pP]\{\^?([^}]*)\}|\\./gsu)) {
    if (name !== undefined && newClasses.has(name)) return `not all gRPC libraries know the class ${name}`;
  }
  return undefined;
}

/** Of a match that nothing speaks against. Uses no matcher that is newer than gRPC's first routes. */
export function compileGrpcMatch({ path, headers }: Match): Input<RouteMatch> {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...compilePath(path), headers: sorted.map(([name, value]) => compileHeader(name, value)) };
}

function compilePath(path: PathMatch | undefined): Input<RouteMatch> {
  if (path === undefined || path.prefix === '/') return { prefix: '/' };
  if (path.exact !== undefined) return { path: path.exact };
  if (path.regex !== undefined) return { safeRegex: { regex: whole(path.regex) } };
  // "/pkg.Service" stands for all its methods, "/pkg.Service/Method" for itself: there is nothing below a method.
  return path.prefix.lastIndexOf('/') === 0 ? { prefix: `${path.prefix}/` } : { path: path.prefix };
}

function compileHeader(name: string, value: ValueMatch): Input<HeaderMatcher> {
  if (value.exact !== undefined) return { name, exactMatch: value.exact };
  if (value.prefix !== undefined) return { name, prefixMatch: value.prefix };
  if (value.regex !== undefined) return { name, safeRegexMatch: { regex: whole(value.regex) } };
  // Libraries differ in what they make of `present_match: false`.
  return { name, presentMatch: true, invertMatch: !value.present };
}

/**
 * Some libraries put ^ and $ around a pattern without brackets, which changes the meaning of "a|b"; and those with an older
 * RE2 know (?P<name>) alone, and fail on (?<name>). A quotation that lasts to the end ends before the bracket.
 */
function whole(regex: string): string {
  const groups = /\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\(\?<(?![=!])/gsu;
  const adapted = regex.replace(groups, (found) => {
    if (found === '(?<') return '(?P<';
    return found.startsWith('\\Q') && !found.endsWith('\\E') ? `${found}\\E` : found;
  });
  return `(?:${adapted})`;
}
