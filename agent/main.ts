/** The agent as a process: signals, the application as its child, the file that entries are read from, and the exit code. */
import { formatProblem, type Problem } from '../model/problem.ts';
import { type Child, signalExitCode, startChild } from '../process/child.ts';
import { systemClock } from '../process/clock.ts';
import { watchFile } from '../process/file-watch.ts';
import { formatHostPort } from '../process/host-port.ts';
import { type Logger, openLog } from '../process/log.ts';
import { giveBackProgramPages } from '../process/program-pages.ts';
import type { AgentSettings, SharedSettings } from './agent-settings.ts';
import { cutOffMs } from './data-plane.ts';
import { addressesInWords } from './listeners.ts';
import type { PacketRules } from './packet-rules.ts';
import { type Running, type RunningAgent, startAgent } from './start.ts';

const endSignals = ['SIGTERM', 'SIGINT'] as const;
/** Signals that are the application's business alone. */
const passedSignals = ['SIGHUP', 'SIGUSR2'] as const;
/** An application that does not end when asked is made to. */
const childEndMs = 10_000;
/** From the first packet of a connection that is redirected to the one that lets it be accepted: a way to its caller and back. */
const arrivalMs = 200;
/** Longer than cutting off takes. */
const atOnceMs = 2 * cutOffMs;

const context = (log: Logger) => ({ log, clock: systemClock, random: Math.random });

/**
 * Runs an agent until a signal comes or its application ends, and resolves with the exit code: that of the application,
 * else 0; 1 when the agent could not start. `command` is started once the first revision is applied. A second signal
 * ends the process at once, with 128+n.
 */
export async function runAgent(settings: AgentSettings, command: readonly string[] = []): Promise<number> {
  const log = await openLog('agent', settings.logLevel);
  let agent: RunningAgent;
  let rules: PacketRules | undefined;
  try {
    agent = await startAgent(settings, context(log), async (addresses) => {
      rules = await putRulesInPlace(settings, addresses, log);
    });
  } catch (cause) {
    return cannotStart(cause, log);
  }
  const { admin, ...others } = agent.addresses;
  log.info({ ...addressesInWords(others), admin: formatHostPort(admin) }, 'listening');
  const hasCommand = command.length > 0;
  return untilEnd(agent, {
    log,
    rules: () => rules,
    signals: hasCommand ? endSignals : [...endSignals, 'SIGHUP'],
    ...(hasCommand && { startApplication: () => startApplication(command, settings, log) }),
  });
}

/** Where the settings of a shared agent come from. */
export interface SettingsSource {
  readonly file: string;
  readonly read: () => Promise<{ readonly settings: SharedSettings } | { readonly problems: readonly Problem[] }>;
}

/** The same for several applications. Their settings are read again by SIGHUP, and when the file changes. */
export async function runSharedAgent(settings: SharedSettings, { file, read }: SettingsSource): Promise<number> {
  const log = await openLog('agent', settings.logLevel);
  const { SharedAgent } = await import('./shared/shared-agent.ts');
  const starting = SharedAgent.start(settings, context(log));
  const readAgain = async () => {
    const running = await starting;
    const loaded = await read();
    if ('settings' in loaded) return running.reload(loaded.settings);
    const problems = loaded.problems.map(formatProblem);
    log.error({ problems }, 'the settings cannot be used: the entries go on as they are');
  };
  const reload = () =>
    void readAgain().catch((cause: unknown) => log.error({ err: cause }, 'the settings cannot be read'));
  // From the start on: to who starts a service it may be running, and reloaded, at once.
  process.on('SIGHUP', reload);
  const watch = watchFile(file, { clock: systemClock, onChange: reload });
  const agent = await starting.catch((cause: unknown) => cannotStart(cause, log));
  if (typeof agent === 'number') return agent;
  const code = await untilEnd(agent, { log, rules: () => agent.rules, signals: endSignals });
  watch.close();
  return code;
}

