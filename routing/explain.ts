/**
 * Why a request goes where it goes: which rule takes it, why the ones before did not, and what the rule makes of it. Asks
 * the very table that routes, and changes nothing in it: splits stay where they stand.
 */
import { quote } from '../model/problem.ts';
import { type BackendChoice, type StickyKey, stickyValue } from './backend-choice.ts';
import { type PreparedMatch, pathHolds, pathWords } from './match.ts';
import { policyWords } from './policy-words.ts';
import type { RouteRequest } from './request.ts';
import type { RouteTable, TableRoute } from './route-table.ts';

/** Plain values: good for JSON. */
export interface Explanation {
  /** Name of the route configuration: `reviews.default:9080`. */
  readonly table: string;
  /** What is tried before the rule that takes the request, in order; everything when none does. */
  readonly passedOver: readonly PassedOver[];
  readonly taken: Taken | undefined;
}

/** One match of a rule that does not take the request. */
export interface PassedOver {
  readonly rule: string;
  /** A sentence: the first condition that does not hold, and what the request has instead. */
  readonly because: string;
}

export interface Taken {
  /** "routeName/ruleName"; '' for a service without a Route. */
  readonly rule: string;
  /** The conditions of the match that takes it, in words; none when it takes every request. */
  readonly match: readonly string[];
  /** Where this request would go if it came now; '' when it is redirected. */
  readonly cluster: string;
  /** Every target with a share above 0, by name; empty when the request is redirected. */
  readonly split: readonly Share[];
  readonly sticky: StickyTarget | undefined;
  /** Everything else the rule says, a sentence each. */
  readonly policy: readonly string[];
}

export interface Share {
  readonly cluster: string;
  /** As small as the ratio allows: 90 and 10 are 9 and 1. */
  readonly weight: number;
  /** 0 to 100. */
  readonly percent: number;
}

export interface StickyTarget {
  /** `header "x-user-id"` or `cookie "canary"`. */
  readonly key: string;
  /** Undefined: the request does not have it, the exact split decides. */
  readonly value: string | undefined;
  /** Where this value always goes. */
  readonly cluster: string | undefined;
}

/** `host`: what the request is addressed to, where that is not its Host header. */
export function explain(table: RouteTable, request: RouteRequest, host = request.header('host') ?? ''): Explanation {
  const route = table.find(request);
  const before = route === undefined ? table.routes : table.routes.slice(0, route.place);
  return {
    table: table.name,
    passedOver: before.map(({ rule, match }) => ({ rule, because: reasonAgainst(match, request) })),
    taken: route === undefined ? undefined : explainRoute(route, request, host),
  };
}

function reasonAgainst(match: PreparedMatch, request: RouteRequest): string {
  if (!pathHolds(match.path, request.path)) return `${pathWords(match.path)}; it is ${quote(request.path)}`;
  const failed = match.conditions.find(({ holds }) => !holds(request));
  if (failed === undefined) throw new Error('a route that holds was passed over');
  const value = failed.read(request);
  return `${failed.words}; it ${value === undefined ? 'is missing' : `is ${quote(value)}`}`;
}

function explainRoute({ rule, match, choice, policy }: TableRoute, request: RouteRequest, host: string): Taken {
  const sticky = explainSticky(choice, request);
  const path = pathWords(match.path);
  return {
    rule,
    match: [...(path === undefined ? [] : [path]), ...match.conditions.map(({ words }) => words)],
    cluster: choice === undefined ? '' : (sticky?.cluster ?? choice.clusters[choice.split.peek()] ?? ''),
    split: choice === undefined ? [] : sharesOf(choice),
    sticky,
    policy: policyWords(policy, request, host),
  };
}

function sharesOf({ clusters, split: { weights } }: BackendChoice): Share[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return clusters.map((cluster, index) => {
    const weight = weights[index] ?? 0;
    return { cluster, weight, percent: (100 * weight) / sum };
  });
}

function explainSticky(choice: BackendChoice | undefined, request: RouteRequest): StickyTarget | undefined {
  if (choice?.sticky === undefined) return undefined;
  const { key, split } = choice.sticky;
  const value = stickyValue(key, request);
  return { key: keyWords(key), value, cluster: value === undefined ? undefined : choice.clusters[split.pick(value)] };
}

function keyWords({ is, name }: StickyKey): string {
  return `${is} ${quote(name)}`;
}
