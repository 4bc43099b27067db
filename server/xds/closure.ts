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

/** How a service comes from one snapshot to another. */
export interface Step {
  readonly to: WeakRef<ServiceSnapshot>;
  /** What came, went or changed. */
  readonly names: Names;
  readonly isSameClosure: boolean;
}

/**
 * The last step from a snapshot that was asked for: a thousand agents take the same. Neither snapshot is kept for it: an agent that stays
 * behind would keep all that came after.
 */
const steps = new WeakMap<ServiceSnapshot, Step>();

export function stepBetween(from: ServiceSnapshot, to: ServiceSnapshot): Step {
  const known = steps.get(from);
  if (known?.to.deref() === to) return known;
  const names = changedResources(from, to).filter(([typeUrl]) => ownTypes.has(typeUrl));
  const step = { to: new WeakRef(to), names, isSameClosure: haveSameClosure(from, to) };
  steps.set(from, step);
  return step;
}

/** Most changes are of weights and matches: what is needed stays the same. */
function haveSameClosure(a: ServiceSnapshot, b: ServiceSnapshot): boolean {
  const routesOf = ({ resources }: ServiceSnapshot) => [...(resources.get(typeUrls.routeConfiguration)?.keys() ?? [])];
  return a.references.join() === b.references.join() && routesOf(a).join() === routesOf(b).join();
}
