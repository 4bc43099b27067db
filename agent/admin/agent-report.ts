/** What the admin server shows of a running agent; asked anew for every answer. */
import type { StatisticsSnapshot } from '../proxy/statistics.ts';
import type { ControlPlaneStatus } from '../registration/control-plane.ts';
import type { AppState } from '../registration/health-check.ts';
import type { MeshView } from '../view/mesh-view.ts';
import type { AgentIdentity } from '../xds/delta-session.ts';
import type { HeldMesh } from '../xds/resources.ts';

export interface AgentReport {
  readonly identity: AgentIdentity;
  /** Undefined without an application. */
  readonly app: AppState | undefined;
  readonly isDraining: boolean;
  /** Whether the agent had something to start with when no server had answered yet. */
  readonly startedFromLastGood: boolean;
  readonly held: HeldMesh;
  readonly view: MeshView;
  /** Names that the agent is subscribed to. */
  readonly names: readonly string[];
  /** Commit marks applied since the start. */
  readonly swaps: number;
  readonly controlPlane: ControlPlaneStatus;
  readonly lastGood: { readonly writes: number; readonly failures: number };
  /** By listener: `outbound`, `inbound`, and each upstream by its service. */
  readonly traffic: Readonly<Record<string, StatisticsSnapshot>>;
}
