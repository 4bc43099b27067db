/** An agent as the admin port asks it, and several of them in one process. */
import type { AgentReport } from './agent-report.ts';
import type { LookedAtMesh } from './explain-request.ts';
import type { Readiness } from './readiness.ts';

export interface AdminAgent {
  readonly report: () => Promise<AgentReport>;
  readonly readiness: () => Readiness;
  readonly mesh: () => LookedAtMesh;
  /** Asks callers to send no new requests; resolves when they know, or the deadline is over. */
  readonly drain: () => Promise<void>;
}

/** Those of a shared agent, by the ids of their entries. They come and go. */
export type AdminEntries = ReadonlyMap<string, AdminAgent>;
