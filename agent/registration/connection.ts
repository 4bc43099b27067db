/**
 * One connection to the control plane, from hello to its end: first the registration, after the welcome the resources.
 * The two streams live and end together; a third, for load reports, matters to neither.
 */
import { type Client, status } from '@grpc/grpc-js';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { type Input, toNumber } from '../../proto/load.ts';
import type { Hello, Instance, Welcome } from '../../proto/types.ts';
import { type AdsStream, type Decision, type StreamEnd, startAdsStream } from '../xds/ads-stream.ts';
import { type AgentIdentity, type CreateView, DeltaSession } from '../xds/delta-session.ts';
import type { Directory } from '../xds/directory.ts';
import { holdsRoutes } from '../xds/resources.ts';
import type { AppState } from './health-check.ts';
import type { CountsByCluster, LoadLedger } from './load-ledger.ts';
import { type LoadReporter, startLoadReporter } from './load-reporter.ts';
import { type Condition, type SessionStream, startSessionStream } from './session-stream.ts';

export interface ConnectionOptions {
  readonly client: Client;
  readonly identity: AgentIdentity;
  /** Who presents the same key is the same agent. */
  readonly key: Uint8Array;
  /** Undefined for an agent without application. */
  readonly instance: Input<Instance> | undefined;
  /** A mesh to obey in place of the one that is held. */
  readonly acceptMesh: string | undefined;
  readonly directory: Directory;
  readonly createView: CreateView;
  /** Calls back once all requests are routed by what the directory has now. */
  readonly onceInUse: (then: () => void) => void;
  /** What of the agent's requests has been reported. */
  readonly ledger: LoadLedger;
  readonly requestCounts: () => Promise<CountsByCluster>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRegistered: (welcome: Welcome) => void;
  readonly onRefusal: (message: string) => void;
  readonly onCondition: (condition: Condition, detail: string) => void;
  readonly onDrained: (pending: readonly string[]) => void;
  /** Called once; not after `close`. `livedMs` counts from the welcome. */
  readonly onEnd: (end: StreamEnd & { readonly livedMs: number }) => void;
}

/** Longer than a server takes that first asks another holder of the id (2 s) whether it is alive. */
const welcomeMs = 5_000;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #session: SessionStream;
  readonly #cancelDeadline: () => void;
  #ads: AdsStream | undefined;
  #loads: LoadReporter | undefined;
  #welcomedAt: number | undefined;
  #condition: Condition = '';
  #isOpen = true;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#cancelDeadline = options.clock.after(welcomeMs, () =>
      this.#end({ code: status.DEADLINE_EXCEEDED, details: `no welcome within ${welcomeMs} ms` }),
    );
    this.#session = startSessionStream({
      client: options.client,
      hello: this.#hello(),
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onDrained: options.onDrained,
      onEnd: (end) => this.#end(end),
    });
  }

  get isRegistered(): boolean {
    return this.#isOpen && this.#welcomedAt !== undefined;
  }

  health(state: AppState): void {
    this.#session.health(state);
  }

  drain(deadlineMs: number): void {
    this.#session.drain(deadlineMs);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#cancelDeadline();
    this.#options.directory.disconnected();
    this.#ads?.close();
    this.#loads?.close();
    this.#session.close();
    this.#options.client.close();
  }

  #hello(): Input<Hello> {
    const { identity, key, instance, directory } = this.#options;
    const { id, namespace, service, version } = identity;
    const { names } = directory;
    return { id, namespace, service, key, agentVersion: version, names, ...(instance && { instance }) };
  }

  #onWelcome(welcome: Welcome): void {
    if (this.#welcomedAt !== undefined) return;
    this.#cancelDeadline();
    this.#welcomedAt = this.#options.clock.now();
    this.#options.onRegistered(welcome);
    this.#loads = startLoadReporter(this.#options);
    const { acceptMesh, directory } = this.#options;
    const { held } = directory;
    if (!holdsRoutes(held)) this.#openAds(undefined);
    else if (held.meshId === welcome.meshId) this.#resume(toNumber(welcome.revision));
    else if (acceptMesh === welcome.meshId) this.#openAds(acceptMesh);
    else this.#keepForeign(held.meshId, welcome.meshId);
  }

  /** A server that is behind holds its answer until it has caught up, so it is from the welcome that we know. */
  #resume(offered: number): void {
    const { revision } = this.#options.directory.held;
    if (offered < revision) {
      this.#report(
        'older-store',
        `the server is older than what this agent has seen: it has revision ${offered}, this agent holds revision ` +
          `${revision} and keeps it`,
      );
    }
    this.#openAds(undefined);
  }

  /** Stays registered, for its application is the same; but what it routes by is not this server's to change. */
  #keepForeign(held: string, offered: string): void {
    this.#report(
      'foreign-store',
      `this agent holds mesh ${held} and keeps it; the server has mesh ${offered}. To obey it, start the agent ` +
        `with --accept-mesh ${offered} or an empty state directory`,
    );
  }

  /** A server takes what an agent holds for applied: so it is in use before the server hears of it. */
  #openAds(acceptMesh: string | undefined): void {
    this.#options.onceInUse(() => this.#isOpen && this.#startAds(acceptMesh));
  }

  #startAds(acceptMesh: string | undefined): void {
    const { client, identity, directory, createView, onceInUse, log } = this.#options;
    if (this.#condition === '' && directory.swaps === 0 && directory.held.meshId !== '') {
      this.#report('stale', `routes by revision ${directory.held.revision} of its last run`);
    }
    const { held, made, names } = directory;
    this.#ads = startAdsStream({
      client,
      session: new DeltaSession({ identity, held, view: made, names, acceptMesh, createView }),
      onResponse: ({ typeUrl, nonce }) => log.debug({ typeUrl, nonce }, 'response'),
      onDecision: (decision) => this.#onDecision(decision),
      onceInUse,
      onEnd: (end) => this.#end(end),
    });
    directory.connected(this.#ads);
  }

  #onDecision(decision: Decision): void {
    const { directory, onceInUse, log, onRefusal } = this.#options;
    switch (decision.do) {
      case 'swap':
        directory.swap(decision.held, decision.view, decision.answers);
        onceInUse(() => {
          if (!this.#isOpen) return;
          log.debug({ revision: decision.held.revision }, 'applied');
          this.#report('', '');
        });
        break;
      case 'shrink':
        directory.shrink(decision.held, decision.view);
        break;
      case 'refuse':
        directory.refuse(decision.names);
        onRefusal(decision.message);
        log.warn({ resources: decision.resources.slice(0, 20) }, `refused, nothing changed: ${decision.message}`);
        if (decision.condition !== '') this.#report(decision.condition, decision.message);
        break;
      case 'complain':
        log.warn(decision.message);
    }
  }

  /** Says what changed; the first '' needs no saying. */
  #report(condition: Condition, detail: string): void {
    if (condition === this.#condition) return;
    this.#condition = condition;
    // What is stale is so because no answer has come yet: no reason why none should.
    this.#options.directory.hindered(condition === 'stale' ? '' : detail);
    this.#options.onCondition(condition, detail);
    this.#session.report(condition, detail);
  }

  #end(end: StreamEnd): void {
    if (!this.#isOpen) return;
    const { clock, onEnd } = this.#options;
    this.close();
    onEnd({ ...end, livedMs: this.#welcomedAt === undefined ? 0 : clock.now() - this.#welcomedAt });
  }
}
