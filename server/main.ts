/** The server, put together: store, control plane, gRPC, REST. The only server file that handles signals or exits. */
import { randomUUID } from 'node:crypto';
import { type RunningApi, startApi } from '../dashboard-api/start-api.ts';
import { durationMs } from '../model/duration.ts';
import { isLoopback } from '../process/host-port.ts';
import { type Logger, openLog } from '../process/log.ts';
import { sluiceVersion } from '../process/version.ts';
import type { ServerSettings } from './config.ts';
import { ControlPlane } from './control-plane.ts';
import { type RunningGrpcServer, startGrpcServer } from './grpc-server.ts';
import { agentInfo, createAgentsPort } from './ports/agents-port.ts';
import { MeshEvents } from './ports/event-hub.ts';
import { createLoadPort } from './ports/load-port.ts';
import { clientProblemInfo } from './ports/problems-port.ts';
import { createRegistryPort, instanceInfo } from './ports/registry-port.ts';
import { startFailure } from './start-failure.ts';
import { openEmbeddedStore } from './store/embedded-store.ts';
import type { Store } from './store/store.ts';
import { createMetrics } from './telemetry/metrics.ts';

export interface RunningServer {
  /** HOST:PORT as bound. */
  readonly http: string;
  readonly grpc: string;
  /** Ends streams with OK and leaves the state on disk. */
  close(): Promise<void>;
}

/** Starts everything; throws MeshError STORE_FAILED, or an Error with a sentence, when it cannot. */
export async function startServer(settings: ServerSettings, log: Logger): Promise<RunningServer> {
  warnOfOpenDoors(settings, log);
  const store = await openEmbeddedStore(settings.dataDir);
  try {
    await continueFrom(store, settings.continueFrom);
    return await serve(settings, store, log);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function serve(settings: ServerSettings, store: Store, log: Logger): Promise<RunningServer> {
  const events = new MeshEvents();
  const clock = () => performance.now();
  const toIso = (risingMs: number) => new Date(Date.now() - (clock() - risingMs)).toISOString();
  const plane = new ControlPlane({
    store,
    serverId: randomUUID(),
    domain: settings.domain,
    vipRange: settings.vipRange,
    log,
    clock,
    wallClock: Date.now,
    loadReportIntervalMs: durationMs(settings.loadReportInterval),
    observer: {
      onRevision: (record) => {
        log.info({ revision: record.revision, by: record.by, changes: record.changes.length }, 'revision');
        events.emit(() => ({ is: 'revision', record }));
      },
      onRollout: (describe) => events.emit(() => ({ is: 'rollout', rollout: describe() })),
      onInstance: (record, gone) =>
        events.emit(() => ({ is: 'instance', instance: instanceInfo(record, toIso(clock())), gone })),
      onAgent: (agent, gone) => events.emit(() => ({ is: 'agent', agent: agentInfo(agent, toIso), gone })),
      onOddity: (what) => metrics.countOddity(what),
      onRefusal: (agent, nack) => {
        metrics.countRefusal(agent.kind, nack.resources);
        log.warn({ agent: agent.key, ...nack }, 'an agent refuses a revision and goes on with what it has');
      },
    },
  });
  const metrics = createMetrics(plane);
  let isDraining = false;
  let grpc: RunningGrpcServer | undefined;
  let api: RunningApi | undefined;
  const close = async () => {
    isDraining = true;
    plane.close();
    await grpc?.close();
    // The last to go: until the streams have ended, /readyz says why nobody should come.
    await api?.close();
    await store.close();
  };
  const parts = {
    rules: plane.rules,
    registry: createRegistryPort(plane, toIso),
    agents: createAgentsPort(plane, toIso),
    loads: createLoadPort(plane.loads),
    problems: { problems: () => plane.clientProblems().map(clientProblemInfo) },
    events,
    health: {
      readiness: () => ({ ready: !isDraining, body: readiness(plane, isDraining) }),
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    },
    defaultNamespace: 'default',
  };
  try {
    await plane.start();
    grpc = await startGrpcServer(plane, {
      listen: settings.grpc,
      log,
      onEnded: ({ method, code, details }) => {
        metrics.countEnd(code);
        if (code !== 'OK') log.warn({ method, code, details: details.slice(0, 1_000) }, 'a stream was refused');
      },
      onBroken: () => metrics.countBroken(),
    });
    api = await startApi(parts, {
      listen: settings.http,
      log,
      version: sluiceVersion,
      onAnswered: ({ method, status }) => metrics.countAnswer(method, status),
    });
  } catch (error) {
    await close();
    throw error;
  }
  log.info({ http: api.address, grpc: grpc.address, meshId: store.meshId, revision: plane.rules.revision }, 'serving');
  return { http: api.address, grpc: grpc.address, close };
}

/** Runs until SIGTERM or SIGINT; a second one ends it at once. Answers the exit code. */
export async function runServer(settings: ServerSettings): Promise<number> {
  const log = await openLog('sluice-server', settings.logLevel);
  try {
    const server = await startServer(settings, log);
    await untilSignal();
    log.info('shutting down: streams end, state is on disk');
    process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1));
    await server.close();
    return 0;
  } catch (error) {
    const sentence = startFailure(error);
    if (sentence === undefined) log.fatal({ err: error }, String(error));
    else log.fatal(sentence);
    return 1;
  }
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve());
  });
}

/** A restored backup goes on above the revision that agents have seen, else they would wait for it for ever. */
async function continueFrom(store: Store, revision: number): Promise<void> {
  const { revision: present } = await store.load();
  if (revision <= present) return;
  const at = new Date().toISOString();
  const message = `continued from revision ${revision}: the store had been restored at ${present}`;
  await store.append({ revision, at, by: '--continue-from', message, changes: [] }, present);
}

function readiness(plane: ControlPlane, isDraining: boolean): Readonly<Record<string, unknown>> {
  return {
    ready: !isDraining,
    revision: plane.rules.revision,
    meshId: plane.cache.meshId,
    agents: plane.directory.size,
    instances: plane.registry.size,
    selfPreservation: plane.registry.isPreserving,
    readOnly: plane.store.trouble ?? false,
  };
}

/** Until there is authentication, who reaches the address may change the rules. */
function warnOfOpenDoors({ http, grpc }: ServerSettings, log: Logger): void {
  for (const [name, { host }] of Object.entries({ http, grpc })) {
    if (isLoopback(host)) continue;
    log.warn(
      { [name]: host },
      `--${name} is not on loopback and has no authentication yet: keep it in a closed network`,
    );
  }
}
