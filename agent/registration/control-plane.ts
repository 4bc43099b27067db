/** Keeps the agent connected to one of its servers: registers, reconnects with jitter, drains, and says how it stands. */
import { status } from '@grpc/grpc-js';
import type { Clock, Random } from '../../process/clock.ts';
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import type { Instance } from '../../proto/types.ts';
import type { StreamEnd } from '../xds/ads-stream.ts';
import type { AgentIdentity, CreateView } from '../xds/delta-session.ts';
import type { Directory } from '../xds/directory.ts';
import { type Attempt, type Ended, firstAttempt, nextAttempt } from './backoff.ts';
import { createChannel } from './channel.ts';
import { Connection } from './connection.ts';
import type { AppState } from './health-check.ts';
import { type CountsByCluster, LoadLedger } from './load-ledger.ts';
import { type Condition, healthStates } from './session-stream.ts';

export interface ControlPlaneOptions {
  /** At least one. */
  readonly servers: readonly HostPort[];
  readonly identity: AgentIdentity;
  readonly key: Uint8Array;
  /** What callers of the application dial, as seen from this server; undefined without application. */
  readonly instance: (server: HostPort) => Promise<Input<Instance> | undefined>;
  /** What the check of the application says now. */
  readonly appState: () => AppState;
  readonly acceptMesh: string | undefined;
  readonly directory: Directory;
  readonly createView: CreateView;
  /** Calls back once all requests are routed by what the directory has now. */
  readonly onceInUse: (then: () => void) => void;
  /** Requests by cluster since the start, for load reports. */
  readonly requestCounts: () => Promise<CountsByCluster>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** After the first registration was acknowledged. */
  readonly onRegistered: () => void;
}

