/**
 * Route configurations of gRPC clients. A rule that they cannot carry out never becomes another rule: requests that it
 * would answer or change fail; what can be left out without sending a request elsewhere is left out, and named by
 * `problems.ts`.
 */
import { durationMs } from '../../../model/duration.ts';
import { routeConfigurationName } from '../../../model/names.ts';
import type { Route as RouteDocument, Rule } from '../../../model/route.ts';
import { type HashKey, isHashPolicy } from '../../../model/traffic-policy.ts';
import type { Input } from '../../../proto/load.ts';
import {
  type Any,
  HTTPFault,
  type RetryPolicy,
  type Route,
  type RouteAction,
  type RouteActionHashPolicy,
  RouteConfiguration,
} from '../../../proto/types.ts';
import { faultFilter } from '../../../routing/fault-policy.ts';
import { sortRules } from '../../../routing/precedence.ts';
import { any } from '../any.ts';
import { compileDuration } from '../duration.ts';
import { effectivePolicy } from '../effective-policy.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import { allInstances, type Context, routeOf, targetCluster } from '../routes.ts';
import { compileFault } from '../rule-policy.ts';
import { compileGrpcMatch, unmetBy } from './matches.ts';
import { retryConditions } from './retry-conditions.ts';

export function compileGrpcRoutes(context: Context): EncodedResource {
  const { input, port } = context;
  const name = routeConfigurationName({ service: input.name, namespace: input.namespace, portNumber: port.port });
  const document = routeOf(input, port);
  const routes = document
    ? routesOf(document, context)
    : [{ match: { prefix: '/' }, route: { cluster: allInstances(context), hashPolicy: hashPolicies([''], context) } }];
  return encodeResource(RouteConfiguration, name, { name, virtualHosts: [{ name, domains: ['*'], routes }] });
}

function routesOf(document: RouteDocument, context: Context): Input<Route>[] {
  return sortRules(document.spec.rules)
    .filter(({ match }) => unmetBy(match) === undefined)
    .map(({ rule, index, match }) => ({
      name: `${document.metadata.name}/${rule.name ?? index}`,
      match: compileGrpcMatch(match),
      ...(isBeyond(rule)
        ? { route: { cluster: allInstances(context) }, typedPerFilterConfig: { [faultFilter]: refusal } }
        : {
            route: compileAction(rule, context),
            typedPerFilterConfig: rule.fault === undefined ? {} : { [faultFilter]: compileFault(rule.fault) },
          }),
    }));
}

/** Whether sending the request on as it is would be something else than what the rule says. */
export function isBeyond({ redirect, rewrite }: Rule): boolean {
  return redirect !== undefined || rewrite?.path !== undefined;
}

const UNIMPLEMENTED = 12;

/** Not an action of another kind: one library fails on those, others go on to the next route. */
const refusal: Input<Any> = any(HTTPFault, { abort: { grpcStatus: UNIMPLEMENTED, percentage: { numerator: 100 } } });

function compileAction(rule: Rule, context: Context): Input<RouteAction> {
  const { backends, timeout, retry } = rule;
  const [only, ...others] = backends;
  const clusters = backends.map((backend) => ({
    name: targetCluster(backend, context),
    weight: { value: backend.weight },
  }));
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const subsets = backends.flatMap(({ service, subset = '' }) => (service === undefined ? [subset] : []));
  return {
    ...(only && others.length === 0
      ? { cluster: targetCluster(only, context) }
      : { weightedClusters: { clusters, totalWeight: { value: total } } }),
    maxStreamDuration: timeout === undefined ? undefined : { maxStreamDuration: compileDuration(durationMs(timeout)) },
    retryPolicy: retry && compileRetry(retry),
    hashPolicy: hashPolicies(subsets, context),
  };
}

/** Undefined when gRPC does all of it unasked. */
function compileRetry({ attempts, on, backoff }: NonNullable<Rule['retry']>): Input<RetryPolicy> | undefined {
  const { tokens } = retryConditions(on);
  if (tokens.length === 0) return undefined;
  return {
    retryOn: tokens.join(),
    numRetries: { value: attempts },
    retryBackOff: backoff && {
      baseInterval: compileDuration(durationMs(backoff.base)),
      maxInterval: backoff.max === undefined ? undefined : compileDuration(durationMs(backoff.max)),
    },
  };
}

/** What clusters are hashed on stands at the routes that lead to them: the first key that a request has counts. */
function hashPolicies(subsets: readonly string[], { input }: Context): Input<RouteActionHashPolicy>[] {
  const keys = subsets.flatMap((subset) => {
    const { loadBalancer, hashOn = [] } = effectivePolicy(input.policies, subset);
    return isHashPolicy(loadBalancer?.policy) ? hashOn : [];
  });
  const policies = keys.flatMap((key) => compileHashKey(key) ?? []).map((policy) => JSON.stringify(policy));
  return [...new Set(policies)].map((policy): Input<RouteActionHashPolicy> => JSON.parse(policy));
}

/** A client is its own source: all requests of one channel have the same. */
function compileHashKey(key: HashKey): Input<RouteActionHashPolicy> | undefined {
  if (key.header !== undefined) return { header: { headerName: key.header }, terminal: true };
  if (key.sourceAddress !== undefined) return { filterState: { key: 'io.grpc.channel_id' }, terminal: true };
  return undefined;
}
