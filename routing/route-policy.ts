/**
 * What a route says of a request besides where it goes: timeouts, retries, mirrors, faults, headers, rewrites, redirects.
 * Prepared once when a table is made; what carries a policy out belongs to the proxy.
 */
import type { Route, RouteAction, RouteActionRequestMirrorPolicy } from '../proto/types.ts';
import { toMilliseconds } from './duration.ts';
import { type FaultPolicy, prepareFault } from './fault-policy.ts';
import { type HeaderEdits, prepareHeaderEdits } from './header-edits.ts';
import type { PathCondition } from './match.ts';
import { toPercent } from './percent.ts';
import { prepareRedirect, type Redirect } from './redirect.ts';
import { UnusableError } from './refusal.ts';
import { prepareRetry, type RetryPolicy } from './retry-policy.ts';
import { prepareRewrite, type Rewrite } from './rewrite.ts';

/** Everything a route says but its targets. `=== plainPolicy` when it says nothing, so the usual case is one comparison. */
export interface RoutePolicy {
  /** From the decision to the last byte of the answer, all tries together; 0 is no limit. */
  readonly timeoutMs: number;
  /** Undefined: a request is sent once. */
  readonly retry: RetryPolicy | undefined;
  /** Whom copies of requests go to; empty for most routes. */
  readonly mirrors: readonly Mirror[];
  /** Undefined: none is injected. */
  readonly fault: FaultPolicy | undefined;
  /** For the request as it is sent on; the last thing that is done to it. */
  readonly requestHeaders: HeaderEdits | undefined;
  /** For the answer as the caller gets it. */
  readonly responseHeaders: HeaderEdits | undefined;
  readonly rewrite: Rewrite | undefined;
  /** Set: the request is answered with it and goes nowhere. */
  readonly redirect: Redirect | undefined;
}

export interface Mirror {
  /** Name of the cluster. */
  readonly cluster: string;
  /** Share of the requests that are copied: above 0, at most 100. */
  readonly percent: number;
}

/** The policy of every route that says nothing. */
export const plainPolicy: RoutePolicy = policyOf({
  timeoutMs: 0,
  retry: undefined,
  mirrors: Object.freeze([]),
  fault: undefined,
  requestHeaders: undefined,
  responseHeaders: undefined,
  rewrite: undefined,
  redirect: undefined,
});

/** `path`: the condition of the route's match, which a rewrite of the prefix refers to. Throws UnusableError, naming `where`. */
export function preparePolicy(route: Route, path: PathCondition, where: string): RoutePolicy {
  const action = route.action === 'route' ? route.route : null;
  const policy = policyOf({
    timeoutMs: toMilliseconds(action?.timeout ?? null),
    retry: prepareRetry(action?.retryPolicy ?? null, `${where}.route.retryPolicy`),
    mirrors: prepareMirrors(action, where),
    fault: prepareFault(route.typedPerFilterConfig, `${where}.typedPerFilterConfig`),
    requestHeaders: prepareHeaderEdits(
      { add: route.requestHeadersToAdd, remove: route.requestHeadersToRemove },
      `${where}.requestHeaders`,
    ),
    responseHeaders: prepareHeaderEdits(
      { add: route.responseHeadersToAdd, remove: route.responseHeadersToRemove },
      `${where}.responseHeaders`,
    ),
    rewrite: action === null ? undefined : prepareRewrite(action, path, `${where}.route`),
    redirect: route.action === 'redirect' ? prepareRedirect(route.redirect, path, `${where}.redirect`) : undefined,
  });
  return isPlain(policy) ? plainPolicy : policy;
}

/** One place that builds them, so that all have one shape. */
function policyOf(policy: RoutePolicy): RoutePolicy {
  return Object.freeze(policy);
}

function isPlain({ mirrors, ...rest }: RoutePolicy): boolean {
  return mirrors.length === 0 && Object.values(rest).every((value) => value === undefined || value === 0);
}

function prepareMirrors(action: RouteAction | null, where: string): readonly Mirror[] {
  const policies = action?.requestMirrorPolicies ?? [];
  return policies
    .map((policy, index) => prepareMirror(policy, `${where}.route.requestMirrorPolicies[${index}]`))
    .filter(({ percent }) => percent > 0);
}

/** Without a fraction all requests are copied, as in Envoy. */
function prepareMirror({ cluster, runtimeFraction }: RouteActionRequestMirrorPolicy, where: string): Mirror {
  if (cluster === '') throw new UnusableError(where, 'has no cluster');
  return { cluster, percent: runtimeFraction === null ? 100 : toPercent(runtimeFraction.defaultValue, where) };
}
