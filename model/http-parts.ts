/** What rules say about HTTP: header, cookie and query names, paths, methods, regular expressions. Canonical on the way out. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { choice } from './choice.ts';
import { quote } from './problem.ts';
import { must } from './sentences.ts';
import { always } from './unique.ts';

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

export const headerName = z
  .string()
  .max(256)
  .regex(new RegExp(`^${token}$`), must('is no header name: letters, digits and "-" are usual'))
  .transform((name) => name.toLowerCase());

/** Framing and the connection are the agents' own (RFC 9110, 7.6.1); what a rule wrote there would break messages. */
const connectionHeaders = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Why no rule may change a header, by its name; undefined when one may. */
export type HeaderFault = (name: string) => string | undefined;

export const responseHeaderFault: HeaderFault = (name) => {
  const lower = name.toLowerCase();
  if (connectionHeaders.has(lower)) return `${quote(name)} belongs to the connection; no rule can change it`;
  return lower.startsWith('x-sluice-') ? `${quote(name)} is used by the agents; no rule can change it` : undefined;
};

export const requestHeaderFault: HeaderFault = (name) =>
  name.toLowerCase() === 'host' ? `${quote(name)} is changed by rewrite.host` : responseHeaderFault(name);

/** A value that a rule writes; what is only compared may have more characters. */
export const headerText = z
  .string()
  .max(8192)
  .regex(
    /^(?:[!-~](?:[\t -~]*[!-~])?)?$/,
    'must be ASCII, without control characters and without spaces at its beginning or end',
  );

export const cookieName = z
  .string()
  .max(256)
  .regex(new RegExp(`^${token}$`), must('is no cookie name: letters, digits, "-" and "_" are usual'));

export const headerValue = z
  .string()
  .max(8192)
  .regex(/^(?:\t|\P{Cc})*$/u, 'is no header value: it has a line break or another control character');

export const method = z
  .string()
  .max(64)
  .regex(/^[A-Z][!#$%&'*+.^_`|~0-9A-Z-]*$/, must('must be an HTTP method in upper case, such as GET'));

/**
 * A regular expression that runs in linear time (the syntax of RE2: no look-around, no back references), so no rule can
 * stall an agent. The length bounds what one request can cost.
 */
export const regex = z
  .string()
  .min(1)
  .max(1024)
  .superRefine((pattern, context) => {
    const fault = regexFault(pattern);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });

const pathPattern = /^\/[!-"$->@-~]*$/;
const pathSentence =
  'must begin with "/" and be written as in a request: without "?" and "#", other than ASCII percent-encoded';

/** As Gateway API refuses them too: the same path to some servers and another one to others. */
const ambiguous = /\/\/|\/\.\.?(?:\/|$)/;

export const pathText = z
  .string()
  .max(4096)
  .regex(pathPattern, must(pathSentence))
  .refine((path) => !pathPattern.test(path) || !ambiguous.test(path), must('must not contain "//", "/./" or "/../"'));

/** A prefix of whole path elements: `/api` matches `/api` and `/api/x`, not `/apis`. A "/" at its end says nothing. */
export const pathPrefix = pathText.transform((path) => (path === '/' ? path : path.replace(/\/$/, '')));

/** What the path of a request must be. A regular expression must match the whole path. */
export const pathMatch = choice({ exact: pathText, prefix: pathPrefix, regex });

const valueMatch = choice({
  exact: headerValue,
  prefix: headerValue.min(1),
  regex,
  /** false: the request must not have it. */
  present: z.boolean(),
});

/** Conditions by header name; all of them must hold. Names are kept in lower case. */
export const headerMatches = byHeaderName(valueMatch);

/** A query parameter; names are case-sensitive, as in URLs. */
export const parameterName = z.string().min(1).max(256);

/** Conditions by query parameter. */
export const queryMatches = z.record(parameterName, valueMatch);

/** A map with header names as keys, refused when two of them differ in case alone. */
export function byHeaderName<Value extends z.ZodType>(value: Value, faultOf?: HeaderFault) {
  return z
    .record(
      z
        .string()
        .max(256)
        .regex(new RegExp(`^${token}$`), 'is no header name'),
      value,
    )
    .superRefine((map, context) => {
      if (typeof map !== 'object' || map === null) return;
      const spelt = new Map<string, string>();
      for (const key of Object.keys(map)) {
        const first = spelt.get(key.toLowerCase());
        if (first === undefined) spelt.set(key.toLowerCase(), key);
        else
          context.addIssue({
            code: 'custom',
            path: [key],
            message: `is the same header as ${quote(first)}: case does not count`,
          });
        const message = faultOf?.(key);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [key], message });
      }
    }, always)
    .transform((map) => Object.fromEntries(Object.entries(map).map(([name, item]) => [name.toLowerCase(), item])));
}

/**
 * About how many instructions a usable expression takes in a library that matches bytes: a class of Unicode characters is
 * hundreds of them.
 */
export function regexSize(pattern: string): number {
  return RE2JS.compile(pattern).programSize() * (/\\[pP]|\(\?\w*i/.test(pattern) ? 400 : 10);
}

function regexFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    // Whatever the engine throws about a pattern, it is a fault of the pattern.
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return `regular expression ${quote(pattern)} is not usable: ${reason}`;
  }
}
