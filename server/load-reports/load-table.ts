/**
 * What clients report of their requests: of each client its last report, and of each cluster the sum of all reports. It is
 * kept as long as the client's stream, within bounds; what does not fit is counted.
 */
import type { ClusterDrops, LoadReport, LocalityLoad } from './read-report.ts';

/** Who reports. */
export interface ReportingClient {
  readonly id: string;
  readonly namespace: string;
}

/** Of all reports since the server started. */
export interface ClusterTotals {
  successes: number;
  errors: number;
  /** Requests that clients sent to nobody. */
  drops: number;
}

/** The last report of one client. */
export interface ClientLoad extends ReportingClient {
  readonly localities: readonly LocalityLoad[];
  readonly drops: readonly ClusterDrops[];
}

export interface LoadTableOptions {
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** How often clients are asked to report. */
  readonly intervalMs: number;
  /** Whether the mesh has this cluster: others get no place of their own in the totals. */
  readonly isCluster: (name: string) => boolean;
  readonly limits?: LoadLimits;
}

export interface LoadLimits {
  /** Streams that report at once. */
  readonly clients: number;
  /** Localities of clusters in the last reports of all clients together: some 100 bytes each. */
  readonly localities: number;
  /** Clusters with totals of their own. */
  readonly clusters: number;
}

const defaultLimits: LoadLimits = { clients: 20_000, localities: 500_000, clusters: 20_000 };

/** A client that has missed so many reports is not believed any more. */
const missedReports = 3;

/** How often a full table looks for clusters that are gone: that looks at all of them. */
const foldIntervalMs = 1_000;

/** Totals of clusters that have none of their own. No cluster is called so, for their names have two bars. */
export const otherClusters = 'other';

interface Entry extends ClientLoad {
  localities: readonly LocalityLoad[];
  drops: readonly ClusterDrops[];
  atMs: number;
}

/** The place of one stream. */
export interface Reporter {
  onReport(report: LoadReport): void;
  close(): void;
}

export class LoadTable {
  readonly #options: LoadTableOptions;
  readonly #limits: LoadLimits;
  readonly #entries = new Set<Entry>();
  readonly #totals = new Map<string, ClusterTotals>();
  #localities = 0;
  readonly #dropped = { clients: 0, localities: 0 };
  #reports = 0;
  #foldedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoadTableOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  /** What did not fit. */
  get dropped(): Readonly<Record<'clients' | 'localities', number>> {
    return this.#dropped;
  }

  get reports(): number {
    return this.#reports;
  }

  /** Streams that report. */
  get size(): number {
    return this.#entries.size;
  }

  /** Undefined when there are too many. */
  open({ id, namespace }: ReportingClient): Reporter | undefined {
    if (this.#entries.size >= this.#limits.clients) {
      this.#dropped.clients++;
      return undefined;
    }
    const entry: Entry = { id, namespace, localities: [], drops: [], atMs: this.#options.clock() };
    this.#entries.add(entry);
    return {
      onReport: (report) => this.#onReport(entry, report),
      close: () => {
        if (!this.#entries.delete(entry)) return;
        this.#localities -= sizeOf(entry);
      },
    };
  }

  /** The last reports of all that still report. */
  *clients(): Generator<ClientLoad> {
    const oldestMs = this.#options.clock() - missedReports * this.#options.intervalMs;
    for (const entry of this.#entries) if (entry.atMs >= oldestMs) yield entry;
  }

  /** By cluster. */
  totals(): ReadonlyMap<string, Readonly<ClusterTotals>> {
    return this.#totals;
  }

  #onReport(entry: Entry, report: LoadReport): void {
    if (!this.#entries.has(entry)) return;
    this.#reports++;
    this.#localities -= sizeOf(entry);
    const room = this.#limits.localities - this.#localities;
    const localities = report.localities.slice(0, room);
    const drops = report.drops.slice(0, room - localities.length);
    this.#dropped.localities += sizeOf(report) - localities.length - drops.length;
    entry.localities = localities;
    entry.drops = drops;
    entry.atMs = this.#options.clock();
    this.#localities += sizeOf(entry);
    for (const { cluster, successes, errors } of report.localities) {
      const totals = this.#totalsOf(cluster);
      totals.successes += successes;
      totals.errors += errors;
    }
    for (const { cluster, drops } of report.drops) this.#totalsOf(cluster).drops += drops;
  }

  #totalsOf(cluster: string): ClusterTotals {
    const present = this.#totals.get(cluster);
    if (present) return present;
    const isOwn = cluster !== otherClusters && this.#options.isCluster(cluster);
    if (isOwn && this.#totals.size >= this.#limits.clusters) this.#foldGone();
    const hasRoom = this.#totals.size < this.#limits.clusters;
    const name = isOwn && hasRoom ? cluster : otherClusters;
    const totals = this.#totals.get(name) ?? { successes: 0, errors: 0, drops: 0 };
    this.#totals.set(name, totals);
    return totals;
  }

  /** Clusters come and go for as long as the server runs: those that are gone are added up. */
  #foldGone(): void {
    const nowMs = this.#options.clock();
    if (nowMs - this.#foldedAtMs < foldIntervalMs) return;
    this.#foldedAtMs = nowMs;
    for (const [name, gone] of this.#totals) {
      if (name === otherClusters || this.#options.isCluster(name)) continue;
      this.#totals.delete(name);
      const other = this.#totalsOf(otherClusters);
      other.successes += gone.successes;
      other.errors += gone.errors;
      other.drops += gone.drops;
    }
  }
}

function sizeOf({ localities, drops }: Pick<Entry, 'localities' | 'drops'>): number {
  return localities.length + drops.length;
}
