/** The agent as a process: signals, the application as its child, and the exit code. */
import { type Child, signalExitCode, startChild } from '../process/child.ts';
import { systemClock } from '../process/clock.ts';
import { formatHostPort } from '../process/host-port.ts';
import { createLog, type Logger } from '../process/log.ts';
import { giveBackProgramPages } from '../process/program-pages.ts';
import type { AgentSettings } from './config.ts';
import { cutOffMs } from './data-plane.ts';
import { formatPort } from './listeners.ts';
import { type RunningAgent, startAgent } from './start.ts';

export { type AgentContext, type RunningAgent, startAgent } from './start.ts';

const endSignals = ['SIGTERM', 'SIGINT'] as const;
/** Signals that are the application's business alone. */
const passedSignals = ['SIGHUP', 'SIGUSR2'] as const;
/** An application that does not end when asked is made to. */
const childEndMs = 10_000;
/** Longer than cutting off takes. */
const atOnceMs = 2 * cutOffMs;

/**
 * Runs an agent until a signal comes or its application ends, and resolves with the exit code: that of the application,
 * else 0; 1 when the agent could not start. `command` is started once the first revision is applied. A second signal
 * ends the process at once, with 128+n.
 */
export async function runAgent(settings: AgentSettings, command: readonly string[] = []): Promise<number> {
  const log = createLog('agent', settings.logLevel);
  let agent: RunningAgent;
  try {
    agent = await startAgent(settings, { log, clock: systemClock, random: Math.random });
  } catch (cause) {
    log.error(`cannot start: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
  logAddresses(agent, log);
  // What nginx and others take for it. Also without a log: to Node it means to open its debugger to everybody on the machine.
  process.on('SIGUSR1', () => agent.reopenAccessLog());

  let child: Child | undefined;
  const end = { isAtOnce: false };
  const signalled = nextSignal(command.length === 0, async (code) => {
    end.isAtOnce = true;
    child?.signal('SIGKILL');
    log.warn({ code, requests: await agent.cutOff() }, 'ended at once, by a second signal; requests were cut off');
  });
  await Promise.race([agent.ready, signalled]);
  const { ready, reason, revision } = agent.readiness;
  if (ready) log.info({ revision }, reason === '' ? 'ready' : `ready: ${reason}`);
  giveBackProgramPages();
  if (ready && command.length > 0) child = startApplication(command, log);

  const signal = await Promise.race([signalled, ...(child === undefined ? [] : [child.ended.then(() => undefined)])]);
  await agent.drain();
  await agent.closeInbound();
  // What an application that ended by itself left behind is asked in its place.
  const code =
    child === undefined ? 0 : await child.end(signal ?? 'SIGTERM', { clock: systemClock, graceMs: childEndMs });
  await agent.close();
  // Whatever was waited for is over because it was cut off: the signal's own exit code is on its way.
  if (end.isAtOnce) return new Promise(() => {});
  log.info({ code }, 'ended');
  return code;
}

function logAddresses({ addresses }: RunningAgent, log: Logger): void {
  const { outbound, inbound, admin, upstreams } = addresses;
  log.info(
    {
      outbound: formatHostPort(outbound),
      inbound: inbound.map(formatPort),
      admin: formatHostPort(admin),
      upstreams: upstreams.map(formatPort),
    },
    'listening',
  );
}

/**
 * The first signal to end; the second one ends the process, and the application, without further ado: once `beforeExit`
 * resolves, which may take no more than `atOnceMs`, or when a third one comes. `alone`: there is no application that SIGHUP
 * could be meant for.
 */
function nextSignal(alone: boolean, beforeExit: (code: number) => Promise<void>): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++signals === 1) return resolve(signal);
      const code = signalExitCode(signal);
      const exit = () => process.exit(code);
      if (signals > 2) exit();
      setTimeout(exit, atOnceMs);
      void beforeExit(code).finally(exit);
    };
    for (const name of [...endSignals, ...(alone ? (['SIGHUP'] as const) : [])]) process.on(name, onSignal);
  });
}

function startApplication(command: readonly string[], log: Logger): Child {
  log.info({ command: command[0] }, 'starting the application');
  const onFault = (sentence: string) => log.error(`cannot start the application "${command[0]}": ${sentence}`);
  const child = startChild(command, { onFault });
  for (const name of passedSignals) process.on(name, () => child.signal(name));
  return child;
}
