/** What a rule does to its requests besides sending them somewhere, as fields of a route and of its action. */
import { durationMs } from '../../model/duration.ts';
import type {
  Fault,
  HeaderChange,
  Match,
  PathChange,
  Redirect as RedirectRule,
  Retry,
  Rule,
} from '../../model/route.ts';
import type { Input } from '../../proto/load.ts';
import {
  type Any,
  HeaderValueOptionHeaderAppendAction as HeaderAction,
  type HeaderValueOption,
  HTTPFault,
  PreviousHostsPredicate,
  type RedirectAction,
  RedirectActionRedirectResponseCode,
  type RegexMatchAndSubstitute,
  type RetryPolicy,
  type Route,
  type RouteAction,
} from '../../proto/types.ts';
import { faultFilter } from '../../routing/fault-policy.ts';
import { escapeValue } from '../../routing/header-edits.ts';
import { escapeSubstitution, prefixAndSlash, wholePath } from '../../routing/path-change.ts';
import { retryTokens } from '../../routing/retry-policy.ts';
import { any } from './any.ts';
import { compileDuration } from './duration.ts';
import { compileFraction } from './fraction.ts';

/** Fields of the route itself. */
export function compileRoutePolicy({ headers, fault }: Rule): Input<Route> {
  return {
    requestHeadersToAdd: compileHeaders(headers?.request),
    requestHeadersToRemove: [...(headers?.request?.remove ?? [])].sort(),
    responseHeadersToAdd: compileHeaders(headers?.response),
    responseHeadersToRemove: [...(headers?.response?.remove ?? [])].sort(),
    typedPerFilterConfig: fault === undefined ? {} : { [faultFilter]: compileFault(fault) },
  };
}

/** Fields of the action, but for its clusters and mirrors. */
export function compileActionPolicy({ timeout, retry, rewrite }: Rule, match: MatchedPath): Input<RouteAction> {
  return {
    // Without one Envoy takes 15 s; 0 is none.
    timeout: compileDuration(timeout === undefined ? 0 : durationMs(timeout)),
    retryPolicy: retry && compileRetry(retry),
    ...(rewrite?.path && compilePathChange(rewrite.path, match)),
    ...(rewrite?.host !== undefined && { hostRewriteLiteral: rewrite.host }),
  };
}

/** The path of the match that the route is for: what a prefix is put in place of. */
export type MatchedPath = Pick<Match, 'path'>;

const responseCodes = {
  301: RedirectActionRedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectActionRedirectResponseCode.FOUND,
  303: RedirectActionRedirectResponseCode.SEE_OTHER,
  307: RedirectActionRedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectActionRedirectResponseCode.PERMANENT_REDIRECT,
} as const;

export function compileRedirect({ status, host, path }: RedirectRule, match: MatchedPath): Input<RedirectAction> {
  return {
    responseCode: responseCodes[status],
    hostRedirect: host,
    ...(path?.full === undefined ? path && compilePathChange(path, match) : { pathRedirect: path.full }),
  };
}

/**
 * Gateway API's meaning of a prefix, in which slashes at the ends do not count, in Envoy's words, where a prefix is plain
 * text: "/api" replaced by "/" would make "//x" of "/api/x", and "/" replaced by "/v2" would make "/v2x" of "/x".
 */
function compilePathChange(
  change: PathChange,
  { path }: MatchedPath,
): { prefixRewrite: string } | { regexRewrite: Input<RegexMatchAndSubstitute> } | undefined {
  if (change.full !== undefined) return replaceRegex(wholePath, change.full);
  const [from, to] = [path?.prefix ?? '/', change.prefix];
  if (from === '/') return to === '/' ? undefined : { prefixRewrite: `${to}/` };
  return to === '/' ? replaceRegex(prefixAndSlash(from), to) : { prefixRewrite: to };
}

function replaceRegex(regex: string, text: string): { regexRewrite: Input<RegexMatchAndSubstitute> } {
  return { regexRewrite: { pattern: { regex }, substitution: escapeSubstitution(text) } };
}

/** As often Envoy draws an instance anew that was tried already, before it takes it after all. */
const hostSelectionAttempts = 5;

function compileRetry({ attempts, on, perTryTimeout, backoff }: Retry): Input<RetryPolicy> {
  const conditions = (['connect-failure', 'refused', 'reset'] as const).filter((condition) => on.includes(condition));
  const statuses = on.map(Number).filter((status) => !Number.isNaN(status));
  const tokens = conditions.map((condition) => retryTokens[condition]);
  return {
    retryOn: [...tokens, ...(statuses.length > 0 ? [retryTokens.status] : [])].join(),
    numRetries: { value: attempts },
    perTryTimeout: perTryTimeout === undefined ? undefined : compileDuration(durationMs(perTryTimeout)),
    retryHostPredicate: [
      { name: 'envoy.retry_host_predicates.previous_hosts', typedConfig: any(PreviousHostsPredicate, {}) },
    ],
    hostSelectionRetryMaxAttempts: hostSelectionAttempts,
    retriableStatusCodes: statuses.sort((a, b) => a - b),
    retryBackOff: backoff && {
      baseInterval: compileDuration(durationMs(backoff.base)),
      maxInterval: backoff.max === undefined ? undefined : compileDuration(durationMs(backoff.max)),
    },
  };
}

export function compileFault({ delay, abort }: Fault): Input<Any> {
  return any(HTTPFault, {
    delay: delay && {
      fixedDelay: compileDuration(durationMs(delay.duration)),
      percentage: compileFraction(delay.percent),
    },
    abort: abort && { httpStatus: abort.status, percentage: compileFraction(abort.percent) },
  });
}

/** Sorted: the order of different headers has no meaning. */
function compileHeaders(change: HeaderChange | undefined): Input<HeaderValueOption>[] {
  const options = (values: Readonly<Record<string, string>>, appendAction: HeaderAction) =>
    Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({
        header: { key, value: escapeValue(value) },
        appendAction,
        keepEmptyValue: value === '' ? true : undefined,
      }));
  return [
    ...options(change?.set ?? {}, HeaderAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...options(change?.add ?? {}, HeaderAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}