interface Life {
  readonly log: Logger;
  /** Its packet rules, if it has any by then. */
  readonly rules: () => PacketRules | undefined;
  /** By which it is ended. */
  readonly signals: readonly NodeJS.Signals[];
  /** Called once the agent is ready. */
  readonly startApplication?: () => Child;
}

async function untilEnd(agent: Running, { log, rules, signals, startApplication }: Life): Promise<number> {
  // What nginx and others take for it. Also without a log: to Node it means to open its debugger to everybody on the machine.
  process.on('SIGUSR1', () => agent.reopenAccessLog());

  let child: Child | undefined;
  const end = { isAtOnce: false };
  const signalled = nextSignal(signals, async (code) => {
    end.isAtOnce = true;
    child?.signal('SIGKILL');
    const [requests] = await Promise.all([agent.cutOff(), rules()?.remove()]);
    log.warn({ code, requests }, 'ended at once, by a second signal; requests were cut off');
  });
  await Promise.race([agent.ready, signalled]);
  const { ready, reason, revision } = agent.readiness;
  if (ready) log.info({ revision }, reason === '' ? 'ready' : `ready: ${reason}`);
  giveBackProgramPages();
  if (ready) child = startApplication?.();

  const signal = await Promise.race([signalled, ...(child === undefined ? [] : [child.ended.then(() => undefined)])]);
  await agent.drain();
  // No port closes before the rules have gone that lead to it.
  await withArrivals(rules()?.leaveCallers());
  await agent.closeInbound();
  // What an application that ended by itself left behind is asked in its place.
  const code =
    child === undefined ? 0 : await child.end(signal ?? 'SIGTERM', { clock: systemClock, graceMs: childEndMs });
  // Until now the application may have had something to finish, for which it calls others.
  await withArrivals(rules()?.leaveAll());
  // Others go on without an agent from here on, and their requests are not to be lost.
  if (rules() !== undefined) await agent.letGo();
  await agent.close();
  // Not before there are no connections that need them.
  await rules()?.remove();
  // Whatever was waited for is over because it was cut off: the signal's own exit code is on its way.
  if (end.isAtOnce) return new Promise(() => {});
  log.info({ code }, 'ended');
  return code;
}

/** When rules have changed, what they had brought before has had the time to arrive. */
async function withArrivals(change: Promise<void> | undefined): Promise<void> {
  if (change === undefined) return;
  await change;
  await new Promise<void>((resolve) => {
    systemClock.after(arrivalMs, resolve);
  });
}

function cannotStart(cause: unknown, log: Logger): number {
  log.error(`cannot start: ${cause instanceof Error ? cause.message : String(cause)}`);
  return 1;
}

/** Their code is loaded only when there are to be any. */
async function putRulesInPlace(
  settings: AgentSettings,
  addresses: RunningAgent['addresses'],
  log: Logger,
): Promise<PacketRules | undefined> {
  if (settings.interception === undefined) return undefined;
  const { installPacketRules } = await import('./packet-rules.ts');
  return installPacketRules(settings, addresses, log);
}

/**
 * The first signal to end; the second one ends the process, and the application, without further ado: once `beforeExit`
 * resolves, which may take no more than `atOnceMs`, or when a third one comes.
 */
function nextSignal(
  signals: readonly NodeJS.Signals[],
  beforeExit: (code: number) => Promise<void>,
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++count === 1) return resolve(signal);
      const code = signalExitCode(signal);
      const exit = () => process.exit(code);
      if (count > 2) exit();
      setTimeout(exit, atOnceMs);
      void beforeExit(code).finally(exit);
    };
    for (const name of signals) process.on(name, onSignal);
  });
}

function startApplication(command: readonly string[], { runAs }: AgentSettings, log: Logger): Child {
  log.info({ command: command[0] }, 'starting the application');
  const onFault = (sentence: string) => log.error(`cannot start the application "${command[0]}": ${sentence}`);
  const child = startChild(command, { onFault, runAs });
  for (const name of passedSignals) process.on(name, () => child.signal(name));
  return child;
}
