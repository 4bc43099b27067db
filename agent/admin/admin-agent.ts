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

/** The same, not ready until `isPrepared`: applications that were started before would dial into a hole. */
export function notReadyBefore(agent: AdminAgent, isPrepared: () => boolean): AdminAgent {
  const readiness = () => {
    const facts = agent.readiness();
    if (isPrepared() || !facts.ready) return facts;
    return { ...facts, ready: false, reason: 'packet rules are not in place yet' };
  };
  return { ...agent, readiness };
}

/** Those of a shared agent, by the ids of their entries. They come and go. */
export type AdminEntries = ReadonlyMap<string, AdminAgent>;
