/**
 * Question: what does one routing decision cost, in time and in garbage? Run with `npx tsx bench/split.bench.ts`.
 *
 * Time is the best of many rounds, as everything else on the machine can only make it longer. Garbage is what the heap
 * grew by in a round, in the median.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Input } from '../proto/load.ts';
import { type Route, RouteConfiguration } from '../proto/types.ts';
import type { RouteRequest } from '../routing/request.ts';
import { createRouteTable, type RouteTable } from '../routing/route-table.ts';

/** So few that no round fills the young generation and starts a collection. */
const decisions = 20_000;
const rounds = 100;

interface Case {
  readonly name: string;
  readonly table: RouteTable;
  readonly requests: readonly RouteRequest[];
}

const canary = { weightedClusters: { clusters: [weight('v1', 90), weight('v2', 10)] } };

const cases: readonly Case[] = [
  {
    name: 'plain split 90:10',
    table: tableOf([{ name: 'canary', match: { prefix: '/' }, route: canary }]),
    requests: [request('/api/books', {})],
  },
  {
    name: '1,000 routes by header, then 90:10',
    table: tableOf([...thousand(tenantRoute), { name: 'rest', match: { prefix: '/' }, route: canary }]),
    requests: Array.from({ length: 64 }, (_, index) => request('/api/books', { 'x-tenant': `tenant-${index * 31}` })),
  },
  {
    name: '1,000 routes by path prefix, then 90:10',
    table: tableOf([...thousand(pathRoute), { name: 'rest', match: { prefix: '/' }, route: canary }]),
    requests: Array.from({ length: 64 }, (_, index) => request(`/tenants/${index * 31}/books/7?page=2`, {})),
  },
  {
    name: 'sticky by header, 90:10',
    table: tableOf([
      {
        name: 'canary',
        match: { prefix: '/' },
        route: {
          weightedClusters: { ...canary.weightedClusters, useHashPolicy: { value: true } },
          hashPolicy: [{ header: { headerName: 'x-user-id' } }],
        },
      },
    ]),
    requests: Array.from({ length: 64 }, (_, index) => request('/', { 'x-user-id': `user-${index}-8f14e45f` })),
  },
];

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

console.log(`node ${process.version}, ${rounds} rounds of ${decisions} decisions`);
for (const { name, table, requests } of cases) {
  const results = Array.from({ length: rounds }, () => measure(table, requests));
  const ns = Math.min(...results.map((result) => result.ns));
  const bytes = results.map((result) => result.bytes).sort((a, b) => a - b)[rounds / 2] ?? 0;
  console.log(`${name.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns ${bytes.toFixed(1).padStart(8)} bytes`);
}

function measure(table: RouteTable, requests: readonly RouteRequest[]) {
  if (typeof collect === 'function') collect();
  const before = process.memoryUsage().heapUsed;
  const start = process.hrtime.bigint();
  for (let n = 0; n < decisions; n++) {
    const next = requests[n % requests.length];
    if (next !== undefined) table.route(next, Math.random);
  }
  const ns = Number(process.hrtime.bigint() - start) / decisions;
  const bytes = Math.max(0, process.memoryUsage().heapUsed - before) / decisions;
  return { ns, bytes };
}

function tableOf(routes: readonly Input<Route>[]): RouteTable {
  const config = { name: 'reviews.default:9080', virtualHosts: [{ name: 'reviews', domains: ['*'], routes }] };
  const wire = RouteConfiguration.decode(RouteConfiguration.encode(config));
  return createRouteTable(wire, undefined, { agentId: 'web-1' });
}

function thousand(make: (index: number) => Input<Route>): Input<Route>[] {
  return Array.from({ length: 1_000 }, (_, index) => make(index));
}

function tenantRoute(index: number): Input<Route> {
  const headers = [{ name: 'x-tenant', stringMatch: { exact: `tenant-${index}` } }];
  return { name: `tenant-${index}`, match: { prefix: '/', headers }, route: { cluster: 'v1' } };
}

function pathRoute(index: number): Input<Route> {
  return { name: `path-${index}`, match: { pathSeparatedPrefix: `/tenants/${index}` }, route: { cluster: 'v1' } };
}

function weight(name: string, value: number) {
  return { name: `reviews.default|http|${name}`, weight: { value } };
}

function request(target: string, headers: Readonly<Record<string, string>>): RouteRequest {
  const [path = '', query = ''] = target.split('?');
  return { method: 'GET', path, query, header: (name) => headers[name] };
}
