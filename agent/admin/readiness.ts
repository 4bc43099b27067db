/** Whether the application may be sent requests, and may send some: design.md section 9, "/ready of the agent". */
import type { AgentReport } from './agent-report.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Routes by what it had on disk: no server has confirmed it since the start. */
  readonly stale: boolean;
  readonly revision: number;
  /** A sentence when there is something to say, else ''. */
  readonly reason: string;
}

export type ReadinessFacts = Pick<
  AgentReport,
  'identity' | 'isDraining' | 'startedFromLastGood' | 'held' | 'swaps' | 'controlPlane' | 'fault'
>;

export function readinessOf(agent: ReadinessFacts): Readiness {
  const { swaps, controlPlane, held } = agent;
  const stale = agent.startedFromLastGood && swaps === 0;
  const facts = { stale, revision: held.revision };
  const notConnected = controlPlane.lastEnd === '' ? 'the control plane has not answered yet' : controlPlane.lastEnd;
  if (agent.isDraining) return { ready: false, ...facts, reason: 'the agent is draining' };
  if (agent.fault !== '') return { ready: false, ...facts, reason: agent.fault };
  if (stale) {
    const why = controlPlane.conditionDetail || notConnected;
    return { ready: true, ...facts, reason: `routes by revision ${held.revision} of its last run: ${why}` };
  }
  // An empty store is complete at revision 0: the mark counts, not the number.
  if (swaps === 0) return { ready: false, ...facts, reason: `there is no complete revision yet: ${notConnected}` };
  if (agent.identity.hasApp && controlPlane.registrations === 0) {
    return { ready: false, ...facts, reason: `the application is not registered yet: ${notConnected}` };
  }
  return { ready: true, ...facts, reason: controlPlane.conditionDetail };
}
