/** What health checks found, as words between processes: one checks, the others go by it. */
import type { ActiveHealth } from '../resilience/active-health.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';

export interface InstanceVerdict {
  readonly cluster: string;
  readonly instance: string;
  readonly address: string;
  readonly port: number;
  readonly is: ActiveHealth['is'];
}

export function verdictOn({ instance, address, port, load }: EndpointView, cluster: string): InstanceVerdict {
  return { cluster, instance, address, port, is: load.check.is };
}

/** On all instances that were checked. */
export function verdictsOf(clusters: Iterable<ClusterView>): InstanceVerdict[] {
  return [...clusters].flatMap(({ name, endpoints }) =>
    endpoints.filter(({ load }) => load.check.is !== 'unchecked').map((endpoint) => verdictOn(endpoint, name)),
  );
}

/** Does nothing when there is no such instance any more. */
export function takeVerdict(clusters: ReadonlyMap<string, ClusterView>, verdict: InstanceVerdict): void {
  const cluster = clusters.get(verdict.cluster);
  const isMeant = ({ instance, address, port }: EndpointView) =>
    instance === verdict.instance && address === verdict.address && port === verdict.port;
  const endpoint = cluster?.endpoints.find(isMeant);
  if (cluster === undefined || endpoint === undefined) return;
  endpoint.load.check = { is: verdict.is, contrary: 0 };
  cluster.suspicions.changes++;
}
