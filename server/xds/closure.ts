/** What an agent that calls a service needs of it, and how that changes from one snapshot to another: worked out once for all agents. */
import { typeUrls } from '../../proto/type-urls.ts';
import { changedResources, resourcesOf, type ServiceSnapshot } from '../snapshot/service-snapshot.ts';

/** What a service's routes need: the route configurations, the clusters they name, and the endpoints of those. */
export function* closureOf(snapshot: ServiceSnapshot): Generator<[typeUrl: string, name: string]> {
  for (const { name } of resourcesOf(snapshot, typeUrls.routeConfiguration)) yield [typeUrls.routeConfiguration, name];
  for (const name of snapshot.references) {
    yield [typeUrls.cluster, name];
    yield [typeUrls.endpoint, name];
  }
}

/** What belongs to a service, its names aside: these go by what the agent asks for. */
const ownTypes: ReadonlySet<string> = new Set([
  typeUrls.cluster,
  typeUrls.endpoint,
  typeUrls.routeConfiguration,
  typeUrls.listener,
]);

type Names = readonly (readonly [typeUrl: string, name: string])[];

export function resourcesIn(snapshot: ServiceSnapshot | undefined): Names {
  return [...ownTypes].flatMap((typeUrl) =>
    resourcesOf(snapshot, typeUrl).map(({ name }): [string, string] => [typeUrl, name]),
  );
}

/** How what agents need of a service changes from one snapshot to another. */
export interface ClosureChange {
  readonly to: WeakRef<ServiceSnapshot>;
  /** What came, went or changed. */
  readonly names: Names;
  readonly isSameClosure: boolean;
}

/**
 * By what it came after, the last one that was asked for: a thousand agents go from the same snapshot to the same other. Neither is kept for
 * it: an agent that stays behind would keep all that came after.
 */
const changes = new WeakMap<ServiceSnapshot, ClosureChange>();

export function closureChange(from: ServiceSnapshot, to: ServiceSnapshot): ClosureChange {
  const known = changes.get(from);
  if (known?.to.deref() === to) return known;
  const names = changedResources(from, to).filter(([typeUrl]) => ownTypes.has(typeUrl));
  const change = { to: new WeakRef(to), names, isSameClosure: haveSameClosure(from, to) };
  changes.set(from, change);
  return change;
}

/** Most changes are of weights and matches: what is needed stays the same. */
function haveSameClosure(a: ServiceSnapshot, b: ServiceSnapshot): boolean {
  const routesOf = ({ resources }: ServiceSnapshot) => [...(resources.get(typeUrls.routeConfiguration)?.keys() ?? [])];
  return a.references.join() === b.references.join() && routesOf(a).join() === routesOf(b).join();
}
