/**
 * Which backend of a rule takes a request: the exact split, or the sticky one where the rule names a sticky key and the
 * request has it. All matches of one rule share one choice, and with it the state of the split.
 */
import type { RouteAction, RouteActionHashPolicy } from '../proto/types.ts';
import { hash53 } from './hash.ts';
import { assertToken, assertVisible } from './head-text.ts';
import { UnusableError } from './refusal.ts';
import { cookieValue, type RouteRequest } from './request.ts';
import { createStickySplit, type StickyBackend, type StickySplit } from './sticky-split.ts';
import { createWeightedSplit, type WeightedSplit } from './weighted-split.ts';

export interface BackendChoice {
  /** Names of the clusters, sorted: equal shares are equal lists, in whatever order they were written. */
  readonly clusters: readonly string[];
  readonly split: WeightedSplit;
  readonly sticky: Sticky | undefined;
}

export interface Sticky {
  readonly key: StickyKey;
  readonly split: StickySplit;
}

export type StickyKey =
  | { readonly is: 'header'; readonly name: string }
  | { readonly is: 'cookie'; readonly name: string; readonly attributes: string };

/**
 * `previous`: the choice of this rule so far; its split goes on where it stands if all shares are unchanged. `identity`:
 * agent and rule, hashed for the phase at which a new split starts. Throws UnusableError, naming `where`.
 */
export function createBackendChoice(
  action: RouteAction,
  options: { readonly previous: BackendChoice | undefined; readonly identity: string; readonly where: string },
): BackendChoice {
  const backends = readBackends(action, options.where);
  const clusters = backends.map(({ name }) => name);
  const split = createWeightedSplit(
    backends.map(({ weight }) => weight),
    hash53(options.identity),
  );
  const isUnchanged = options.previous !== undefined && sharesEqual(options.previous, { clusters, split });
  return {
    clusters,
    split: isUnchanged ? options.previous.split : split,
    sticky: readSticky(action, backends, options.where),
  };
}

/** Whether both give every cluster the same share; `90, 10` and `9, 1` are the same. */
export function sharesEqual(
  a: Pick<BackendChoice, 'clusters' | 'split'>,
  b: Pick<BackendChoice, 'clusters' | 'split'>,
): boolean {
  return listsEqual(a.clusters, b.clusters) && listsEqual(a.split.weights, b.split.weights);
}

/** The value that keys the sticky split; an empty one says nothing of who asks, so it counts as missing. */
export function stickyValue(key: StickyKey, request: RouteRequest): string | undefined {
  const value = key.is === 'header' ? request.header(key.name) : cookieValue(request.header('cookie'), key.name);
  return value === '' ? undefined : value;
}

/**
 * A cookie for a user without one, whom the exact split has just sent to `backend`: its value is drawn until it hashes to
 * that very backend, so the user stays where he is. A backend with share s takes 1/s draws and is chosen in s of the cases:
 * on average as many draws as there are backends. Undefined after `mostDraws`, which a share of 1/1000 meets once in
 * 20,000 times: this user then gets his cookie with a later request, and the split stays exact.
 */
export function drawCookie(sticky: Sticky, backend: number, random: () => number): string | undefined {
  if (sticky.key.is !== 'cookie') return undefined;
  for (let draws = 0; draws < mostDraws; draws++) {
    const value = Math.floor(random() * 2 ** 53).toString(36);
    if (sticky.split.pick(value) === backend) return `${sticky.key.name}=${value}; ${sticky.key.attributes}`;
  }
  return undefined;
}

const mostDraws = 10_000;

/** Backends that get anything, sorted by name. */
function readBackends(action: RouteAction, where: string): StickyBackend[] {
  switch (action.clusterSpecifier) {
    case 'cluster':
      return [{ name: assertNamed(action.cluster, where), weight: 1 }];
    case 'weightedClusters': {
      const weights = new Map<string, number>();
      for (const { name, weight } of action.weightedClusters?.clusters ?? []) {
        weights.set(assertNamed(name, where), (weights.get(name) ?? 0) + (weight?.value ?? 0));
      }
      const backends = [...weights].map(([name, weight]) => ({ name, weight })).filter(({ weight }) => weight > 0);
      if (backends.length === 0) throw new UnusableError(where, 'the weights of its clusters add up to 0');
      if (sumOf(backends) > greatestSum)
        throw new UnusableError(where, `its weights add up to more than ${greatestSum}`);
      // By code units: the order must not depend on where the agent runs.
      return backends.sort((a, b) => (a.name < b.name ? -1 : 1));
    }
    default:
      throw new UnusableError(where, 'has a kind of target that this agent does not know');
  }
}

/** The limit that xDS sets. */
const greatestSum = 2 ** 32 - 1;

function sumOf(backends: readonly StickyBackend[]): number {
  return backends.reduce((sum, { weight }) => sum + weight, 0);
}

function readSticky(action: RouteAction, backends: readonly StickyBackend[], where: string): Sticky | undefined {
  const isSticky = action.weightedClusters?.useHashPolicy?.value === true;
  if (!isSticky) return undefined;
  const [policy, ...more] = action.hashPolicy;
  if (policy === undefined) throw new UnusableError(where, 'its split is sticky, but no hash policy says by what');
  if (more.length > 0) throw new UnusableError(where, 'has several hash policies; this agent knows splits by one');
  const key = readStickyKey(policy, where);
  // Nothing to choose: no key is looked for and no cookie issued.
  return backends.length === 1 ? undefined : { key, split: createStickySplit(backends) };
}

function readStickyKey(policy: RouteActionHashPolicy, where: string): StickyKey {
  switch (policy.policySpecifier) {
    case 'header':
      return { is: 'header', name: assertNamed(policy.header?.headerName ?? '', where).toLowerCase() };
    case 'cookie': {
      const { name = '', path = '' } = policy.cookie ?? {};
      if (name !== '') assertToken(name, where);
      // A ";" would end the path and begin another attribute.
      assertVisible(path.replaceAll(';', ' '), where);
      // Without Max-Age: the cookie lives as long as the browser's session.
      return { is: 'cookie', name: assertNamed(name, where), attributes: `Path=${path || '/'}` };
    }
    default:
      throw new UnusableError(where, 'has a kind of hash policy that this agent does not know');
  }
}

function assertNamed(name: string, where: string): string {
  if (name === '') throw new UnusableError(where, 'has an empty name of a cluster, header or cookie');
  return name;
}

function listsEqual<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
