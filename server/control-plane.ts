/**
 * Wires the parts of the control plane along the arrow: store -> rules and registry -> compile -> snapshot cache -> xDS
 * streams; what agents report comes back into the directory, which only readers use.
 */

import { MeshError } from '../model/errors.ts';
import type { RevisionRecord } from '../model/revision.ts';
import type { Logger } from '../process/log.ts';
import { typeUrls } from '../proto/type-urls.ts';
import { AgentService } from './agents/agent-service.ts';
import {
  type Audience,
  aliasProblems,
  problemsInForce,
  problemsOfDocuments,
  type ServiceProblem,
} from './client-problems.ts';
import { hopProblems } from './compile/hops.ts';
import { LoadReportService } from './load-reports/load-report-service.ts';
import { LoadTable } from './load-reports/load-table.ts';
import { absentAgentsConcernedBy, countHolders, createMeshState, hasInstance, knownServices } from './mesh-state.ts';
import { ClientStatusService } from './operator-services/client-status.ts';
import type { InstanceRecord } from './registry/instance.ts';
import { recallFormer } from './recall.ts';
import { Registry } from './registry/registry.ts';
import { Rush } from './registry/rush.ts';
import { isVirtualIpLease, VirtualIps } from './registry/virtual-ips.ts';
import { RuleBook } from './rules/rule-book.ts';
import { RebuildLoop } from './snapshot/rebuild-loop.ts';
import { SnapshotCache, type SnapshotChange } from './snapshot/snapshot-cache.ts';
import { AgentDirectory, type AgentLease } from './status/agent-directory.ts';
import type { AgentRecord, Nack } from './status/agent-record.ts';
import { type Rollout, Rollouts } from './status/rollouts.ts';
import { RecordedStream } from './status/stream-report.ts';
import { UseBarrier } from './status/use-barrier.ts';
import type { Lease, Store, StoreState } from './store/store.ts';
import { AdsService } from './xds/ads-service.ts';
import type { AdsStream } from './xds/ads-stream.ts';
import type { Oddity } from './xds/session.ts';

/** How often deadlines of leases are looked at. */
const sweepMs = 500;

/** Told of what happened; never steers. */
export interface Observer {
  onRevision(record: RevisionRecord): void;
  /** Told at most once per turn of the event loop, newest state only. */
  onRollout(describe: () => Rollout): void;
  onInstance(record: InstanceRecord, isGone: boolean): void;
  onAgent(agent: AgentRecord, isGone: boolean): void;
  onRefusal(agent: AgentRecord, nack: Nack): void;
  /** A client of xDS did something that no good client does. */
  onOddity(what: Oddity): void;
}

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly serverId: string;
  readonly domain: string;
  /** Of virtual IPs; 240.240.0.0/16 when not given. */
  readonly vipRange?: string;
  readonly log: Logger;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly observer: Observer;
  /** How often clients report what they send where, in milliseconds. 10 s when not given. */
  readonly loadReportIntervalMs?: number;
  /** How long clusters that a revision takes away are served for clients that have not applied it, in milliseconds. 30 s when not given. */
  readonly removalDeadlineMs?: number;
}

/** From the last acknowledgement of clients that are not ours until what the revision takes away goes. */
const acceptedSettleMs = 500;

const defaultRemovalDeadlineMs = 30_000;
const defaultVipRange = '240.240.0.0/16';

