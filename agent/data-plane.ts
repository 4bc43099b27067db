/** What carries requests, as the rest of the agent sees it: this process, or several. */
import type { Clock, Random } from '../process/clock.ts';
import type { HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';
import type { WorkReport } from './admin/agent-report.ts';
import type { AgentSettings } from './agent-settings.ts';
import type { Load } from './balance/balancer.ts';
import type { PortOpeners } from './listeners.ts';
import type { PoolState } from './proxy/pools.ts';
import type { ListeningPort } from './registration/instance.ts';
import type { RequestCounts } from './telemetry/request-counts.ts';
import type { Directory } from './xds/directory.ts';

export interface DataPlaneOptions {
  readonly settings: AgentSettings;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** A request for the application could not be passed on to it. */
  readonly onAppUnreachable: () => void;
  /** This process listens when not given; workers know their own way. */
  readonly open?: PortOpeners | undefined;
}

/** Whoever ends an agent that ends already does not want to wait. */
export const cutOffMs = 100;
/** Of it, for what of the access log is not written yet. */
export const lastLinesMs = 50;

export interface DataPlane {
  readonly outbound: HostPort;
  /** Of the application's ports. */
  readonly inbound: readonly ListeningPort[];
  /** Where packet rules have to bring what is for the application; undefined when callers come by themselves. */
  readonly redirected: HostPort | undefined;
  /** Under the name that the operator gave: `reviews:9080`. */
  readonly upstreams: readonly ListeningPort[];
  /** Takes into use what the directory has now. */
  swapped(): void;
  /** Takes up what the directory says of why names cannot be asked for. */
  obstacleChanged(): void;
  /** Calls back once, when all requests are routed by what was swapped in last; at once when they are already. */
  onceInUse(then: () => void): void;
  /** '' when requests are carried, else a sentence that says why not. */
  readonly fault: string;
  /** The file of the access log was moved away: it is opened again by its name. */
  reopenAccessLog(): void;
  /** The connections to an instance, as far as this process has any: of the listener of that name, if there is one. */
  poolOf(load: Load, listener: string): PoolState;
  /** Within a second. */
  report(): Promise<WorkReport>;
  /** By cluster, since the start; within a second, and at less cost than a report. */
  requestCounts(): Promise<ReadonlyMap<string, RequestCounts>>;
  /** No more connections. Those that there are end as their clients get answers; `close` follows. */
  retire(): void;
  /** No more requests for the application; those under way finish, within the drain timeout. */
  closeInbound(): Promise<void>;
  /** Ends everything; requests under way finish first, within the drain timeout. */
  close(): Promise<void>;
  /**
   * Ends everything at once, also when it is closing already: requests under way are cut off, and have their lines in the
   * access log, as far as that takes no longer than `cutOffMs`. How many there were; those of a worker that did not answer
   * are not known.
   */
  cutOff(): Promise<number>;
}
