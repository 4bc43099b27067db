/** What the admin server shows of a running agent; asked anew for every answer. */
import type { LineCounts } from '../../process/line-writer.ts';
import type { DnsCounters } from '../dns/counters.ts';
import type { ControlPlaneStatus } from '../registration/control-plane.ts';
import type { AppState } from '../registration/health-check.ts';
import type { BreakerCounts } from '../resilience/circuit-breaker.ts';
import type { ListenerTraffic } from '../telemetry/statistics.ts';
import type { MeshView } from '../view/mesh-view.ts';
import type { AgentIdentity } from '../xds/delta-session.ts';
import type { HeldMesh } from '../xds/resources.ts';
import type { ClusterDump } from './cluster-dump.ts';

/** What came of requests, in all processes that carry them together. */
export interface WorkReport {
  /** By listener: `outbound`, `inbound`, and each upstream by its service. */
  readonly traffic: Readonly<Record<string, ListenerTraffic>>;
  /** Sorted by name. */
  readonly clusters: readonly ClusterDump[];
  /** Of an application that has limits of its own: those, and what there is. */
  readonly limits?: Readonly<Record<'outbound' | 'inbound', LimitReport>>;
  /** Lines of the access log. */
  readonly accessLog: LineCounts;
  /** In bytes, of all processes of the agent. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
  /** Empty when the agent is one process. */
  readonly workers: readonly WorkerReport[];
  /** Connections of clients that were closed because no worker took them. */
  readonly droppedConnections: number;
}

export interface LimitReport {
  readonly maxConnections: number;
  readonly maxRequests: number;
  readonly maxPendingRequests: number;
  readonly counts: BreakerCounts;
}

/** A process that carries requests; one of several. */
export interface WorkerReport {
  /** From 1 on; a worker that takes the place of another has its number. */
  readonly worker: number;
  /** Undefined while there is no process. */
  readonly pid: number | undefined;
  /** - `starting`: carries nothing yet; `restarting`: ended, and another one follows after a pause. */
  readonly state: 'starting' | 'serving' | 'restarting';
  /** Of clients, when it last said how many. */
  readonly connections: number;
  /** Resident memory in bytes, when it last said how much; 0 when it has not yet. */
  readonly rss: number;
  /** How often a process in its place has ended that should not have. */
  readonly restarts: number;
}

export interface AgentReport extends WorkReport {
  readonly identity: AgentIdentity;
  /** Undefined without an application. */
  readonly app: AppState | undefined;
  readonly isDraining: boolean;
  /** Whether the agent had something to start with when no server had answered yet. */
  readonly startedFromLastGood: boolean;
  readonly held: HeldMesh;
  /** What requests are routed by. What they did to it is told by `clusters`: they may be carried elsewhere. */
  readonly view: MeshView;
  /** Of the name server; undefined without one. */
  readonly dns: Readonly<DnsCounters> | undefined;
  /** Names that the agent is subscribed to. */
  readonly names: readonly string[];
  /** Commit marks since the start that all requests are routed by. */
  readonly swaps: number;
  readonly controlPlane: ControlPlaneStatus;
  readonly lastGood: { readonly writes: number; readonly failures: number };
  /** Why no requests are carried, as a sentence; '' when they are. */
  readonly fault: string;
}
