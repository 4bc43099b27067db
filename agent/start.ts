/** An agent of one application, with an admin port of its own. */
import type { HostPort } from '../process/host-port.ts';
import { startAdmin } from './admin/admin-server.ts';
import type { Readiness } from './admin/readiness.ts';
import { type AgentContext, type CoreAddresses, startCore } from './agent-core.ts';
import type { AgentSettings } from './agent-settings.ts';

/** An agent as whoever ends it sees it, of one application or of several. */
export interface Running {
  /** Resolves when `/ready` first says yes. */
  readonly ready: Promise<void>;
  readonly readiness: Readiness;
  /** Asks callers to send nothing new; resolves when they know, or the deadline is over. Done once. */
  drain(): Promise<void>;
  /** No more requests for the application; those under way finish, 10 s at most. */
  closeInbound(): Promise<void>;
  /** Ends everything; requests under way finish first, 10 s at most. Does not drain. */
  close(): Promise<void>;
  /** The file of the access log was moved away: it is opened again by its name. */
  reopenAccessLog(): void;
  /** Cuts off all requests under way, within `cutOffMs`; how many there were. Else nothing is closed: the process ends. */
  cutOff(): Promise<number>;
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
  return {
    ready: core.ready,
    get readiness() {
      return core.readiness();
    },
    addresses: { ...core.addresses, admin: admin.address },
    drain: () => core.drain(),
    closeInbound: () => core.closeInbound(),
    close: async () => {
      await admin.close();
      await core.close();
    },
    reopenAccessLog: () => core.reopenAccessLog(),
    cutOff: () => core.cutOff(),
  };
}
