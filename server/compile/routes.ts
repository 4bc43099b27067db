/** Route configurations: one per port of a service, its rules in the order in which they are tried. */
import { clusterName, routeConfigurationName, serviceKey } from '../../model/names.ts';
import type { Backend, Match, PathMatch, Route as RouteDocument, Rule, ValueMatch } from '../../model/route.ts';
import type { ServicePort } from '../../model/service.ts';
import { isOpen } from '../../model/tcp-rules.ts';
import type { Input } from '../../proto/load.ts';
import {
  type HeaderMatcher,
  type QueryParameterMatcher,
  type Route,
  type RouteAction,
  RouteConfiguration,
  type RouteMatch,
  type StringMatcher,
} from '../../proto/types.ts';
import { sortRules } from '../../routing/precedence.ts';
import { compileDuration } from './duration.ts';
import { type EncodedResource, encodeResource } from './encoded-resource.ts';
import { compileFraction } from './fraction.ts';
import { doCallersRoute } from './hops.ts';
import { compileActionPolicy, compileRedirect, compileRoutePolicy, type MatchedPath } from './rule-policy.ts';
import { isBytesToAgents, protocolOf, type ServiceInput } from './service-input.ts';

export interface CompiledRoutes {
  readonly resource: EncodedResource;
  /** Names of the clusters that the routes send to, copies too, sorted. */
  readonly clusters: readonly string[];
}

export function compileRoutes(input: ServiceInput): CompiledRoutes[] {
  return input.ports.map((port) => {
    const document = routeOf(input, port);
    const context = { input, port };
    const routes = routesFor(document, context);
    const name = routeConfigurationName({
      service: input.name,
      namespace: input.namespace,
      portNumber: port.port,
    });
    const virtualHosts = [{ name, domains: ['*'], routes }];
    return {
      resource: encodeResource(RouteConfiguration, name, { name, virtualHosts }),
      clusters: document ? clustersOf(document, context) : [allInstances(context)],
    };
  });
}

/** The port of a service that routes are compiled for. */
export interface Context {
  readonly input: ServiceInput;
  readonly port: ServicePort;
}

/** The document that governs the port; none where callers pass on what they are given. */
export function routeOf(input: ServiceInput, port: ServicePort): RouteDocument | undefined {
  if (!doCallersRoute(input.document)) return undefined;
  return input.routes.find(({ spec }) => (spec.port ?? input.ports[0]?.name) === port.name);
}

function routesFor(document: RouteDocument | undefined, context: Context): Input<Route>[] {
  if (document === undefined) return [everythingTo(allInstances(context))];
  return isBytesToAgents(protocolOf(context.input, context.port.name))
    ? connectionRoutes(document, context)
    : routesOf(document, context);
}

/** Without a Route document all requests go to all instances. */
function everythingTo(cluster: string): Input<Route> {
  return { name: '', match: { prefix: '/' }, route: { cluster, timeout: compileDuration(0) } };
}

export function allInstances({ input, port }: Context): string {
  return clusterName({ service: input.name, namespace: input.namespace, port: port.name, subset: '' });
}

function routesOf(document: RouteDocument, context: Context): Input<Route>[] {
  return sortRules(document.spec.rules).map(({ rule, index, match }) => ({
    name: `${document.metadata.name}/${rule.name ?? index}`,
    match: compileMatch(match),
    ...(rule.redirect === undefined
      ? { route: compileAction(rule, match, context) }
      : { redirect: compileRedirect(rule.redirect, match) }),
    ...compileRoutePolicy(rule),
  }));
}

/** Of a connection nothing is known: only rules without a condition take it, and do no more than to choose a backend. */
function connectionRoutes(document: RouteDocument, context: Context): Input<Route>[] {
  return sortRules(document.spec.rules).flatMap(({ rule, index, match }) =>
    isOpen(match) && rule.redirect === undefined
      ? [
          {
            name: `${document.metadata.name}/${rule.name ?? index}`,
            match: compileMatch(match),
            route: { ...compileTargets({ match: [], backends: rule.backends }, context), timeout: compileDuration(0) },
          },
        ]
      : [],
  );
}

