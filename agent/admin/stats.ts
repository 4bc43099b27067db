/** The agent's numbers for people: JSON of `GET /stats`. */
import type { Counters } from '../telemetry/counter.ts';
import { type Durations, durationBounds } from '../telemetry/histogram.ts';
import type { ListenerTraffic } from '../telemetry/statistics.ts';
import type { AgentReport, LimitReport } from './agent-report.ts';

export function statsOf(report: AgentReport) {
  const { app, held, swaps, names, controlPlane, lastGood, accessLog, workers, droppedConnections, traffic } = report;
  return {
    revision: held.revision,
    meshId: held.meshId,
    app: app ?? null,
    names: names.length,
    swaps,
    controlPlane: { ...controlPlane, server: controlPlane.server ?? null },
    lastGood: { writes: lastGood.writes, failures: lastGood.failures },
    accessLog,
    ...(report.limits && { limits: mapValues(report.limits, limitsOf) }),
    workers: workers.map((worker) => ({ ...worker, pid: worker.pid ?? null })),
    droppedConnections,
    traffic: mapValues(traffic, trafficOf),
  };
}

/** Times a limit refused beside what there is. */
function limitsOf({ maxConnections, maxRequests, maxPendingRequests, counts }: LimitReport) {
  const { connections, requests, pending, connectionOverflow, requestOverflow, pendingOverflow } = counts;
  return {
    maxConnections,
    maxRequests,
    maxPendingRequests,
    active: { connections, requests, pending },
    overflow: { connectionOverflow, requestOverflow, pendingOverflow },
  };
}

function trafficOf(traffic: ListenerTraffic) {
  const clusters = mapValues(traffic.clusters, (cluster) => ({
    ...countersOf(cluster),
    rules: mapValues(cluster.rules, countersOf),
  }));
  return { ...countersOf(traffic), clusters };
}

function countersOf<Of extends Counters>(counters: Of) {
  return { ...counters, durations: durationsOf(counters.durations) };
}

/** Only the buckets in which there is something, by their upper bounds in seconds. */
function durationsOf({ count, sum, buckets }: Durations) {
  const filled = buckets.flatMap((inBucket, index) =>
    inBucket > 0 ? [[String(durationBounds[index] ?? 'longer'), inBucket] as const] : [],
  );
  return { count, seconds: sum, upTo: Object.fromEntries(filled) };
}

function mapValues<Value, Mapped>(record: Readonly<Record<string, Value>>, map: (value: Value) => Mapped) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
