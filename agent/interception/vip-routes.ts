/**
 * Routes for the ranges of virtual IPs. A host without a default route answers ENETUNREACH before any rule is asked; with
 * these the kernel takes the ranges for its own and picks loopback as the source, and the rules see the packet.
 */
import type { RunProgram } from '../../process/run-program.ts';
import { type Cidr, formatWithPrefix } from './rules/cidr.ts';
import { runTool } from './tools.ts';

/** What marks a route as ours: the kernel keeps who has made a route, as a number. Not one that iproute2 has a name for. */
const protocol = '152';
const sources = { ipv4: ['src', '127.0.0.1'], ipv6: [] } as const;
const flags = { ipv4: '-4', ipv6: '-6' } as const;

export function printRoutes(routes: readonly Cidr[]): string {
  return routes.map((range) => `${installCommand(range).join(' ')}\n`).join('');
}

/** Those that are not there yet, and resolves with them. A range that somebody else has routed to this host stays theirs. */
export async function addRoutes(run: RunProgram, routes: readonly Cidr[]): Promise<Cidr[]> {
  const added: Cidr[] = [];
  for (const range of routes) {
    if (await isRouted(run, range)) continue;
    await runTool(run, installCommand(range));
    added.push(range);
  }
  return added;
}

export async function removeRoutes(run: RunProgram, routes: readonly Cidr[]): Promise<void> {
  for (const range of routes) await removeRoute(run, { family: range.family, text: formatWithPrefix(range) });
}

/** All that are ours but these: what an earlier description wanted. */
export async function removeRoutesBut(run: RunProgram, routes: readonly Cidr[]): Promise<void> {
  const there = await ownRoutes(run);
  for (const route of there.filter((each) => !routes.some((range) => isSame(range, each))))
    await removeRoute(run, route);
}

export async function checkRoutes(run: RunProgram, routes: readonly Cidr[]): Promise<string[]> {
  const there = await ownRoutes(run);
  const excess = there.filter((route) => !routes.some((range) => isSame(range, route)));
  const missing: Cidr[] = [];
  for (const range of routes) if (!(await isRouted(run, range))) missing.push(range);
  return [
    ...missing.map((range) => `routes: missing: local ${formatWithPrefix(range)}`),
    ...excess.map(({ text }) => `routes: unexpected: local ${text}`),
  ];
}

interface Route {
  readonly family: Cidr['family'];
  /** As ip lists it: an address of full length has no prefix. */
  readonly text: string;
}

/** All that are ours, of whatever range. */
async function ownRoutes(run: RunProgram): Promise<Route[]> {
  const found: Route[] = [];
  for (const family of ['ipv4', 'ipv6'] as const) {
    const listing = await runTool(run, ['ip', flags[family], 'route', 'show', 'table', 'local', 'proto', protocol]);
    found.push(...destinationsIn(listing).map((text) => ({ family, text })));
  }
  return found;
}

/** By whomever. */
async function isRouted(run: RunProgram, range: Cidr): Promise<boolean> {
  const show = ['ip', flags[range.family], 'route', 'show', 'table', 'local', 'exact', formatWithPrefix(range)];
  return destinationsIn(await runTool(run, show)).length > 0;
}

function destinationsIn(listing: string): string[] {
  return [...listing.matchAll(/^local (\S+) /gm)].map(([, destination = '']) => destination);
}

function installCommand(range: Cidr): string[] {
  const { family } = range;
  const route = ['local', formatWithPrefix(range), 'dev', 'lo', ...sources[family], 'proto', protocol];
  return ['ip', flags[family], 'route', 'add', ...route];
}

async function removeRoute(run: RunProgram, { family, text }: Route): Promise<void> {
  await runTool(run, [
    'ip',
    flags[family],
    'route',
    'del',
    'local',
    text,
    'dev',
    'lo',
    'table',
    'local',
    'proto',
    protocol,
  ]);
}

function isSame(range: Cidr, { family, text }: Route): boolean {
  return range.family === family && (text === formatWithPrefix(range) || text === range.address);
}
