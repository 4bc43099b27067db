/**
 * A RouteConfiguration, prepared: from a request to the rule that takes it and the cluster it goes to. A table is made when
 * a configuration is swapped in and never changes, but for the state of its splits; deciding is synchronous and allocates
 * nothing, unless a cookie is to be issued.
 */
import type { Route, RouteConfiguration } from '../proto/types.ts';
import { type BackendChoice, createBackendChoice, drawCookie, sharesEqual, stickyValue } from './backend-choice.ts';
import { prepareMatch } from './match.ts';
import { UnusableError } from './refusal.ts';
import type { RouteRequest } from './request.ts';
import { createRouteIndex, type Indexed } from './route-index.ts';
import { preparePolicy, type RoutePolicy } from './route-policy.ts';

export interface RouteDecision {
  /** "routeName/ruleName", as in `Route.name`; '' for a service without a Route. */
  readonly rule: string;
  /** '' when `policy.redirect` is set: the request goes nowhere. */
  readonly cluster: string;
  /** Everything else the rule says, prepared once per route; the same object for all its backends. */
  readonly policy: RoutePolicy;
  /** A Set-Cookie value to send with the answer: the user has no sticky cookie yet. */
  readonly setCookie: string | undefined;
  /** For whoever counts requests by decision: a place where what belongs to this one is found at once. */
  counter?: unknown;
}

/** A route, prepared; also what explanations are made of. */
export interface TableRoute extends Indexed {
  readonly rule: string;
  /** Undefined for a redirect. */
  readonly choice: BackendChoice | undefined;
  readonly policy: RoutePolicy;
}

export interface RouteTable {
  /** Name of the configuration: `reviews.default:9080`. */
  readonly name: string;
  /** Every cluster that a decision can name, mirrors too. */
  readonly clusters: ReadonlySet<string>;
  /** How each rule chooses its backend, by rule: what the next table takes over. */
  readonly choices: ReadonlyMap<string, BackendChoice>;
  /** In the order in which they are tried. */
  readonly routes: readonly TableRoute[];
  /** The route that takes the request, if one does. Changes nothing; `route` is this and the choice of a backend. */
  find(request: RouteRequest): TableRoute | undefined;
  /** Undefined when no rule takes the request. `random` draws from [0, 1); it is asked for sticky cookies alone. */
  route(request: RouteRequest, random: () => number): RouteDecision | undefined;
}

/**
 * Routes are tried in the order they stand in: the server has sorted them by precedence. `previous`: the table this one
 * replaces; splits whose shares are unchanged go on where they stand. Throws UnusableError on what it cannot use.
 */
export function createRouteTable(
  config: RouteConfiguration,
  previous: RouteTable | undefined,
  options: { readonly agentId: string },
): RouteTable {
  const [host, ...more] = config.virtualHosts;
  if (host === undefined || more.length > 0) {
    throw new UnusableError(
      'virtualHosts',
      `expected one for the one service and port, found ${config.virtualHosts.length}`,
    );
  }
  const choices = new Map<string, BackendChoice>();
  const clusterNames = new Map<string, string>();
  const routes = host.routes.map((route, place) => {
    const where = `routes[${place}]`;
    const known = choices.get(route.name);
    const identity = `${options.agentId} ${config.name} ${route.name}`;
    const prepared = prepareRoute(route, {
      place,
      where,
      identity,
      clusterNames,
      previous: known ?? previous?.choices.get(route.name),
    });
    const { choice } = prepared;
    if (choice !== undefined) {
      if (known !== undefined && !sharesEqual(known, choice)) {
        throw new UnusableError(where, `is of the rule ${route.name} as an earlier one, but splits differently`);
      }
      choices.set(route.name, choice);
    }
    return prepared;
  });
  const index = createRouteIndex(routes);
  return {
    name: config.name,
    clusters: new Set(routes.flatMap(clustersOf)),
    choices,
    routes,
    find: (request) => index.find(request),
    route(request, random) {
      const route = index.find(request);
      return route === undefined ? undefined : decide(route, request, random);
    },
  };
}

interface PreparedRoute extends TableRoute {
  /** One per backend, made in advance; for a redirect only one. */
  readonly decisions: readonly RouteDecision[];
}

interface Context {
  readonly place: number;
  readonly where: string;
  readonly identity: string;
  /** The names of clusters so far: one text for each, which is found in caches when a thousand rules take turns. */
  readonly clusterNames: Map<string, string>;
  readonly previous: BackendChoice | undefined;
}

function prepareRoute(route: Route, context: Context): PreparedRoute {
  const { place, where, clusterNames } = context;
  const choice = prepareChoice(route, context);
  const match = prepareMatch(route.match, `${where}.match`);
  const policy = preparePolicy(route, match.path, where);
  const rule = route.name;
  const targets = choice?.clusters ?? [''];
  const decisions = targets.map((name) => {
    const cluster = clusterNames.get(name) ?? name;
    clusterNames.set(name, cluster);
    return { rule, cluster, policy, setCookie: undefined, counter: undefined };
  });
  return { place, match, rule, choice, policy, decisions };
}

function prepareChoice(route: Route, { where, identity, previous }: Context): BackendChoice | undefined {
  if (route.action === 'redirect') return undefined;
  if (route.action === 'route' && route.route !== null) {
    return createBackendChoice(route.route, { previous, identity, where: `${where}.route` });
  }
  throw new UnusableError(where, 'has a kind of action that this agent does not know');
}

function clustersOf({ choice, policy }: TableRoute): string[] {
  return [...(choice?.clusters ?? []), ...policy.mirrors.map(({ cluster }) => cluster)];
}

function decide(route: PreparedRoute, request: RouteRequest, random: () => number): RouteDecision | undefined {
  const { choice, decisions } = route;
  if (choice === undefined) return decisions[0];
  const { sticky } = choice;
  if (sticky === undefined) return decisions[choice.split.pick()];
  const key = stickyValue(sticky.key, request);
  if (key !== undefined) return decisions[sticky.split.pick(key)];
  const backend = choice.split.pick();
  const decision = decisions[backend];
  const setCookie = drawCookie(sticky, backend, random);
  return decision === undefined || setCookie === undefined ? decision : { ...decision, setCookie };
}
