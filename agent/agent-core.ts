/**
 * What an agent is for one application, put together: state, view, data plane, name server, health check, control plane; closed
 * in reverse. An admin port comes on top, of its own or of several.
 */
import type { Clock, Random } from '../process/clock.ts';
import type { HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';
import { sluiceVersion } from '../process/version.ts';
import type { AdminAgent } from './admin/admin-agent.ts';
import type { AgentReport } from './admin/agent-report.ts';
import { readinessOf } from './admin/readiness.ts';
import type { AgentSettings } from './agent-settings.ts';
import type { Load } from './balance/balancer.ts';
import type { DataPlane, DataPlaneOptions } from './data-plane.ts';
import type { DnsServer } from './dns/dns-server.ts';
import { declaredNames, type PortOpeners } from './listeners.ts';
import { startOneProcess } from './one-process.ts';
import { PolicyWarnings } from './policy-warnings.ts';
import { ControlPlane } from './registration/control-plane.ts';
import { type AppState, type HealthCheck, probeByTcp, startHealthCheck } from './registration/health-check.ts';
import { instanceFor, type ListeningPort } from './registration/instance.ts';
import { type AgentState, openAgentState } from './state/agent-state.ts';
import { viewCreator } from './xds/create-view.ts';
import type { AgentIdentity } from './xds/delta-session.ts';
import { Directory } from './xds/directory.ts';

/** Where it listens. */
export interface CoreAddresses {
  readonly outbound: HostPort;
  /** Of the application's ports; '' is the name of the only one. */
  readonly inbound: readonly ListeningPort[];
  /** Where packet rules have to bring what is for the application; undefined when callers come by themselves. */
  readonly redirected: HostPort | undefined;
  /** By the name that the operator gave: `reviews:9080`. */
  readonly upstreams: readonly ListeningPort[];
  /** Where names are resolved; none unless that was asked for. */
  readonly dns: readonly HostPort[];
}

/** As whoever ends it sees it. */
export interface Endable {
  /** No more requests for the application; those under way finish, 10 s at most. */
  closeInbound(): Promise<void>;
  /** Ends everything; requests under way finish first, 10 s at most. Does not drain. */
  close(): Promise<void>;
  /** The file of the access log was moved away: it is opened again by its name. */
  reopenAccessLog(): void;
  /** Cuts off all requests under way, within `cutOffMs`; how many there were. Else nothing is closed: the process ends. */
  cutOff(): Promise<number>;
}

export interface AgentCore extends AdminAgent, Endable {
  /** Resolves when `/ready` first says yes. */
  readonly ready: Promise<void>;
  /** Resolves when a control plane has first taken note of it. */
  readonly registered: Promise<void>;
  readonly addresses: CoreAddresses;
  readonly state: AgentState;
  /** Resolves when it is known whether the application takes connections, within a second; at once without one. */
  readonly appKnown: Promise<void>;
  /** From now on the control plane knows of it. */
  connect(): void;
  /** The control plane hears nothing of it any more: another one speaks for the application. */
  disconnect(): void;
  /** No more connections. Those that there are end as their clients get answers; `close` follows. */
  retire(): void;
  /** Names are not resolved any more. */
  closeNames(): Promise<void>;
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

export interface CoreOptions extends AgentContext {
  /** This process listens when not given. */
  readonly open?: PortOpeners;
  /** Of whoever has the state directory, and goes on to have it for a while; it is opened when not given. */
  readonly state?: AgentState | undefined;
  /** Called before the port for names is opened. */
  readonly beforeNames?: () => Promise<void>;
}

/** Rejects with a sentence when the state directory cannot be had or a port cannot be listened on; then nothing runs. */
export async function startCore(settings: AgentSettings, options: CoreOptions): Promise<AgentCore> {
  const { log, clock, random, open } = options;
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
  let becomeRegistered = () => {};
  const registered = new Promise<void>((resolve) => {
    becomeRegistered = resolve;
  });

  try {
    const createView = viewCreator({ agentId: settings.id, zone: settings.zone }, log);
    const state =
      options.state?.succeed(createView) ?? openAgentState({ path: settings.stateDir, createView, clock, log });
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
    const plane = await startDataPlane({ settings, directory, clock, random, log, onAppUnreachable, open });
    closing.push(() => plane.close());
    obstacleChanged = () => plane.obstacleChanged();

    await options.beforeNames?.();
    const nameServer = await startNames(settings, { directory, clock });
    closing.push(() => nameServer?.close());

    health = startAppCheck(settings, options, (appState) => controlPlane.health(appState));
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
      onRegistered: () => {
        becomeRegistered();
        checkReady();
      },
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
    const { outbound, inbound, redirected, upstreams } = plane;
    return {
      ready,
      registered,
      readiness,
      report,
      mesh,
      addresses: { outbound, inbound, redirected, upstreams, dns: nameServer?.addresses ?? [] },
      state,
      appKnown: health?.looked ?? Promise.resolve(),
      connect: () => {
        controlPlane.start();
        checkReady();
      },
      disconnect: () => controlPlane.close(),
      retire: () => plane.retire(),
      closeNames: async () => nameServer?.close(),
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
