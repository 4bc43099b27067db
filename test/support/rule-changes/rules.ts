/**
 * Rules as the test knows them: what the documents say, and what that means for a request. The meaning is written down here a
 * second time, as simply as can be, so that what agents do can be held against it.
 */
import type { LoadRequest } from './requests.ts';

/** In the order in which they are tried, wherever they stand in the document. */
export const ruleNames = ['both', 'prefix-a', 'regex', 'posts', 'users', 'rest'] as const;

export type RuleName = (typeof ruleNames)[number];

export interface Rule {
  readonly name: RuleName;
  /** Weights by subset; they add up to more than 0. */
  readonly shares: Readonly<Record<string, number>>;
  /** What `x-asked` is set to for the instance, and `x-told` for the client. */
  readonly asked: number | undefined;
  readonly told: number | undefined;
  readonly isSticky: boolean;
  /** Of rules that go by a prefix: the request comes to the instance below `/z`. */
  readonly rewrites: boolean;
  /** Other fields of the rule, as they stand in the document. */
  readonly more: Readonly<Record<string, unknown>>;
}

/** Everything in force. */
export interface Rules {
  /** In the order of the document; undefined: the service has no Route. */
  readonly route: readonly Rule[] | undefined;
  /** Labels of the subset that is called `chosen`. */
  readonly chosen: Readonly<Record<string, string>>;
  /** What the TrafficPolicies say, by subset; '' for the service's own. */
  readonly policies: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface Instance {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

const matches: Readonly<Record<RuleName, readonly unknown[] | undefined>> = {
  both: [
    { path: { prefix: '/b' }, method: 'POST' },
    { path: { prefix: '/a' }, method: 'POST' },
  ],
  'prefix-a': [{ path: { prefix: '/a' } }],
  regex: [{ path: { regex: '/[ab]/.*[05]' } }],
  posts: [{ method: 'POST' }],
  users: [{ headers: { 'x-user': { present: true } } }],
  rest: undefined,
};

const takes: Readonly<Record<RuleName, (request: LoadRequest) => boolean>> = {
  both: ({ method }) => method === 'POST',
  'prefix-a': ({ path }) => path.startsWith('/a/'),
  regex: ({ path }) => /[05]$/.test(path),
  posts: ({ method }) => method === 'POST',
  users: ({ user }) => user !== undefined,
  rest: () => true,
};

/** The rule that must take it; undefined when there is none at all. */
export function ruleFor({ route }: Rules, request: LoadRequest): Rule | undefined {
  const name = ruleNames.find((each) => takes[each](request) && route?.some((rule) => rule.name === each));
  return route?.find((rule) => rule.name === name);
}

/** Whether the rule counts the request for its exact split: it does not where a sticky key decides. */
export function isSplit(rule: Rule, request: LoadRequest): boolean {
  return !rule.isSticky || request.user === undefined;
}

/** Whether the instance may take requests for the subset; '' is the whole service. */
export function isOf(subset: string, { labels }: Instance, { chosen }: Rules): boolean {
  if (subset === '') return true;
  const wanted = subset === 'chosen' ? chosen : { version: subset };
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/**
 * Whether agents that send requests to the service must get to know of the change: else they may go on by the revision before.
 * Of policies nothing is said; they can be the same for the subsets in use.
 */
export function concernsCallers(before: Rules, after: Rules): boolean {
  const usesChosen = after.route?.some(({ shares }) => shares.chosen !== undefined) ?? false;
  if (usesChosen && JSON.stringify(before.chosen) !== JSON.stringify(after.chosen)) return true;
  return meaningOf(before.route) !== meaningOf(after.route);
}

/** In what order rules and backends stand makes no difference here. */
function meaningOf(route: Rules['route']): string {
  const rules = route?.map((rule) => ({ ...rule, shares: Object.entries(rule.shares).sort() }));
  return JSON.stringify(rules?.sort((a, b) => (a.name < b.name ? -1 : 1)) ?? 'none');
}

export function routeDocument(route: readonly Rule[]): unknown {
  return document('Route', 'reviews', { service: 'reviews', rules: route.map(ruleDocument) });
}

export function serviceDocument({ chosen }: Pick<Rules, 'chosen'>): unknown {
  return document('Service', 'reviews', {
    ports: [{ name: 'http', port: 80 }],
    subsets: [{ name: 'chosen', labels: chosen }],
  });
}

export function policyName(subset: string): string {
  return `reviews${subset === '' ? '' : `-${subset}`}`;
}

export function policyDocument(subset: string, policy: Readonly<Record<string, unknown>>): unknown {
  const target = { service: 'reviews', ...(subset !== '' && { subset }) };
  return document('TrafficPolicy', policyName(subset), { ...target, ...policy });
}

function ruleDocument({ name, shares, asked, told, isSticky, rewrites, more }: Rule): unknown {
  const match = matches[name];
  return {
    name,
    ...(match !== undefined && { match }),
    backends: Object.entries(shares).map(([subset, weight]) => ({ subset, weight })),
    ...(isSticky && { sticky: { header: 'x-user' } }),
    ...(rewrites && { rewrite: { path: { prefix: '/z' } } }),
    headers: {
      ...(asked !== undefined && { request: { set: { 'x-asked': String(asked) } } }),
      ...(told !== undefined && { response: { set: { 'x-told': String(told) } } }),
    },
    ...more,
  };
}

function document(kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'sluice.dev/v1', kind, metadata: { name }, spec };
}
