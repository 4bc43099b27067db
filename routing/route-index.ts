/**
 * Finds the first of many routes that takes a request without asking them all: by exact path, by prefix, and among routes
 * of one path by the header that tells most of them apart. The answer is that of asking one by one, in order.
 */
import { type Condition, endsElement, headerOf, hold, type PreparedMatch, pathHolds } from './match.ts';
import type { RouteRequest } from './request.ts';

/** A route and its place in the order: the lowest place whose match holds wins. */
export interface Indexed {
  readonly place: number;
  readonly match: PreparedMatch;
}

export interface RouteIndex<R extends Indexed> {
  find(request: RouteRequest): R | undefined;
}

/**
 * `routes` in the order of their places. Of a request only what some route asks for is read: path, query and headers may be
 * costly to make.
 */
export function createRouteIndex<R extends Indexed>(routes: readonly R[]): RouteIndex<R> {
  const open = new Bucket(routes.filter(({ match }) => isOpen(match)));
  const byPath = routes.filter(({ match }) => !isOpen(match));
  if (byPath.length === 0) return { find: (request) => open.find(request, undefined) };
  const paths = createPathIndex(byPath);
  return {
    find(request) {
      const best = paths.find(request);
      return open.find(request, best) ?? best;
    },
  };
}

/** Whether it takes every path. */
function isOpen({ path }: PreparedMatch): boolean {
  return path.is === 'prefix' && path.prefix === '';
}

function createPathIndex<R extends Indexed>(routes: readonly R[]): RouteIndex<R> {
  const exact = bucketsBy(routes, ({ match: { path } }) => (path.is === 'exact' ? path.path : undefined));
  const elements = bucketsBy(routes, ({ match: { path } }) => (path.is === 'elements' ? path.prefix : undefined));
  const prefixes = bucketsBy(routes, ({ match: { path } }) => (path.is === 'prefix' ? path.prefix : undefined));
  const elementLengths = lengths(elements);
  const prefixLengths = lengths(prefixes);
  const regexes = routes.filter(({ match }) => match.path.is === 'regex');

  return {
    find(request) {
      const { path } = request;
      // Each step finds only what stands before the best so far, so the steps may come in any order; cheapest first.
      let best = exact.get(path)?.find(request, undefined);
      for (const length of elementLengths) {
        if (length > path.length) break;
        if (endsElement(path, length)) best = elements.get(path.slice(0, length))?.find(request, best) ?? best;
      }
      for (const length of prefixLengths) {
        if (length > path.length) break;
        best = prefixes.get(path.slice(0, length))?.find(request, best) ?? best;
      }
      for (const route of regexes) {
        if (best !== undefined && route.place > best.place) break;
        if (pathHolds(route.match.path, path) && hold(route.match.conditions, request)) return route;
      }
      return best;
    },
  };
}

/** Below this, asking one by one is as fast as a look at the index. */
const worthAnIndex = 8;

/** Routes of which the path is known to hold. */
class Bucket<R extends Indexed> {
  /** The header that most of the routes want an exact value of; undefined when an index would not pay. */
  readonly #header: string | undefined;
  readonly #byValue: ReadonlyMap<string, readonly Candidate<R>[]>;
  /** Routes that do not want an exact value of that header. */
  readonly #others: readonly Candidate<R>[];
  readonly #firstPlace: number;

  constructor(routes: readonly R[]) {
    this.#header = routes.length < worthAnIndex ? undefined : tellingHeader(routes);
    const candidates = routes.map((route) => this.#candidate(route));
    this.#byValue = groupBy(candidates, ({ value }) => value);
    this.#others = candidates.filter(({ value }) => value === undefined);
    this.#firstPlace = routes[0]?.place ?? Number.POSITIVE_INFINITY;
  }

  /** The first route that holds and stands before `best`. */
  find(request: RouteRequest, best: R | undefined): R | undefined {
    if (best !== undefined && best.place < this.#firstPlace) return undefined;
    const value = this.#header === undefined ? undefined : headerOf(request, this.#header);
    const found = value === undefined ? undefined : firstOf(this.#byValue.get(value), request, best);
    return firstOf(this.#others, request, found ?? best) ?? found;
  }

  #candidate(route: R): Candidate<R> {
    const { exactHeaders, conditions } = route.match;
    const known = exactHeaders.find(({ name }) => name === this.#header);
    const open = conditions.filter((condition) => condition !== known?.condition);
    return { route, value: known?.value, open };
  }
}

/** A route of a bucket: the value that it wants of the header that is looked up, and what is still to be asked then. */
interface Candidate<R> {
  readonly route: R;
  readonly value: string | undefined;
  readonly open: readonly Condition[];
}

function firstOf<R extends Indexed>(
  candidates: readonly Candidate<R>[] | undefined,
  request: RouteRequest,
  best: R | undefined,
): R | undefined {
  if (candidates === undefined) return undefined;
  for (const { route, open } of candidates) {
    if (best !== undefined && route.place > best.place) return undefined;
    if (hold(open, request)) return route;
  }
  return undefined;
}

/** The header with the most different exact values. */
function tellingHeader(routes: readonly Indexed[]): string | undefined {
  const values = new Map<string, Set<string>>();
  for (const { name, value } of routes.flatMap(({ match }) => match.exactHeaders)) {
    const known = values.get(name);
    if (known === undefined) values.set(name, new Set([value]));
    else known.add(value);
  }
  const [most] = [...values].sort(([, a], [, b]) => b.size - a.size);
  return most?.[0];
}

function bucketsBy<R extends Indexed>(routes: readonly R[], key: (route: R) => string | undefined) {
  return new Map([...groupBy(routes, key)].map(([text, group]) => [text, new Bucket(group)]));
}

/** Groups keep the order; what has no key is left out. */
function groupBy<R>(items: readonly R[], key: (item: R) => string | undefined): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const item of items) {
    const text = key(item);
    if (text === undefined) continue;
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [item]);
    else group.push(item);
  }
  return groups;
}

/** The lengths of the prefixes, each once, ascending: a few, however many prefixes there are. */
function lengths(prefixes: ReadonlyMap<string, unknown>): readonly number[] {
  return [...new Set([...prefixes.keys()].map(({ length }) => length))].sort((a, b) => a - b);
}
