/** How an agent lets go of clients that can do without it: they see no connection closed into which they have just sent a request. */
import type { Clock } from '../process/clock.ts';
import type { AgentCore } from './agent-core.ts';

/** Who has not sent a request for so long is not about to send one in the very moment in which the connection closes. */
const letGoMs = 3_000;
const lookAgainMs = 50;

/** No more connections; those that there are end with their next answers. Resolves when none is left, or after three seconds. */
export async function letGo(of: readonly Pick<AgentCore, 'retire' | 'report'>[], clock: Clock): Promise<void> {
  for (const core of of) core.retire();
  const isOverMs = clock.elapsed() + letGoMs;
  while (clock.elapsed() < isOverMs && (await isConnected(of))) {
    await new Promise<void>((resolve) => {
      clock.after(lookAgainMs, resolve);
    });
  }
}

/** Workers count their own, so there is nobody who would tell. */
async function isConnected(of: readonly Pick<AgentCore, 'report'>[]): Promise<boolean> {
  const reports = await Promise.all(of.map((core) => core.report()));
  return reports.some(({ traffic }) => Object.values(traffic).some(({ openConnections }) => openConnections > 0));
}
