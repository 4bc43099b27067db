/** A load report of a client as it came, read: what it sent where, with every number made sure of. Pure. */
import { type Int64, toNumber } from '../../proto/load.ts';
import type { ClusterStats, Duration, Locality } from '../../proto/types.ts';

/** Requests that a client sent to one cluster, in one locality of it, since the report before. */
export interface LocalityLoad {
  readonly cluster: string;
  /** Three times '' when the client does not count by locality. */
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** Ended well; ended with an error. */
  readonly successes: number;
  readonly errors: number;
  /** Under way now. */
  readonly inProgress: number;
  /** How long it took until there were so many. */
  readonly intervalMs: number;
}

/** Requests for a cluster that the client sent to nobody. */
export interface ClusterDrops {
  readonly cluster: string;
  readonly drops: number;
  readonly intervalMs: number;
}

export interface LoadReport {
  /** Without those in which nothing happened. */
  readonly localities: readonly LocalityLoad[];
  readonly drops: readonly ClusterDrops[];
}

/** More than the largest mesh has; a report beyond is absurd, and would only cost this server memory. */
export const mostClusters = 20_000;
export const mostLocalities = 50_000;
const longestName = 512;
/** In one report. Beyond, a number is no count of requests. */
const mostRequests = 1e12;
/** What is reported over less time says nothing of a rate. */
const shortestMs = 100;

/** `elapsedMs`: since the report before, for a client that does not say. Answers a sentence when the report is absurd. */
export function readReport(stats: readonly ClusterStats[], elapsedMs: number): LoadReport | string {
  if (stats.length > mostClusters) return `a report of ${stats.length} clusters; at most ${mostClusters} are taken`;
  const localities: LocalityLoad[] = [];
  const drops: ClusterDrops[] = [];
  let count = 0;
  for (const { clusterName: cluster, upstreamLocalityStats, totalDroppedRequests, loadReportInterval } of stats) {
    count += upstreamLocalityStats.length;
    if (count > mostLocalities) return `a report of more than ${mostLocalities} localities`;
    if (cluster === '') return 'a report on a cluster without a name';
    if (cluster.length > longestName) return `a cluster with a name of ${cluster.length} characters`;
    const intervalMs = Math.max(shortestMs, millisecondsOf(loadReportInterval) || elapsedMs);
    for (const each of upstreamLocalityStats) {
      const locality = localityOf(each.locality);
      if (locality === undefined) return 'a locality with an absurdly long name';
      const successes = countOf(each.totalSuccessfulRequests);
      const errors = countOf(each.totalErrorRequests);
      const inProgress = countOf(each.totalRequestsInProgress);
      if (isAbsurd(successes, errors, inProgress)) return 'an absurd number of requests';
      if (successes + errors + inProgress === 0) continue;
      localities.push({ cluster, locality, successes, errors, inProgress, intervalMs });
    }
    const dropped = countOf(totalDroppedRequests);
    if (isAbsurd(dropped)) return 'an absurd number of dropped requests';
    if (dropped > 0) drops.push({ cluster, drops: dropped, intervalMs });
  }
  return { localities, drops };
}

function countOf(value: Int64): number {
  return toNumber(value);
}

function isAbsurd(...counts: readonly number[]): boolean {
  return counts.some((count) => !(count >= 0 && count <= mostRequests));
}

const noLocality = { region: '', zone: '', subZone: '' };

function localityOf(locality: Locality | null): LocalityLoad['locality'] | undefined {
  if (locality === null) return noLocality;
  const { region, zone, subZone } = locality;
  if (region.length + zone.length + subZone.length > longestName) return undefined;
  return { region, zone, subZone };
}

/** 0 when it is not said, or makes no sense. */
function millisecondsOf(duration: Duration | null): number {
  if (duration === null) return 0;
  const ms = toNumber(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
  return ms > 0 && Number.isFinite(ms) ? ms : 0;
}
