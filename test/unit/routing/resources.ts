/** Route configurations as they come off the wire, from a few words. */
import type { Input } from '../../../proto/load.ts';
import { type Route, type RouteAction, RouteConfiguration, type RouteMatch } from '../../../proto/types.ts';
import type { RouteRequest } from '../../../routing/request.ts';

export function routeConfiguration(routes: readonly Input<Route>[], name = 'reviews.default:9080'): RouteConfiguration {
  return RouteConfiguration.decode(
    RouteConfiguration.encode({ name, virtualHosts: [{ name, domains: ['*'], routes }] }),
  );
}

/** One route; without a match it takes everything. */
export function route(
  name: string,
  action: Input<RouteAction>,
  match: Input<RouteMatch> = { prefix: '/' },
): Input<Route> {
  return { name, match, route: action };
}

/** `weighted({ v1: 90, v2: 10 })` */
export function weighted(weights: Readonly<Record<string, number>>): Input<RouteAction> {
  const clusters = Object.entries(weights).map(([name, weight]) => ({ name, weight: { value: weight } }));
  return { weightedClusters: { clusters } };
}

/** The same by a sticky key. */
export function sticky(
  weights: Readonly<Record<string, number>>,
  by: { readonly header: string } | { readonly cookie: string },
): Input<RouteAction> {
  const { weightedClusters } = weighted(weights);
  const policy = 'header' in by ? { header: { headerName: by.header } } : { cookie: { name: by.cookie, path: '/' } };
  return { weightedClusters: { ...weightedClusters, useHashPolicy: { value: true } }, hashPolicy: [policy] };
}

/** `request('GET /a?b=c', { 'x-user': '1' })`; header names in lower case. */
export function request(line: string, headers: Readonly<Record<string, string>> = {}): RouteRequest {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', ...query] = target.split('?');
  return { method, path, query: query.join('?'), header: (name) => headers[name] };
}

/** Chance that is the same in every run: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How often each property is tried. */
export const fuzzRuns = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);
