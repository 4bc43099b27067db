/** A request for a service of the mesh: from its head to the rule that takes it and the cluster that the rule chooses. */
import type { Random } from '../../process/clock.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { MeshView, ServiceView } from '../view/mesh-view.ts';
import type { Exchange } from './exchange.ts';

export interface FoundService {
  /** The view that the service was found in; everything about a request is decided by one view. */
  readonly view: MeshView;
  readonly service: ServiceView;
  /** Undefined: the service's first. */
  readonly port: number | undefined;
}

export function routeToService(head: RequestHead, exchange: Exchange, found: FoundService, random: Random): void {
  const { view, service } = found;
  const port = found.port ?? service.defaultPort;
  const table = service.ports.get(port);
  if (table === undefined) {
    const ports = [...service.ports.keys()].join(', ');
    return exchange.refuse({ reason: 'no-route', sentence: `${service.name} has no port ${port}; it has ${ports}` });
  }
  const decision = table.route(head, random);
  if (decision === undefined) {
    const sentence = `no rule of ${table.name} takes ${head.method} ${head.target}`;
    return exchange.refuse({ reason: 'no-route', sentence });
  }
  const cluster = view.clusters.get(decision.cluster);
  // The view was refused if a table named a cluster that is missing.
  if (cluster === undefined) throw new Error(`${table.name} names ${decision.cluster}, which is not in the view`);
  exchange.forward(head, cluster, decision);
}
