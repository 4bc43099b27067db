/** The agent as a process: signals, the application as its child, and the exit code. */
import { type Child, signalExitCode, startChild } from '../process/child.ts';
import { systemClock } from '../process/clock.ts';
import { formatHostPort } from '../process/host-port.ts';
import { createLog, type Logger } from '../process/log.ts';
import { giveBackProgramPages } from '../process/program-pages.ts';
import type { AgentSettings } from './agent-settings.ts';
import { cutOffMs } from './data-plane.ts';
import { formatPort } from './listeners.ts';
import type { PacketRules } from './packet-rules.ts';
import { type RunningAgent, startAgent } from './start.ts';

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
  const started = await start(settings, log);
  if (started === undefined) return 1;
  const { agent, rules } = started;
  logAddresses(agent, log);
  // What nginx and others take for it. Also without a log: to Node it means to open its debugger to everybody on the machine.
  process.on('SIGUSR1', () => agent.reopenAccessLog());

  let child: Child | undefined;
  const end = { isAtOnce: false };
  const signalled = nextSignal(command.length === 0, async (code) => {
    end.isAtOnce = true;
    child?.signal('SIGKILL');
    const [requests] = await Promise.all([agent.cutOff(), rules?.remove()]);
    log.warn({ code, requests }, 'ended at once, by a second signal; requests were cut off');
  });
  await Promise.race([agent.ready, signalled]);
  const { ready, reason, revision } = agent.readiness;
  if (ready) log.info({ revision }, reason === '' ? 'ready' : `ready: ${reason}`);
  giveBackProgramPages();
  if (ready && command.length > 0) child = startApplication(command, settings, log);

  const signal = await Promise.race([signalled, ...(child === undefined ? [] : [child.ended.then(() => undefined)])]);
  await agent.drain();
  await agent.closeInbound();
  // What an application that ended by itself left behind is asked in its place.
  const code =
    child === undefined ? 0 : await child.end(signal ?? 'SIGTERM', { clock: systemClock, graceMs: childEndMs });
  // Who dials from now on reaches whom he dials.
  await rules?.remove();
  await agent.close();
  // Whatever was waited for is over because it was cut off: the signal's own exit code is on its way.
  if (end.isAtOnce) return new Promise(() => {});
  log.info({ code }, 'ended');
  return code;
}

interface Started {
  readonly agent: RunningAgent;
  /** Undefined when none was asked for, or others see to them. */
  readonly rules: PacketRules | undefined;
}

/** Undefined when it cannot, which the log has been told of. */
async function start(settings: AgentSettings, log: Logger): Promise<Started | undefined> {
  let agent: RunningAgent | undefined;
  try {
    agent = await startAgent(settings, { log, clock: systemClock, random: Math.random });
    return { agent, rules: await putRulesInPlace(settings, agent, log) };
  } catch (cause) {
    log.error(`cannot start: ${cause instanceof Error ? cause.message : String(cause)}`);
    await agent?.close();
    return undefined;
  }
}

/** Their code is loaded only when there are to be any. */
async function putRulesInPlace(
  settings: AgentSettings,
  { addresses }: RunningAgent,
  log: Logger,
): Promise<PacketRules | undefined> {
  if (settings.interception === undefined) return undefined;
  const { installPacketRules } = await import('./packet-rules.ts');
  return installPacketRules(settings, addresses, log);
}

function logAddresses({ addresses }: RunningAgent, log: Logger): void {
  const { outbound, inbound, admin, upstreams, dns } = addresses;
  log.info(
    {
      outbound: formatHostPort(outbound),
      inbound: inbound.map(formatPort),
      admin: formatHostPort(admin),
      upstreams: upstreams.map(formatPort),
      ...(dns.length > 0 && { dns: dns.map(formatHostPort) }),
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

function startApplication(command: readonly string[], { runAs }: AgentSettings, log: Logger): Child {
  log.info({ command: command[0] }, 'starting the application');
  const onFault = (sentence: string) => log.error(`cannot start the application "${command[0]}": ${sentence}`);
  const child = startChild(command, { onFault, runAs });
  for (const name of passedSignals) process.on(name, () => child.signal(name));
  return child;
}
