/** An agent of one application, with an admin port of its own. */
import type { HostPort } from '../process/host-port.ts';
import { startAdmin } from './admin/admin-server.ts';
import type { Readiness } from './admin/readiness.ts';
import { type AgentContext, type CoreAddresses, type Endable, startCore } from './agent-core.ts';
import type { AgentSettings } from './agent-settings.ts';

/** An agent of one application or of several. */
export interface Running extends Endable {
  /** Resolves when `/ready` first says yes. */
  readonly ready: Promise<void>;
  readonly readiness: Readiness;
  /** Asks callers to send nothing new; resolves when they know, or the deadline is over. Done once. */
  drain(): Promise<void>;
}

export interface RunningAgent extends Running {
  readonly addresses: CoreAddresses & { readonly admin: HostPort };
}

/** Rejects with a sentence when the state directory cannot be had or a port cannot be listened on; then nothing runs. */
export async function startAgent(settings: AgentSettings, context: AgentContext): Promise<RunningAgent> {
  const core = await startCore(settings, context);
  const admin = await startAdmin({ listen: settings.admin, agents: core }).catch(async (cause: unknown) => {
    await core.close();
    throw cause;
  });
  core.connect();
  const { ready, drain, closeInbound, reopenAccessLog, cutOff } = core;
  return {
    ready,
    drain,
    closeInbound,
    reopenAccessLog,
    cutOff,
    get readiness() {
      return core.readiness();
    },
    addresses: { ...core.addresses, admin: admin.address },
    close: async () => {
      await admin.close();
      await core.close();
    },
  };
}