function compileAction(rule: Rule, match: MatchedPath, context: Context): Input<RouteAction> {
  return {
    ...compileActionPolicy(rule, match),
    ...compileTargets(rule, context),
    requestMirrorPolicies: rule.mirror?.map((mirror) => ({
      cluster: targetCluster(mirror, context),
      runtimeFraction: { defaultValue: compileFraction(mirror.percent) },
    })),
  };
}

function compileTargets({ backends, sticky }: Rule, context: Context): Input<RouteAction> {
  const [only, ...others] = backends;
  if (only && others.length === 0) return { cluster: targetCluster(only, context) };
  const clusters = backends.map((backend) => ({
    name: targetCluster(backend, context),
    weight: { value: backend.weight },
  }));
  if (!sticky) return { weightedClusters: { clusters } };
  return {
    weightedClusters: { clusters, useHashPolicy: { value: true } },
    hashPolicy: [
      'header' in sticky ? { header: { headerName: sticky.header } } : { cookie: { name: sticky.cookie, path: '/' } },
    ],
  };
}

/** A backend or mirror is reached at its port of the same name, or at its only one. */
export function targetCluster(
  { service, subset = '' }: Pick<Backend, 'service' | 'subset'>,
  { input, port }: Context,
): string {
  const { namespace } = input;
  const target = service ?? input.name;
  const ports = service === undefined ? input.ports : input.portsOf(serviceKey(namespace, service));
  const same = ports.find(({ name }) => name === port.name) ?? ports[0];
  return clusterName({ service: target, namespace, port: same?.name ?? port.name, subset });
}

function clustersOf(document: RouteDocument, context: Context): string[] {
  const names = document.spec.rules.flatMap(({ backends, mirror = [] }) =>
    [...backends, ...mirror].map((target) => targetCluster(target, context)),
  );
  return [...new Set(names)].sort();
}

function compileMatch(match: Match | undefined): Input<RouteMatch> {
  const method = match?.method === undefined ? [] : [{ name: ':method', stringMatch: { exact: match.method } }];
  return {
    ...compilePath(match?.path),
    headers: [...method, ...compileHeaders(match?.headers ?? {})],
    queryParameters: compileQuery(match?.query ?? {}),
  };
}

function compilePath(path: PathMatch | undefined): Input<RouteMatch> {
  if (path === undefined) return { prefix: '/' };
  if ('exact' in path) return { path: path.exact };
  if ('regex' in path) return { safeRegex: { regex: path.regex } };
  // By path element: "/api" takes "/api" and "/api/x", not "/apix". Envoy wants no slash at the end.
  const prefix = path.prefix.replace(/\/+$/, '');
  return prefix === '' ? { prefix: '/' } : { pathSeparatedPrefix: prefix };
}

function compileHeaders(headers: Match['headers']): Input<HeaderMatcher>[] {
  return sortedEntries(headers).map(([name, value]) =>
    'present' in value ? { name, presentMatch: value.present } : { name, stringMatch: compileValue(value) },
  );
}

function compileQuery(query: Match['query']): Input<QueryParameterMatcher>[] {
  return sortedEntries(query).map(([name, value]) =>
    'present' in value ? { name, presentMatch: value.present } : { name, stringMatch: compileValue(value) },
  );
}

function compileValue(value: Exclude<ValueMatch, { present: boolean }>): Input<StringMatcher> {
  if ('exact' in value) return { exact: value.exact };
  if ('prefix' in value) return { prefix: value.prefix };
  return { safeRegex: { regex: value.regex } };
}

/** All of them have to hold, so their order has no meaning: sorted, equal rules are equal bytes. */
function sortedEntries(record: Match['headers']): [string, ValueMatch][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
