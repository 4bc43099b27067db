/** An agent of one application, with an admin port of its own. */
import type { HostPort } from '../process/host-port.ts';
import { notReadyBefore } from './admin/admin-agent.ts';
import { startAdmin } from './admin/admin-server.ts';
import type { Readiness } from './admin/readiness.ts';
import { type AgentContext, type CoreAddresses, type Endable, startCore } from './agent-core.ts';
import type { AgentSettings } from './agent-settings.ts';
import { letGo } from './letting-go.ts';

/** An agent of one application or of several. */
export interface Running extends Endable {
  /** Resolves when `/ready` first says yes. */
  readonly ready: Promise<void>;
  readonly readiness: Readiness;
  /** Asks callers to send nothing new; resolves when they know, or the deadline is over. Done once. */
  drain(): Promise<void>;
  /** No more connections; those that there are end with their next answers. Resolves when none is left, or after three seconds. */
  letGo(): Promise<void>;
}

export interface RunningAgent extends Running {
  readonly addresses: CoreAddresses & { readonly admin: HostPort };
}

/**
 * Rejects with a sentence when the state directory cannot be had or a port cannot be listened on; then nothing runs. `prepare`: what has
 * to be done besides before it is known to the control plane; it does not run either when that rejects.
 */
export async function startAgent(
  settings: AgentSettings,
  context: AgentContext,
  prepare: (addresses: RunningAgent['addresses']) => Promise<void> = async () => {},
): Promise<RunningAgent> {
  const core = await startCore(settings, context);
  let isPrepared = false;
  let admin: Awaited<ReturnType<typeof startAdmin>> | undefined;
  const close = async () => {
    await admin?.close();
    await core.close();
  };
  const agents = notReadyBefore(core, () => isPrepared);
  let addresses: RunningAgent['addresses'];
  try {
    admin = await startAdmin({ listen: settings.admin, agents });
    addresses = { ...core.addresses, admin: admin.address };
    // Nobody hears of an agent that does not start.
    await prepare(addresses);
    core.connect();
  } catch (cause) {
    await close();
    throw cause;
  }
  isPrepared = true;
  const { ready, drain, closeInbound, reopenAccessLog, cutOff } = core;
  return {
    ready,
    drain,
    letGo: () => letGo([core], context.clock),
    closeInbound,
    reopenAccessLog,
    cutOff,
    get readiness() {
      return core.readiness();
    },
    addresses,
    close,
  };
}
