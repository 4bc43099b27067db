/**
 * A worker: the listeners of the agent in a process that does nothing else. It opens no port and asks no server; what it
 * routes by, and the connections that it serves, come from the main process.
 */
import type { Clock, Random } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { type OpenAccessLog, openAccessLog } from '../access-log.ts';
import { dumpClusters, noPool } from '../admin/cluster-dump.ts';
import { lastLinesMs } from '../data-plane.ts';
import { EjectionSweeps } from '../health-checks/ejection-sweeps.ts';
import { takeVerdict } from '../health-checks/verdicts.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type Listeners, startListeners } from '../listeners.ts';
import { createEmptyMeshView } from '../view/mesh-view.ts';
import { viewCreator } from '../xds/create-view.ts';
import { nothingHeld } from '../xds/resources.ts';
import { ConnectionInbox } from './inbox.ts';
import type { MeshDelta } from './mesh-delta.ts';
import type { FromWorker, Start, ToWorker } from './messages.ts';
import { WorkerDirectory } from './worker-directory.ts';

export interface WorkerContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly tell: (message: FromWorker) => void;
}

const noLines = { written: 0, dropped: 0 };
/** Far less than the time after which a name that nobody looks up is let go of. */
const usedMs = 60_000;
/** Shorter than clients take to come again. */
const connectionsMs = 100;
/** Thousands of failures in a second are one piece of news. */
const unreachableMs = 50;

export class Worker {
  readonly #start: Start;
  readonly #context: WorkerContext;
  readonly #directory: WorkerDirectory;
  readonly #sweeps: EjectionSweeps;
  readonly #accessLog: OpenAccessLog | undefined;
  readonly #inbox = new ConnectionInbox();
  #listening: Promise<Listeners> | undefined;
  #listeners: Listeners | undefined;
  #stopTelling = () => {};
  /** How many connections it last said that it has. */
  #told = 0;
  #isWatching = false;

  constructor(start: Start, context: WorkerContext) {
    const { clock, log, tell } = context;
    const { worker, workers, zone, settings } = start;
    this.#start = start;
    this.#context = context;
    this.#directory = new WorkerDirectory({
      held: nothingHeld,
      view: createEmptyMeshView(),
      // Each begins its splits at another place: else the first requests of all went to the same backend.
      createView: viewCreator({ agentId: `${settings.id}#${worker}`, zone, workers }, log),
      clock,
      ask: (name) => tell({ is: 'resolve', name }),
    });
    this.#sweeps = new EjectionSweeps(clock);
    this.#accessLog = openIfPossible(start.accessLog, context);
  }

  /** Resolves when it can be handed connections. Changes may come before. */
  async listen(): Promise<void> {
    const { mesh, verdicts, obstacle, settings } = this.#start;
    const { clock, random, log, tell } = this.#context;
    this.#use(mesh);
    this.#takeVerdicts(verdicts);
    this.#directory.obstacle = obstacle;
    const onAppUnreachable = atMostEvery(unreachableMs, clock, () => tell({ is: 'app-unreachable' }));
    const directory = this.#directory;
    this.#listening = startListeners({
      settings,
      open: { plain: this.#inbox.open, redirected: this.#inbox.open },
      directory,
      clock,
      random,
      log,
      accessLog: this.#accessLog?.log,
      onAppUnreachable,
    });
    this.#listeners = await this.#listening;
    this.#tellUsedLater();
    tell({ is: 'serving' });
  }

  /** `handle`: of a socket, when one came along. */
  on(
    message: Exclude<ToWorker, { readonly is: 'start' | 'close' | 'cut-off' }>,
    handle: SocketHandle | undefined,
  ): void {
    const { tell } = this.#context;
    switch (message.is) {
      case 'use':
        this.#use(message.mesh);
        return tell({ is: 'using', change: message.change });
      case 'connection':
        // Said first: should this process die of what it reads, nobody else begins to read in the middle.
        this.#told = this.#connections + 1;
        tell({ is: 'accepted', connections: this.#told });
        this.#tellConnectionsLater();
        // The client may have gone while it was on its way.
        if (handle !== undefined) this.#inbox.take(message.port, handle);
        return;
      case 'resolved':
        return this.#directory.resolved(message.name, message.resolution);
      case 'obstacle':
        this.#directory.obstacle = message.sentence;
        return;
      case 'verdicts':
        return this.#takeVerdicts(message.verdicts);
      case 'report':
        return tell({
          is: 'report',
          traffic: this.#listeners?.traffic() ?? {},
          clusters: dumpClusters(this.#directory.made, (load) => this.#listeners?.poolOf(load) ?? noPool),
          accessLog: this.#accessLog?.log.counts ?? noLines,
          connections: this.#connections,
          memory: process.memoryUsage(),
        });
      case 'reopen-access-log':
        return this.#accessLog?.reopen();
      case 'close-inbound':
        void this.#closeInbound();
    }
  }

  /** The main process has ended. */
  abandoned(): void {
    this.#directory.abandoned();
  }

  /** Requests under way finish, within the drain timeout. */
  async close(): Promise<void> {
    await (await this.#listening)?.close();
    this.#sweeps.close();
    this.#stopTelling();
    await this.#accessLog?.close();
  }

  /** Requests under way are cut off. */
  async cutOff(): Promise<void> {
    this.#context.tell({ is: 'cut-off', requests: this.#listeners?.cutOff() ?? 0 });
    await this.#accessLog?.close(lastLinesMs);
  }

  get #connections(): number {
    return this.#listeners?.connections ?? 0;
  }

  #use(delta: MeshDelta): void {
    this.#directory.use(delta);
    this.#sweeps.update(this.#directory.made.clusters.values());
  }

  async #closeInbound(): Promise<void> {
    await (await this.#listening)?.closeInbound();
    this.#context.tell({ is: 'inbound-closed' });
  }

  #takeVerdicts(verdicts: Start['verdicts']): void {
    for (const verdict of verdicts) takeVerdict(this.#directory.made.clusters, verdict);
  }

  /** The next connection goes to the worker with the fewest, so it is told when some have ended. */
  #tellConnectionsLater(): void {
    if (this.#isWatching || this.#told === 0) return;
    this.#isWatching = true;
    this.#context.clock.after(connectionsMs, () => {
      this.#isWatching = false;
      const connections = this.#connections;
      if (connections !== this.#told) this.#context.tell({ is: 'connections', connections });
      this.#told = connections;
      this.#tellConnectionsLater();
    });
  }

  #tellUsedLater(): void {
    this.#stopTelling = this.#context.clock.after(usedMs, () => {
      const names = this.#directory.takeUsed();
      if (names.length > 0) this.#context.tell({ is: 'used', names });
      this.#tellUsedLater();
    });
  }
}

/** The main process could open it when the agent started. Requests are carried without a log rather than not at all. */
function openIfPossible(settings: Start['accessLog'], context: WorkerContext): OpenAccessLog | undefined {
  try {
    return openAccessLog(settings, { ...context, isShared: true });
  } catch (cause) {
    context.log.error({ err: cause }, 'requests have no line in the access log');
    return undefined;
  }
}

/** The first time at once. */
function atMostEvery(pauseMs: number, clock: Clock, run: () => void): () => void {
  let isPausing = false;
  return () => {
    if (isPausing) return;
    isPausing = true;
    clock.after(pauseMs, () => {
      isPausing = false;
    });
    run();
  };
}
