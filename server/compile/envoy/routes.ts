/** Route configurations as an Envoy takes them: those of own agents, and what Envoy has to be told besides. */

import { routeConfigurationName } from '../../../model/names.ts';
import type { Input } from '../../../proto/load.ts';
import { type RetryPolicy, type Route, type RouteAction, RouteConfiguration } from '../../../proto/types.ts';
import { retryTokens } from '../../../routing/retry-policy.ts';
import { compileDuration } from '../duration.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import { protocolOf, type ServiceInput } from '../service-input.ts';
import { scopeHeader } from './authority.ts';
import { givingCookie } from './sticky-cookie.ts';

/** Of the ports that requests come to. */
export function compileEnvoyRoutes(input: ServiceInput, own: readonly EncodedResource[]): EncodedResource[] {
  const { namespace, name } = input;
  const ofConnections = new Set(
    input.ports
      .filter((port) => protocolOf(input, port.name) === 'tcp')
      .map(({ port }) => routeConfigurationName({ service: name, namespace, portNumber: port })),
  );
  return own.filter((resource) => !ofConnections.has(resource.name)).map(compileRouteConfiguration);
}

function compileRouteConfiguration({ name, bytes }: EncodedResource): EncodedResource {
  const { virtualHosts } = RouteConfiguration.decode(bytes);
  return encodeResource(RouteConfiguration, name, {
    name,
    virtualHosts: virtualHosts.map((host) => ({
      ...host,
      routes: host.routes.map(compileRoute),
      retryPolicy: unasked,
    })),
    requestHeadersToRemove: [scopeHeader],
  });
}

/**
 * Where no byte was sent, own agents ask another instance without being asked to. A rule with `retry` has its own policy in
 * place of this one.
 */
const unasked: Input<RetryPolicy> = {
  retryOn: `${retryTokens['connect-failure']},${retryTokens.refused},reset-before-request`,
  numRetries: { value: 3 },
  retryHostPredicate: [],
  retryBackOff: { baseInterval: compileDuration(1), maxInterval: compileDuration(10) },
};

function compileRoute(route: Route): Input<Route> {
  const { route: action, typedPerFilterConfig } = route;
  if (action === null) return route;
  const cookie = isSticky(action)
    ? action.hashPolicy.find((policy) => policy.cookie !== null)?.cookie?.name
    : undefined;
  return {
    ...route,
    route: compileAction(action),
    ...(cookie !== undefined && { typedPerFilterConfig: { ...typedPerFilterConfig, ...givingCookie(cookie) } }),
  };
}

function isSticky({ weightedClusters }: RouteAction): boolean {
  return weightedClusters?.useHashPolicy?.value === true;
}

function compileAction(action: RouteAction): Input<RouteAction> {
  const { weightedClusters, retryPolicy } = action;
  return {
    ...action,
    retryPolicy: retryPolicy && withConnectFailure(retryPolicy),
    weightedClusters:
      weightedClusters && isSticky(action)
        ? { ...weightedClusters, clusters: inEqualSum(weightedClusters.clusters) }
        : weightedClusters,
  };
}

/** An instance that takes no connection is no reason to fail. */
function withConnectFailure(policy: RetryPolicy): Input<RetryPolicy> {
  const tokens = policy.retryOn.split(',').filter((token) => token !== '');
  const connectFailure = retryTokens['connect-failure'];
  if (tokens.includes(connectFailure)) return policy;
  return { ...policy, retryOn: [connectFailure, ...tokens].join() };
}

/** The sum of the weights of a sticky split, whatever they are in the rule. */
const wholeShare = 1_000_000;

type Weights = NonNullable<RouteAction['weightedClusters']>['clusters'];

/**
 * Envoy takes the hash modulo the sum: a share that changes the sum would move everybody. The ends of the shares are rounded,
 * not the shares, so that they add up.
 */
function inEqualSum(clusters: Weights): Weights {
  const sum = clusters.reduce((total, { weight }) => total + (weight?.value ?? 0), 0);
  let before = 0;
  let given = 0;
  return clusters.map((cluster) => {
    before += cluster.weight?.value ?? 0;
    const end = Math.round((before / sum) * wholeShare);
    const value = end - given;
    given = end;
    return { ...cluster, weight: { value } };
  });
}
