/** What a rule may do to the requests that it takes, besides sending them somewhere: a schema for each field. */
import { z } from 'zod';
import { choice } from './choice.ts';
import { duration, durationMs } from './duration.ts';
import {
  byHeaderName,
  type HeaderFault,
  headerName,
  headerText,
  pathPrefix,
  pathText,
  requestHeaderFault,
  responseHeaderFault,
} from './http-parts.ts';
import { dnsLabel, dnsName } from './name-schemas.ts';
import { quote } from './problem.ts';
import { must } from './sentences.ts';
import { always, fieldOf, lowerCased, onAnyMap, unique } from './unique.ts';

/** Shares are millionths on the wire: a smaller one would become none. */
const percent = z
  .number()
  .min(0)
  .max(100)
  .refine((value) => Math.round(value * 1e4) / 1e4 === value, must('must have at most four digits behind the point'))
  .describe('0 to 100, at most four digits behind the point.');

const retryCondition = must('must be connect-failure, refused, reset or a status such as "503"');

const retryOn = z
  .union(
    [
      z.enum(['connect-failure', 'refused', 'reset']),
      z.string().regex(/^[45]\d\d$/, retryCondition),
      z.int(retryCondition).min(400, retryCondition).max(599, retryCondition),
    ],
    retryCondition,
  )
  .transform(String);

const backoff = z
  .strictObject({
    base: duration.describe('The first pause is random between 0 and this; later ones grow with 3, 7, 15 times.'),
    max: duration.exactOptional().describe('No pause is longer; ten times the base unless given.'),
  })
  .superRefine((value, context) => {
    const [base, max] = [msOf(fieldOf(value, 'base')), msOf(fieldOf(value, 'max'))];
    if (base !== undefined && max !== undefined && max < base) {
      context.addIssue({ code: 'custom', path: ['max'], message: 'is shorter than base' });
    }
  }, onAnyMap);

export const retry = z.strictObject({
  attempts: z.int().min(1).max(10).describe('How often a request is sent again; the first try does not count.'),
  on: z
    .array(retryOn)
    .min(1)
    .superRefine(unique('condition', lowerCased), always)
    .describe('Why: connect-failure, refused, reset, or a status of the answer.'),
  perTryTimeout: duration
    .exactOptional()
    .describe('Until the answer to one try begins; then it counts as reset. None unless given.'),
  backoff: backoff.exactOptional().describe('Pauses before another try; base 25ms, max 250ms unless given.'),
});

export const mirror = z.strictObject({
  service: dnsLabel.exactOptional().describe("The Route's own service unless another is named."),
  subset: dnsLabel.exactOptional().describe('All instances of the service unless a subset is named.'),
  percent: percent.describe('Share of the requests that are copied.'),
});

export const fault = z
  .strictObject({
    delay: z
      .strictObject({ duration, percent })
      .exactOptional()
      .describe('Requests wait this long before they are sent.'),
    abort: z
      .strictObject({ status: z.int().min(200).max(599), percent })
      .exactOptional()
      .describe('Requests are answered with this status and go nowhere.'),
  })
  .refine((value) => Object.keys(value).length > 0, 'needs a delay or an abort');

export const headers = z.strictObject({
  request: headerChange(requestHeaderFault).exactOptional().describe('Of the request, before it is sent on.'),
  response: headerChange(responseHeaderFault).exactOptional().describe('Of the answer, before the caller gets it.'),
});

function headerChange(faultOf: HeaderFault) {
  const name = headerName.superRefine((text, context) => {
    const message = faultOf(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
  return z
    .strictObject({
      set: byHeaderName(headerText, faultOf).default({}).describe('The header gets this value, whatever there was.'),
      add: byHeaderName(headerText, faultOf).default({}).describe('One more header of this name.'),
      remove: z
        .array(name)
        .superRefine(unique('header', lowerCased), always)
        .default([])
        .describe('The header is taken away.'),
    })
    .superRefine(refuseRepeatedHeaders, onAnyMap);
}

/** Setting and removing one header would depend on which comes first. */
function refuseRepeatedHeaders(value: unknown, context: z.core.$RefinementCtx): void {
  const firstIn = new Map<string, string>();
  for (const field of ['set', 'add', 'remove']) {
    for (const [place, name] of namesIn(fieldOf(value, field))) {
      const first = firstIn.get(name.toLowerCase());
      if (first === undefined) firstIn.set(name.toLowerCase(), field);
      else if (first !== field) {
        const message = `header ${quote(name)} stands in ${first} too; a header is changed in one way`;
        context.addIssue({ code: 'custom', path: [field, place], message });
      }
    }
  }
}

/** Names of headers with where they stand, in a map or a list of them. */
function namesIn(value: unknown): (readonly [string | number, string])[] {
  if (Array.isArray(value)) {
    return value.flatMap((name, index) => (typeof name === 'string' ? [[index, name] as const] : []));
  }
  return typeof value === 'object' && value !== null ? Object.keys(value).map((name) => [name, name]) : [];
}

const pathChange = choice({
  full: pathText.describe('The whole path; the query stays.'),
  prefix: pathPrefix.describe('In place of the prefix that the match matched; what stands behind it stays.'),
});

export const rewrite = z
  .strictObject({ path: pathChange.exactOptional(), host: dnsName.exactOptional() })
  .refine((value) => Object.keys(value).length > 0, 'needs a path or a host');

export const redirect = z
  .strictObject({
    status: z.literal([301, 302, 303, 307, 308]).default(302),
    host: dnsName.exactOptional().describe('Without a port; as in the request unless given.'),
    path: pathChange.exactOptional(),
  })
  .refine((value) => value.host !== undefined || value.path !== undefined, 'needs a host or a path');

/** Milliseconds of a field that should be a duration; undefined when it is none (which is said elsewhere). */
export function msOf(value: unknown): number | undefined {
  const parsed = duration.safeParse(value);
  return parsed.success ? durationMs(parsed.data) : undefined;
}
