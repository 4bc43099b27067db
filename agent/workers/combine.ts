/** The reports of workers, as if one process had done it all. Pure. */
import type { WorkReport } from '../admin/agent-report.ts';
import type { ClusterDump } from '../admin/cluster-dump.ts';
import { addUp, withoutActive } from './tally.ts';

/** What a worker, or several, have done. */
export type Done = Pick<WorkReport, 'traffic' | 'clusters' | 'accessLog'>;

export const nothingDone: Done = { traffic: {}, clusters: [], accessLog: { written: 0, dropped: 0 } };

/** `clusters`: as the main process has them, in which nothing was done; those that are there no more are left out. */
export function combine(clusters: readonly ClusterDump[], done: readonly Done[]): Done {
  const byName = new Map<string, ClusterDump[]>(clusters.map(({ name }) => [name, []]));
  for (const each of done.flatMap((by) => by.clusters)) byName.get(each.name)?.push(each);
  return {
    traffic: addUp(
      {},
      done.map((by) => by.traffic),
    ),
    accessLog: addUp(
      nothingDone.accessLog,
      done.map((by) => by.accessLog),
    ),
    clusters: clusters.map((cluster) => combineCluster(cluster, byName.get(cluster.name) ?? [])),
  };
}

/** What is left of workers that have ended: their counts, so that none falls. */
export function retire({ traffic, clusters, accessLog }: Done): Done {
  return {
    accessLog,
    // Listeners have any name.
    traffic: Object.fromEntries(Object.entries(traffic).map(([listener, did]) => [listener, withoutActive(did)])),
    clusters: clusters.map((cluster) => ({
      ...cluster,
      panic: false,
      active: withoutActive({ active: cluster.active }).active,
      instances: [],
    })),
  };
}

function combineCluster(cluster: ClusterDump, done: readonly ClusterDump[]): ClusterDump {
  const ejections = done.flatMap((by) => by.ejections ?? []);
  const [first] = ejections;
  return {
    ...cluster,
    panic: done.some(({ panic }) => panic),
    active: addUp(
      cluster.active,
      done.map(({ active }) => active),
    ),
    overflow: addUp(
      cluster.overflow,
      done.map(({ overflow }) => overflow),
    ),
    ejections: cluster.ejections === null || first === undefined ? cluster.ejections : addUp(first, ejections.slice(1)),
    instances: cluster.instances.map((instance) => combineInstance(instance, done)),
  };
}

type Instance = ClusterDump['instances'][number];

function combineInstance(instance: Instance, done: readonly ClusterDump[]): Instance {
  const isSame = (other: Instance) =>
    other.instance === instance.instance && other.address === instance.address && other.port === instance.port;
  const same = done.flatMap(({ instances }) => instances.filter(isSame));
  // Each worker ejects by what it has seen: the longest time is when all of them ask the instance again.
  const ejectedUntil = same.flatMap((each) => each.ejectedUntil ?? []).sort();
  return {
    ...instance,
    activeRequests: same.reduce((sum, { activeRequests }) => sum + activeRequests, 0),
    ejectedUntil: ejectedUntil.at(-1) ?? null,
    pool: addUp(
      instance.pool,
      same.map(({ pool }) => pool),
    ),
  };
}