/** How the connection stands and stood, for the operator. */
export interface ControlPlaneStatus {
  /** `HOST:PORT` of the server that the agent is registered with; undefined when not connected. */
  readonly server: string | undefined;
  readonly condition: Condition;
  readonly conditionDetail: string;
  /** Registrations that were acknowledged. */
  readonly registrations: number;
  /** Connections that ended or did not come about. */
  readonly disconnections: number;
  /** Commit marks refused. */
  readonly nacks: number;
  readonly lastNack: string;
  /** Why there is no connection; '' while there is one. */
  readonly lastEnd: string;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** - `pending`: ids of the agents that may still send requests here. */
export type Drained = { readonly pending: readonly string[] } | { readonly unanswered: string };

export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  #status: Mutable<ControlPlaneStatus> = {
    server: undefined,
    condition: '',
    conditionDetail: '',
    registrations: 0,
    disconnections: 0,
    nacks: 0,
    lastNack: '',
    lastEnd: '',
  };
  #attempt: Attempt;
  readonly #ledger: LoadLedger;
  #connection: Connection | undefined;
  #cancelRetry = () => {};
  #isClosed = false;
  /** From the first request to drain on: the instance is not registered again, though the agent goes on. */
  #isDraining = false;
  #onDrainEnd: ((drained: Drained) => void) | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#ledger = new LoadLedger(options.clock.elapsed());
    this.#attempt = firstAttempt(options.servers.length, options.random);
  }

  get status(): ControlPlaneStatus {
    return this.#status;
  }

  start(): void {
    void this.#connect();
  }

  /** The connection, if there is one, tells the server; the next one says it in its hello. */
  health(state: AppState): void {
    // The server would take it for the end of the draining.
    if (!this.#isDraining) this.#connection?.health(state);
  }

  /**
   * Asks for no new requests, and waits until all agents that could send some know, or the deadline is over. Without a
   * connection there is nobody to ask.
   */
  drain(deadlineMs: number): Promise<Drained> {
    this.#isDraining = true;
    const connection = this.#connection;
    if (connection === undefined || !connection.isRegistered) {
      return Promise.resolve({ unanswered: 'not connected to the control plane' });
    }
    return new Promise((resolve) => {
      // The server answers at the deadline with who is pending; only one that hangs needs the extra second.
      const cancel = this.#options.clock.after(deadlineMs + 1_000, () =>
        this.#onDrainEnd?.({ unanswered: 'no answer' }),
      );
      this.#onDrainEnd = (drained) => {
        this.#onDrainEnd = undefined;
        cancel();
        resolve(drained);
      };
      connection.drain(deadlineMs);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#connection?.close();
    this.#onDrainEnd?.({ unanswered: 'the agent was closed' });
  }

  async #connect(): Promise<void> {
    const { servers, log, onRegistered, appState, ...options } = this.#options;
    const server = servers[this.#attempt.server];
    if (server === undefined) throw new RangeError('there is no server to connect to');
    const name = formatHostPort(server);
    let instance: Input<Instance> | undefined;
    try {
      instance = this.#isDraining ? undefined : await options.instance(server);
    } catch (cause) {
      const details = cause instanceof Error ? cause.message : String(cause);
      this.#onEnd(name, { code: status.UNAVAILABLE, details, livedMs: 0 });
      return;
    }
    if (this.#isClosed) return;
    this.#connection = new Connection({
      ...options,
      ledger: this.#ledger,
      log,
      instance: instance && { ...instance, health: { state: healthStates[appState()] } },
      client: createChannel(server),
      onRegistered: ({ serverId, meshId }) => {
        this.#status.server = name;
        this.#status.registrations += 1;
        this.#status.lastEnd = '';
        // What was said on the last connection is over; this one says anew what there is to say.
        this.#status.condition = '';
        this.#status.conditionDetail = '';
        log.info({ server: name, serverId, meshId }, 'registered');
        onRegistered();
      },
      onRefusal: (message) => {
        this.#status.nacks += 1;
        this.#status.lastNack = message;
      },
      onCondition: (condition, detail) => this.#onCondition(condition, detail),
      onDrained: (pending) => this.#onDrainEnd?.({ pending }),
      onEnd: (end) => this.#onEnd(name, end),
    });
  }

  #onCondition(condition: Condition, detail: string): void {
    this.#status.condition = condition;
    this.#status.conditionDetail = detail;
    if (condition === '') this.#options.log.info('up to date with the control plane');
    else this.#options.log.warn({ condition }, detail);
  }

  #onEnd(server: string, { code, details, livedMs }: StreamEnd & { readonly livedMs: number }): void {
    this.#connection = undefined;
    const { clock, random, servers, log } = this.#options;
    const how = howEnded(code);
    // grpc-js ends some of its sentences with the note of a step that had none.
    const sentence = details.replace(/\s*Resolution note:\s*$/, '');
    const lastEnd = `${server}: ${status[code]}: ${sentence}`;
    // An outage of hours is one line per reason, not one per attempt.
    const level = lastEnd === this.#status.lastEnd ? 'debug' : how === 'ok' ? 'info' : 'warn';
    this.#status.server = undefined;
    this.#status.disconnections += 1;
    this.#status.lastEnd = lastEnd;
    this.#onDrainEnd?.({ unanswered: 'the connection was lost' });
    if (this.#isClosed) return;
    this.#attempt = nextAttempt(this.#attempt, { how, livedMs }, servers.length, random);
    log[level](
      { server, retryInMs: Math.round(this.#attempt.delayMs) },
      `${endings[how]}: ${status[code]}: ${sentence}`,
    );
    this.#cancelRetry = clock.after(this.#attempt.delayMs, () => void this.#connect());
  }
}

const endings: { readonly [How in Ended['how']]: string } = {
  ok: 'the server ended the connection',
  refused: 'the server refused this agent',
  lost: 'not connected',
};

function howEnded(code: status): Ended['how'] {
  if (code === status.OK) return 'ok';
  return code === status.ALREADY_EXISTS || code === status.INVALID_ARGUMENT ? 'refused' : 'lost';
}