export class ControlPlane {
  readonly store: Store;
  readonly rules: RuleBook;
  readonly registry: Registry;
  readonly virtualIps: VirtualIps;
  readonly directory: AgentDirectory;
  readonly rollouts: Rollouts;
  readonly cache: SnapshotCache;
  readonly ads: AdsService<RecordedStream>;
  readonly agents: AgentService;
  readonly loads: LoadTable;
  readonly loadReports: LoadReportService;
  readonly clientStatus: ClientStatusService;
  readonly #options: ControlPlaneOptions;
  readonly #rebuild: RebuildLoop;
  readonly #rush: Rush;
  readonly #barrier = new UseBarrier();
  readonly #audience: Audience = {
    kinds: () => this.ads.kinds,
    holds: (kind, service) => this.ads.index.concernsSome(service, ({ identity }) => identity.kind === kind),
  };
  /** The revision that is being compiled: what changes now is its doing. */
  #publishing: number | undefined;
  #watch: { close(): void } | undefined;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: ControlPlaneOptions) {
    const { store, log, clock, wallClock, observer, serverId, domain, loadReportIntervalMs = 10_000 } = options;
    this.#options = options;
    this.store = store;
    this.#rush = new Rush(clock);
    this.rollouts = new Rollouts((describe) => observer.onRollout(describe));
    this.directory = new AgentDirectory({
      store,
      log,
      clock,
      rush: this.#rush,
      rollouts: this.rollouts,
      onUsed: (agent) => this.#barrier.onAgent(agent),
      onAgent: (agent, isGone) => {
        this.#rebuild.onRelease();
        observer.onAgent(agent, isGone);
      },
    });
    this.registry = new Registry({
      store,
      log,
      clock,
      rush: this.#rush,
      aliasOwner: (service) => this.rules.index.aliasOwner(service),
      onChange: (record, isGone) => {
        this.#rebuild.onInstance(`${record.service}.${record.namespace}`);
        observer.onInstance(record, isGone);
      },
    });
    this.virtualIps = new VirtualIps({ store, log, wallClock, range: options.vipRange ?? defaultVipRange });
    this.rules = new RuleBook({
      store,
      wallClock,
      surroundings: {
        domain,
        hasInstance: (service, labels) => hasInstance(service, labels, this),
        subscribers: (service) => this.holders(service),
        clientProblems: (service, documents) => [
          ...hopProblems(documents, this.#instancesOf(service)),
          ...problemsOfDocuments(service, documents, {
            audience: this.#audience,
            rules: this.rules.index,
            cache: this.cache,
            domain,
          }),
        ],
      },
      onRevision: (record, services) => this.#publish(record, services),
    });
    this.cache = new SnapshotCache(store.meshId, (change) => this.#onChange(change));
    const reports = {
      directory: this.directory,
      meshId: store.meshId,
      revision: () => this.rules.revision,
      wallClock,
      onRefusal: (agent: AgentRecord, nack: Nack) => observer.onRefusal(agent, nack),
    };
    this.ads = new AdsService<RecordedStream>({
      cache: this.cache,
      domain,
      serverId,
      log,
      clock,
      openReport: (identity) => RecordedStream.open(identity, reports),
      onUnused: () => this.#rebuild.onRelease(),
      onOddity: (what) => observer.onOddity(what),
    });
    this.loads = new LoadTable({
      clock,
      intervalMs: loadReportIntervalMs,
      isCluster: (name) => this.cache.resource(typeUrls.cluster, name) !== undefined,
    });
    this.loadReports = new LoadReportService({ table: this.loads, intervalMs: loadReportIntervalMs, clock, log });
    this.clientStatus = new ClientStatusService({ streams: () => this.ads.streams, log });
    this.agents = new AgentService({
      meshId: store.meshId,
      serverId,
      log,
      registry: this.registry,
      directory: this.directory,
      revision: () => this.rules.revision,
      waitUntilUsed: (service, timeoutMs, except) => {
        this.#rebuild.settle();
        const users = this.#streamsHolding(service).filter((agent) => agent !== except);
        return this.#barrier.wait(this.cache.sequenceOf(service), users, timeoutMs);
      },
    });
    const state = createMeshState({ ...this.#parts, domain });
    this.#rebuild = new RebuildLoop(state, this.cache, domain);
  }

  /** Loads what the store has, compiles it, and begins to serve. Nobody is served before that. */
  async start(): Promise<void> {
    const state = await this.store.load();
    this.rules.restore(state.revision, state.resources);
    this.registry.restore(state.leases.filter(isInstanceLease));
    this.directory.restore(state.leases.filter(isAgentLease), state.revision);
    this.virtualIps.restore(state.leases.filter(isVirtualIpLease));
    await this.#recallFormer(state);
    this.#rebuild.start(knownServices(this.#parts), state.revision);
    this.#watch = this.store.watch(state.cursor, (change) => {
      if (change.is === 'revision') this.rules.onStored(change.record);
      // The embedded store's watcher is in the same process and never behind. A shared store will load again here.
      if (change.is === 'gap') throw new MeshError('STORE_FAILED', ['its changes came too fast to follow']);
    });
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs);
    this.ads.start();
    this.agents.start();
  }

  /** Without it the server serves as well; clients that were away may fail a few requests on their way back. */
  async #recallFormer({ resources, revision }: StoreState): Promise<void> {
    const { domain, log } = this.#options;
    try {
      await recallFormer({ store: this.store, documents: resources, revision, domain, former: this.cache.former });
    } catch (error) {
      log.warn({ err: error }, 'what the last revisions took away could not be recalled from the history');
    }
  }

  /** Streams end with OK; agents keep what they have. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#watch?.close();
    this.rollouts.close();
    this.ads.close();
    this.agents.close();
    this.loadReports.close();
  }

  /** How many agents and clients hold the configuration of the service. */
  holders(service: string): number {
    return countHolders(service, this.#parts);
  }

  /** What connected clients cannot do of the rules in force. */
  clientProblems(): ServiceProblem[] {
    const ofHops = [...this.cache.services()].flatMap(({ key, input: { document, routes }, instances }) =>
      document === undefined
        ? []
        : hopProblems([document, ...routes], instances).map((problem) => ({ ...problem, service: key })),
    );
    const ofAliases = [...this.cache.services()].flatMap(({ key, input: { document } }) =>
      aliasProblems(document, (service) => hasInstance(service, {}, this)).map((problem) => ({
        ...problem,
        service: key,
      })),
    );
    return [...ofHops, ...ofAliases, ...problemsInForce(this.cache, this.#audience)];
  }

  #instancesOf(service: string): InstanceRecord[] {
    return this.registry.instances(service).map(({ record }) => record);
  }

  /** The stream of an agent, while it is connected. */
  streamOf(agent: AgentRecord): AdsStream<RecordedStream> | undefined {
    for (const stream of this.ads.streams) if (stream.report.record === agent) return stream;
    return undefined;
  }

  get #parts() {
    return {
      rules: this.rules,
      registry: this.registry,
      virtualIps: this.virtualIps,
      directory: this.directory,
      cache: this.cache,
      domain: this.#options.domain,
      streamsHolding: (service: string) => this.ads.index.holdersOf(service).size,
      streamsAskingFor: (service: string) => this.ads.index.askersOf(service),
    };
  }

  #streamsHolding(service: string): AgentRecord[] {
    return [...this.ads.index.holdersOf(service)].map(({ report }) => report.record);
  }

  #publish(record: RevisionRecord, services: readonly string[]): void {
    this.#publishing = record.revision;
    try {
      this.#rebuild.onRevision(services, record.revision);
    } finally {
      this.#publishing = undefined;
    }
    this.#removeWhenApplied(record.revision);
    this.#options.observer.onRevision(record);
  }

  /** Who is concerned is settled before anybody can have answered. */
  #onChange(change: SnapshotChange): void {
    const concerned = this.ads.note(change);
    if (this.#publishing !== undefined) this.#settleRollout(change, concerned);
    this.ads.push(concerned);
    for (const { key, after } of change.services) if (after === undefined) this.virtualIps.release(key);
  }

  #settleRollout(change: SnapshotChange, concerned: ReadonlySet<AdsStream<RecordedStream>>): void {
    const touched: AgentRecord[] = [];
    for (const stream of concerned) if (stream.isTouchedBy(change)) touched.push(stream.report.record);
    const agents = [...touched, ...absentAgentsConcernedBy(change, this)];
    this.rollouts.publish(change, agents, this.#rebuild.retiredBy(change.revision));
  }

  /** What a revision takes away stays until nobody needs it any more, but not for ever. */
  #removeWhenApplied(revision: number): void {
    if (this.#rebuild.retiredBy(revision) === 0) return;
    const { log, removalDeadlineMs = defaultRemovalDeadlineMs } = this.#options;
    // What an agent acknowledges it uses; others may use a moment later what they have taken.
    const settleMs = [...this.#audience.kinds()].some((kind) => kind !== 'agent') ? acceptedSettleMs : 0;
    this.rollouts.whenApplied(revision, { timeoutMs: removalDeadlineMs, settleMs }, (laggards) => {
      if (laggards.length > 0) {
        const seconds = removalDeadlineMs / 1_000;
        log.warn(
          { revision, laggards },
          `what the revision takes away is gone: ${seconds} s are over, and these have not applied it`,
        );
      }
      this.#rebuild.remove(revision);
      this.rollouts.onRemoved(revision);
    });
  }

  #sweep(): void {
    if (this.#rush.hasJustEnded()) {
      this.registry.restartGraces();
      this.directory.restartGraces();
    }
    this.registry.sweep();
    this.directory.sweep();
    this.virtualIps.sweep();
  }
}

function isInstanceLease(lease: Lease): lease is Lease<InstanceRecord> {
  return lease.key.startsWith('instance/');
}

function isAgentLease(lease: Lease): lease is Lease<AgentLease> {
  return lease.key.startsWith('agent/');
}
