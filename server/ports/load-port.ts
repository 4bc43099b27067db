/** The load reports of all clients, added up by cluster and locality as the REST API shows them. */
import { setImmediate } from 'node:timers/promises';
import type { ClusterLoad, Load, LoadPort, LocalityLoad } from '../../dashboard-api/ports.ts';
import { parseClusterName } from '../../model/names.ts';
import type { ClientLoad, LoadTable } from '../load-reports/load-table.ts';

/** Reports that are added up in one turn of the event loop: some milliseconds. */
const sliceSize = 10_000;

export function createLoadPort(table: Pick<LoadTable, 'clients'>): LoadPort {
  return {
    async loads({ client }) {
      const clusters = new Map<string, Sum>();
      let added = 0;
      for (const each of table.clients()) {
        if (client !== undefined && each.id !== client) continue;
        add(clusters, each);
        added += each.localities.length;
        if (added < sliceSize) continue;
        added = 0;
        await setImmediate();
      }
      return [...clusters].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => describe(name, sum));
    },
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Sum extends Mutable<Load> {
  droppedPerSecond: number;
  clients: number;
  /** The client that was counted last. */
  countedFor: ClientLoad | undefined;
  readonly localities: Map<string, Mutable<LocalityLoad>>;
}

function add(clusters: Map<string, Sum>, client: ClientLoad): void {
  const sumOf = (cluster: string) => {
    let sum = clusters.get(cluster);
    if (sum === undefined) {
      sum = { ...noLoad, droppedPerSecond: 0, clients: 0, countedFor: undefined, localities: new Map() };
      clusters.set(cluster, sum);
    }
    if (sum.countedFor !== client) sum.clients++;
    sum.countedFor = client;
    return sum;
  };
  for (const { cluster, locality, successes, errors, inProgress, intervalMs } of client.localities) {
    const sum = sumOf(cluster);
    const key = JSON.stringify([locality.region, locality.zone, locality.subZone]);
    const there = sum.localities.get(key) ?? { ...locality, ...noLoad };
    sum.localities.set(key, there);
    for (const load of [sum, there]) {
      load.requestsPerSecond += ((successes + errors) * 1_000) / intervalMs;
      load.errorsPerSecond += (errors * 1_000) / intervalMs;
      load.inProgress += inProgress;
    }
  }
  for (const { cluster, drops, intervalMs } of client.drops) {
    sumOf(cluster).droppedPerSecond += (drops * 1_000) / intervalMs;
  }
}

const noLoad: Load = { requestsPerSecond: 0, errorsPerSecond: 0, inProgress: 0 };

const notOfThisMesh = { service: '', namespace: '', port: '', subset: '' };

function describe(cluster: string, sum: Sum): ClusterLoad {
  const { service, namespace, port, subset } = parseClusterName(cluster) ?? notOfThisMesh;
  const localities = [...sum.localities].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, locality]) => locality);
  return {
    cluster,
    service,
    namespace,
    port,
    subset,
    clients: sum.clients,
    ...rounded(sum),
    droppedPerSecond: round(sum.droppedPerSecond),
    localities: localities.map(({ region, zone, subZone, ...load }) => ({ region, zone, subZone, ...rounded(load) })),
  };
}

function rounded({ requestsPerSecond, errorsPerSecond, inProgress }: Load): Load {
  return { requestsPerSecond: round(requestsPerSecond), errorsPerSecond: round(errorsPerSecond), inProgress };
}

/** To thousandths: a request in a quarter of an hour is still seen. */
function round(perSecond: number): number {
  return Math.round(perSecond * 1_000) / 1_000;
}
