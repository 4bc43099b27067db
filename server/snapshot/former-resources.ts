/**
 * Services as they were when they had a cluster that is gone, or another first port: a client may have been away meanwhile, and come back with
 * what it had. The newest thousand of each; a restart finds them again in the history of the rules (`server/recall.ts`).
 */
import { routeConfigurationName } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { createServiceSnapshot, type ServiceSnapshot } from './service-snapshot.ts';

const most = 1_000;

/** What is needed to know of a change of one service. */
interface Change {
  readonly before: ServiceSnapshot | undefined;
  readonly after: ServiceSnapshot | undefined;
  /** Type URL and name of what came, went or changed. */
  readonly changed: readonly (readonly [typeUrl: string, name: string])[];
}

export class FormerResources {
  /** The one that went last at the end. */
  readonly #clusters = new Map<string, ServiceSnapshot>();
  /** By the name of the routes of the port that was the first. */
  readonly #firstPorts = new Map<string, ServiceSnapshot>();

  onChange({ before, after, changed }: Change): void {
    for (const [typeUrl, name] of changed) {
      if (typeUrl !== typeUrls.cluster) continue;
      this.#clusters.delete(name);
      const isGone = after?.resources.get(typeUrl)?.has(name) !== true;
      const from = before?.retired.get(name)?.from ?? before;
      if (isGone && from !== undefined) add(this.#clusters, name, withoutInstances(from));
    }
    const first = before?.input.ports[0]?.port;
    if (before === undefined || first === undefined || first === after?.input.ports[0]?.port) return;
    const { name: service, namespace } = before.input;
    add(this.#firstPorts, routeConfigurationName({ service, namespace, portNumber: first }), withoutInstances(before));
  }

  /** The service of the cluster as it was when it last had that; undefined when it is not known. */
  withCluster(name: string): ServiceSnapshot | undefined {
    return this.#clusters.get(name);
  }

  /** Services as they were when these were the routes of their first ports, the newest first. */
  withFirstPorts(routes: ReadonlySet<string>): ServiceSnapshot[] {
    return [...this.#firstPorts].flatMap(([name, snapshot]) => (routes.has(name) ? snapshot : [])).reverse();
  }

  /** Names, the one that went last first. */
  clusters(): string[] {
    return [...this.#clusters.keys()].reverse();
  }
}

/** What is kept is no larger for a service of many instances: where endpoints are asked for, they are of those that there are then. */
function withoutInstances(snapshot: ServiceSnapshot): ServiceSnapshot {
  return createServiceSnapshot(snapshot.compiled, { ...snapshot, instances: [], retired: new Map() });
}

function add(former: Map<string, ServiceSnapshot>, name: string, from: ServiceSnapshot): void {
  former.delete(name);
  former.set(name, from);
  const [oldest] = former.keys();
  if (former.size > most && oldest !== undefined) former.delete(oldest);
}
