/** Random changes of rules, over all kinds of what rules say. */
import { type Rule, type RuleName, type Rules, ruleNames } from './rules.ts';

export const firstRules: Rules = {
  route: [{ name: 'rest', shares: { v1: 90, v2: 10 }, asked: 1, told: 1, isSticky: false, rewrites: false, more: {} }],
  chosen: { track: 'stable' },
  policies: {},
};

/** Rules that go by a prefix: only of those a prefix can be replaced. */
const byPrefix: ReadonlySet<RuleName> = new Set(['both', 'prefix-a']);
const subsets = ['v1', 'v2', 'v3', 'chosen'];

/** Always another document than before. `number`: another for each change; what is edited into headers. */
export function randomChange(rules: Rules, number: number, random: () => number): Rules {
  const draw = new Draw(random);
  for (;;) {
    const make = draw.one(kinds);
    // Without a Route there is little to change.
    const changed = (rules.route === undefined ? newRoute : make)(rules, number, draw);
    if (JSON.stringify(changed) !== JSON.stringify(rules)) return changed;
  }
}

type Kind = (rules: Rules, number: number, draw: Draw) => Rules;

const newShares: Kind = (rules, _, draw) => withRule(rules, draw, (rule) => ({ ...rule, shares: randomShares(draw) }));

const newContent: Kind = (rules, number, draw) =>
  withRule(rules, draw, ({ name, shares }) => ({ ...randomRule(name, number, draw), shares }));

const newOrder: Kind = (rules, _, draw) => ({ ...rules, route: draw.shuffled(rules.route ?? []) });

const noRoute: Kind = (rules) => ({ ...rules, route: undefined });

const newSubset: Kind = (rules, _, draw) => ({
  ...rules,
  chosen: draw.one([{ track: 'stable' }, { track: 'next' }, { version: 'v2' }, { version: 'v1', track: 'stable' }]),
});

/** As often as they stand here. */
const kinds: readonly Kind[] = [
  newShares,
  newShares,
  newShares,
  newContent,
  newContent,
  newContent,
  newOrder,
  newRoute,
  noRoute,
  newSubset,
  newPolicy,
  newPolicy,
];

function newRoute(rules: Rules, number: number, draw: Draw): Rules {
  const names = ruleNames.filter((name) => name === 'rest' || draw.happens(0.5));
  const kept = (name: RuleName) => rules.route?.find((rule) => rule.name === name);
  const route = names.map((name) => (draw.happens(0.5) ? kept(name) : undefined) ?? randomRule(name, number, draw));
  return { ...rules, route: draw.shuffled(route) };
}

function withRule(rules: Rules, draw: Draw, change: (rule: Rule) => Rule): Rules {
  const route = rules.route ?? [];
  const chosen = draw.one(route);
  return { ...rules, route: route.map((rule) => (rule === chosen ? change(rule) : rule)) };
}

function newPolicy(rules: Rules, _: number, draw: Draw): Rules {
  const subset = draw.one(['', ...subsets]);
  const { [subset]: present, ...others } = rules.policies;
  const isDeleted = present !== undefined && draw.happens(0.4);
  return { ...rules, policies: isDeleted ? others : { ...others, [subset]: randomPolicy(draw) } };
}

function randomRule(name: RuleName, number: number, draw: Draw): Rule {
  return {
    name,
    shares: randomShares(draw),
    asked: draw.maybe(number),
    told: draw.maybe(number),
    isSticky: draw.happens(0.25),
    rewrites: byPrefix.has(name) && draw.happens(0.4),
    more: {
      ...draw.field('timeout', ['5s', '10s', '15s']),
      ...draw.field('retry', [
        { attempts: 1, on: ['connect-failure', 'reset'] },
        { attempts: 3, on: ['503'], perTryTimeout: '4s', backoff: { base: '1ms', max: '5ms' } },
      ]),
      ...draw.field('mirror', [[{ subset: 'v1', percent: 10 }], [{ subset: 'v3', percent: 2.5 }]]),
      ...draw.field('fault', [{ delay: { duration: '2ms', percent: 5 } }]),
    },
  };
}

/** Of two subsets or more, some of which get nothing. */
function randomShares(draw: Draw): Record<string, number> {
  const used = draw.shuffled(subsets).slice(0, 2 + draw.below(subsets.length - 1));
  const shares = used.map((subset, place) => [subset, place === 0 ? 1 + draw.below(100) : draw.below(101)] as const);
  return Object.fromEntries(draw.shuffled(shares));
}

function randomPolicy(draw: Draw): Record<string, unknown> {
  const policy = draw.one(['round-robin', 'least-request', 'random', 'ring-hash', 'maglev']);
  const goesByHash = policy === 'ring-hash' || policy === 'maglev';
  const pool = {
    maxConnections: 500 + draw.below(500),
    maxRequests: 1_000,
    connectTimeout: '5s',
    idleTimeout: `${1 + draw.below(10)}s`,
  };
  return {
    loadBalancer: { policy },
    ...(goesByHash && { hashOn: [{ header: 'x-user' }, { sourceAddress: true }] }),
    ...draw.field('connectionPool', [pool]),
    ...draw.field('outlierDetection', [{ consecutive5xx: 3, baseEjectionTime: '1s' }]),
    ...draw.field('healthCheck', [
      { interval: '1s', timeout: '5s' },
      { http: { path: '/a/0' }, timeout: '5s' },
    ]),
    ...draw.field('localityPreference', ['same-zone-first']),
  };
}

class Draw {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  happens(share: number): boolean {
    return this.#random() < share;
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  one<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('there is nothing to choose from');
    return item;
  }

  maybe<Item>(item: Item): Item | undefined {
    return this.happens(0.5) ? item : undefined;
  }

  /** `{}` or `{ name: one of the values }`. */
  field(name: string, values: readonly unknown[]): Record<string, unknown> {
    return this.happens(0.4) ? { [name]: this.one(values) } : {};
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const [moved] = shuffled.splice(this.below(last + 1), 1);
      if (moved !== undefined) shuffled.push(moved);
    }
    return shuffled;
  }
}
