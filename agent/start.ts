/** The agent, put together: state, view, data plane, health check, control plane, admin; closed in reverse. */
import type { Clock, Random } from '../process/clock.ts';
import type { HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';
import { sluiceVersion } from '../process/version.ts';
import { startAdmin } from './admin/admin-server.ts';
import type { AgentReport } from './admin/agent-report.ts';
import { type Readiness, readinessOf } from './admin/readiness.ts';
import type { AgentSettings } from './agent-settings.ts';
import type { Load } from './balance/balancer.ts';
import type { DataPlane, DataPlaneOptions } from './data-plane.ts';
import type { DnsServer } from './dns/dns-server.ts';
import { declaredNames } from './listeners.ts';
import { startOneProcess } from './one-process.ts';
import { PolicyWarnings } from './policy-warnings.ts';
import { ControlPlane } from './registration/control-plane.ts';
import { type AppState, type HealthCheck, probeByTcp, startHealthCheck } from './registration/health-check.ts';
import { instanceFor, type ListeningPort } from './registration/instance.ts';
import { openAgentState } from './state/agent-state.ts';
import { viewCreator } from './xds/create-view.ts';
import type { AgentIdentity } from './xds/delta-session.ts';
import { Directory } from './xds/directory.ts';

export interface RunningAgent {
  /** Resolves when `/ready` first says yes. */
  readonly ready: Promise<void>;
  readonly readiness: Readiness;
  readonly addresses: {
    readonly outbound: HostPort;
    /** Of the application's ports; '' is the name of the only one. */
    readonly inbound: readonly ListeningPort[];
    readonly admin: HostPort;
    /** By the name that the operator gave: `reviews:9080`. */
    readonly upstreams: readonly ListeningPort[];
    /** Where names are resolved; none unless that was asked for. */
    readonly dns: readonly HostPort[];
  };
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

export interface AgentContext {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** How long callers have to learn that the instance goes. */
const drainMs = 10_000;
/** Without an application there is nothing they could know; the server only takes note. */
const clientDrainMs = 1_000;

/** Rejects with a sentence when the state directory cannot be had or a port cannot be listened on; then nothing runs. */
export async function startAgent(settings: AgentSettings, context: AgentContext): Promise<RunningAgent> {
  const { log, clock, random } = context;
  const closing: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  let isDraining = false;
  let swapsInUse = 0;
  let becomeReady = () => {};
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });

  try {
    const createView = viewCreator({ agentId: settings.id, zone: settings.zone }, log);
    const state = openAgentState({ path: settings.stateDir, createView, clock, log });
    closing.push(() => state.close());

    const policyWarnings = new PolicyWarnings(log);
    // Also told when the data plane could not be started.
    let obstacleChanged = () => {};
    const directory = new Directory({
      ...state.lastGood,
      declared: declaredNames(settings),
      clock,
      onObstacle: () => obstacleChanged(),
      onSwap: () => {
        state.keep(() => ({ held: directory.held, names: directory.names }));
        policyWarnings.look(directory.made);
        const { swaps } = directory;
        plane.swapped();
        plane.onceInUse(() => {
          swapsInUse = swaps;
          checkReady();
        });
      },
    });
    closing.push(() => directory.disconnected());
    policyWarnings.look(directory.made);

    // Requests for the application may come while the last of the listeners is still starting.
    let health: HealthCheck | undefined;
    const onAppUnreachable = () => health?.lookSoon();
    const plane = await startDataPlane({ settings, directory, clock, random, log, onAppUnreachable });
    closing.push(() => plane.close());
    obstacleChanged = () => plane.obstacleChanged();

    const nameServer = await startNames(settings, { directory, clock });
    closing.push(() => nameServer?.close());

    health = startAppCheck(settings, context, (appState) => controlPlane.health(appState));
    closing.push(() => health?.close());

    const identity = identityOf(settings);
    const controlPlane = new ControlPlane({
      servers: settings.servers,
      identity,
      key: state.key,
      instance: (server) => instanceFor(server, plane.inbound, settings),
      appState: () => health?.state ?? 'starting',
      acceptMesh: settings.acceptMesh,
      directory,
      createView,
      onceInUse: (then) => plane.onceInUse(then),
      requestCounts: () => plane.requestCounts(),
      clock,
      random,
      log,
      onRegistered: () => checkReady(),
    });
    // Requests under way may still be waiting for a name: they finish before the connection goes.
    closing.push(async () => {
      await plane.close();
      controlPlane.close();
    });

    const facts = () => ({
      identity,
      app: health?.state,
      isDraining,
      startedFromLastGood: state.lastGood.held.meshId !== '',
      held: directory.held,
      view: directory.made,
      names: directory.names,
      swaps: swapsInUse,
      controlPlane: controlPlane.status,
      lastGood: state.counts,
      dns: nameServer?.counters,
      fault: plane.fault,
    });
    const report = async (): Promise<AgentReport> => ({ ...facts(), ...(await plane.report()) });
    const readiness = () => readinessOf(facts());
    const checkReady = () => {
      if (readiness().ready) becomeReady();
    };

    let draining: Promise<void> | undefined;
    const drain = () => {
      isDraining = true;
      draining ??= drainControlPlane(controlPlane, identity.hasApp, log);
      return draining;
    };
    const mesh = () => ({
      view: directory.made,
      obstacle: directory.obstacle,
      standingOf: (name: string) => directory.standingOf(name),
      namespace: settings.namespace,
      poolOf: (load: Load, listener: string) => plane.poolOf(load, listener),
    });
    const admin = await startAdmin({ listen: settings.admin, report, readiness, mesh, drain });
    closing.push(() => admin.close());

    controlPlane.start();
    checkReady();
    const { outbound, inbound, upstreams } = plane;
    return {
      ready,
      get readiness() {
        return readiness();
      },
      addresses: { outbound, inbound, admin: admin.address, upstreams, dns: nameServer?.addresses ?? [] },
      drain,
      closeInbound: () => plane.closeInbound(),
      close,
      reopenAccessLog: () => plane.reopenAccessLog(),
      cutOff: () => plane.cutOff(),
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** Its code is loaded only when names are to be resolved. */
async function startNames(
  { dns, namespace, interception }: AgentSettings,
  parts: { readonly directory: Directory; readonly clock: Clock },
): Promise<DnsServer | undefined> {
  if (dns === undefined) return undefined;
  const { startNameServer } = await import('./name-server.ts');
  return startNameServer({ settings: dns, namespace, isIntercepting: interception !== undefined, ...parts });
}

/** The code of several processes is loaded only when there are to be several. */
async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  if (options.settings.workers === 1) return startOneProcess(options);
  const { startWorkers } = await import('./workers/start-workers.ts');
  return startWorkers(options);
}

function identityOf({ id, service, namespace, zone, appPorts }: AgentSettings): AgentIdentity {
  return { id, service, namespace, zone, version: sluiceVersion, hasApp: appPorts.length > 0 };
}

function startAppCheck({ appPorts }: AgentSettings, { clock, log }: AgentContext, tell: (state: AppState) => void) {
  if (appPorts.length === 0) return undefined;
  const onChange = (state: AppState) => {
    log.info({ app: state }, state === 'passing' ? 'the application takes connections' : 'the application takes none');
    tell(state);
  };
  return startHealthCheck({ addresses: appPorts.map(({ app }) => app), clock, probe: probeByTcp, onChange });
}

async function drainControlPlane(controlPlane: ControlPlane, hasApp: boolean, log: Logger): Promise<void> {
  log.info('draining');
  const drained = await controlPlane.drain(hasApp ? drainMs : clientDrainMs);
  if ('unanswered' in drained) log.warn(`could not wait until callers know: ${drained.unanswered}`);
  else if (drained.pending.length > 0) log.warn({ pending: drained.pending }, 'some callers do not know yet');
  else log.info('drained: no caller sends new requests');
}
