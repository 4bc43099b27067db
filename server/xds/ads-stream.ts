/** One stream: performs what its session wants and reports what came of it. Knows the socket, not the protocol. */
import type { Logger } from '../../process/log.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { status } from '../grpc/status.ts';
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { AgentSession } from './agent-session.ts';
import { CohortSession } from './cohort-session.ts';
import { encodeResponse } from './encode-response.ts';
import type { StreamIdentity } from './identity.ts';
import { mostStandstillMs, Outbox } from './outbox.ts';
import { Patience } from './patience.ts';
import { patienceMs } from './send-order.ts';
import type { Effect, HeldResource, Oddity, Protocol, Request, Response } from './session.ts';
import type { Sibling } from './siblings.ts';
import type { SubscriptionIndex } from './subscription-index.ts';

/** An Envoy tries again to connect a stream after 30 s at most: until then a stream of one type alone may be without those of the others. */
const backoffMs = 40_000;

/** Where a stream's progress is written down. */
export interface StreamReport {
  /** A mark with this revision; `touched`: the newest revision that changed something it brings. */
  onSent(revision: number, touched: number): void;
  /** The stream is concerned by this state of the snapshot cache. */
  onNoted(sequence: number): void;
  /** A revision changes something that the stream holds. */
  onTouched(revision: number): void;
  onApplied(applied: Extract<Effect, { is: 'applied' }>): void;
  onRefused(refusal: Extract<Effect, { is: 'refused' }>): void;
  onNames(names: readonly string[]): void;
  /** What the stream waits for; one of a few constants. */
  onWaits(condition: { readonly name: string; readonly detail: string }): void;
  onClosed(): void;
}

export interface AdsStreamOptions<Report extends StreamReport> {
  /** The part of a call that a stream writes to. */
  readonly call: Pick<ServerCall<unknown, unknown>, 'writeFramed' | 'askForSign' | 'end'>;
  readonly identity: StreamIdentity;
  readonly protocol: Protocol;
  /** The only type of the stream; '' for the aggregated service, which has all. */
  readonly typeUrl: string;
  readonly report: Report;
}

/** What all streams of a server have in common. */
export interface StreamHost<Report extends StreamReport> {
  readonly serverId: string;
  readonly log: Logger;
  readonly index: SubscriptionIndex<AdsStream<Report>>;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  onOddity(what: Oddity): void;
  /** How many more bytes lie in wait for the client, or fewer. */
  onUnread(bytes: number): void;
  /**
   * There is much to send: calls back when others have taken what they were sent, maybe at once. Answers how to take that back;
   * undefined when too many wait.
   */
  inTurn(send: () => void): (() => void) | undefined;
  /** It can be sent to again, and there may be something for it. */
  onReady(stream: AdsStream<Report>): void;
}

/** What a stream waits for, and no longer than it should. */
interface Waits {
  /** For answers to what was sent. */
  readonly overdue: Patience;
  /** Apart from that: a client that answers all the time may still never ask for what something else waits for. */
  readonly unasked: Patience;
  /** For its client's other streams. */
  readonly streams: Patience;
}

export class AdsStream<Report extends StreamReport = StreamReport> implements Sibling {
  readonly report: Report;
  readonly identity: StreamIdentity;
  readonly #call: AdsStreamOptions<Report>['call'];
  readonly #protocol: Protocol;
  readonly #typeUrl: string;
  readonly #host: StreamHost<Report>;
  #session: AgentSession | CohortSession<AdsStream<Report>> | undefined;
  readonly #outbox: Outbox;
  /** Whether the index has it for everything. */
  #holdsEverything = false;
  /** What of them has been told. */
  #oddities: Set<Oddity> | undefined;
  #leaveTurn: (() => void) | undefined;
  /** Of foreign clients alone: agents are never gone on without. */
  #waits: Waits | undefined;

  constructor({ call, identity, protocol, typeUrl, report }: AdsStreamOptions<Report>, host: StreamHost<Report>) {
    this.report = report;
    this.identity = identity;
    this.#call = call;
    this.#protocol = protocol;
    this.#typeUrl = typeUrl;
    this.#host = host;
    const { clock } = host;
    this.#outbox = new Outbox({
      call,
      clock,
      onUnread: (bytes) => host.onUnread(bytes),
      onRoom: () => host.onReady(this),
    });
  }

  start(session: AgentSession | CohortSession<AdsStream<Report>>): void {
    this.#session = session;
    if (session instanceof CohortSession) {
      const { clock } = this.#host;
      const askForSign = (onSign: () => void) => this.#call.askForSign(onSign);
      const patience = () => new Patience(clock, askForSign);
      this.#waits = { overdue: patience(), unasked: patience(), streams: patience() };
    }
    this.#holdEverything(true);
    this.#settle();
  }

  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#session?.versions() ?? new Map();
  }

  /** All that its client asked for or has, for people to look at. */
  resources(): Iterable<HeldResource> {
    return this.#session?.resources() ?? [];
  }

  get hasClusters(): boolean {
    return this.#session instanceof CohortSession && this.#session.hasClusters;
  }

  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.#session instanceof CohortSession && this.#session.areClustersUnderWay(has);
  }

  hasTaken(typeUrl: string, name: string): boolean {
    return this.#session instanceof CohortSession && this.#session.hasTaken(typeUrl, name);
  }

  refuses(typeUrl: string, name: string): boolean {
    return this.#session instanceof CohortSession && this.#session.refuses(typeUrl, name);
  }

  ownersOfRefused(): ReadonlySet<string> {
    return this.#session instanceof CohortSession ? this.#session.ownersOfRefused() : new Set();
  }

  onRequest(request: Request): void {
    if (request.typeUrl === '') {
      this.#refuse(status.INVALID_ARGUMENT, 'a request of an aggregated stream needs a type_url');
      return;
    }
    if (this.#typeUrl !== '' && request.typeUrl !== this.#typeUrl) {
      this.#refuse(
        status.INVALID_ARGUMENT,
        `this service has ${this.#typeUrl} alone, not ${request.typeUrl.slice(0, 200)}`,
      );
      return;
    }
    const session = this.#session;
    if (session === undefined) return;
    this.#perform(session.onRequest(request));
    if (session instanceof AgentSession) this.#settle();
    else this.flush();
  }

  /** With a change that it does not know of it would never be in step again. */
  onChange(change: SnapshotChange): void {
    this.report.onNoted(change.sequence);
    this.#guarded(() => this.#session?.onChange(change));
  }

  /** Whether a revision changes something that the stream holds; it is then owed an answer about it. */
  isTouchedBy(change: SnapshotChange): boolean {
    const session = this.#session;
    if (!session?.isTouchedBy(change)) return false;
    if (session instanceof AgentSession) session.owe();
    this.report.onTouched(change.revision);
    return true;
  }

  flush(): void {
    const session = this.#session;
    if (session === undefined) return;
    if (this.#outbox.isFull()) {
      this.#settle();
    } else if (session instanceof CohortSession && session.hasMuchToSend) {
      this.#flushInTurn();
    } else {
      this.#flushNow();
    }
  }

  /** However often it is asked for meanwhile: it has one turn. */
  #flushInTurn(): void {
    let isDone = false;
    if (this.#leaveTurn === undefined) {
      const leave = this.#host.inTurn(() => {
        isDone = true;
        this.#leaveTurn = undefined;
        this.#flushNow();
      });
      if (isDone) return;
      if (leave === undefined) return this.#flushNow();
      this.#leaveTurn = leave;
    }
    // What was answered until then is no longer waited for.
    this.#settle();
  }

  #flushNow(): void {
    this.#guarded(() => {
      if (this.#session !== undefined) this.#perform(this.#session.flush());
      this.#settle();
    });
  }

  /** A fault in one session ends that stream, and nobody else's. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#host.log.error({ err: error }, 'an xDS stream could not be served');
      this.#refuse(status.INTERNAL, 'the server failed on this stream; its log says why');
    }
  }

  /**
   * Looks after a client that does not answer, does not ask, or has stopped to read. To be called every second. Answers whether something
   * is waited for no longer: the stream is then to be flushed, and its client's others are to give up, too.
   */
  lookAfter(): boolean {
    const isOverdue = this.#waits?.overdue.isOver() === true;
    if (isOverdue) this.#onOverdue();
    // That may have ended the stream, and all that it waits for.
    const isUnasked = this.#waits?.unasked.isOver() === true;
    if (isUnasked) this.giveUpClusters();
    if (this.#waits?.streams.isOver() === true && this.#session instanceof CohortSession) {
      this.#session.giveUpStreams();
      this.#host.onReady(this);
    }
    if (this.#outbox.isAbandoned()) {
      this.#refuse(
        status.RESOURCE_EXHAUSTED,
        `the client has taken nothing for ${mostStandstillMs / 1_000} s of what it was sent`,
      );
    }
    return (isOverdue || isUnasked) && this.#session !== undefined;
  }

  /** Ends it from this side, as planned. */
  end(): void {
    this.#call.end();
    this.close();
  }

  /** It is over; forgets everything. */
  close(): void {
    if (!this.#session) return;
    this.#leaveTurn?.();
    this.#session.close();
    this.#session = undefined;
    this.#waits = undefined;
    this.#outbox.close();
    this.#holdEverything(false);
    this.report.onClosed();
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      // What was sent may have been too much: what would follow is counted by nobody.
      if (this.#session === undefined) return;
      switch (effect.is) {
        case 'send':
          this.#send(effect.response);
          if (effect.mark) this.report.onSent(effect.mark.revision, effect.mark.touched);
          else if (this.#session instanceof CohortSession) this.report.onSent(this.#session.revision, 0);
          break;
        case 'applied':
          this.report.onApplied(effect);
          break;
        case 'refused':
          this.report.onRefused(effect);
          break;
        case 'odd':
          this.odd(effect.what);
          break;
        case 'close':
          this.#refuse(effect.code, effect.message);
          break;
      }
    }
    this.#outbox.release();
  }

  /** Counted each time, and told of once. */
  odd(what: Oddity): void {
    this.#host.onOddity(what);
    this.#oddities ??= new Set();
    if (this.#oddities.has(what)) return;
    this.#oddities.add(what);
    const { id, namespace } = this.identity;
    this.#host.log.info({ client: id, namespace }, oddities[what]);
  }

  #send(response: Response): void {
    this.#outbox.add(encodeResponse(response, this.#protocol, this.#host.serverId));
    if (this.#outbox.isOverfull) {
      this.#refuse(status.RESOURCE_EXHAUSTED, 'the client does not read what it is sent');
    }
  }

  #refuse(code: number, details: string): void {
    this.#outbox.release();
    this.#call.end(code, details);
    this.close();
  }

  /** After each step: what the session depends on beyond its names, and what it waits for. */
  #settle(): void {
    const session = this.#session;
    if (!session) return;
    if (session instanceof AgentSession) {
      // Until it has been answered it has to hear of every revision: that it is touched, or that the server has caught up.
      this.#holdEverything(session.phase !== 'live');
      this.report.onWaits(conditions[session.phase]);
      const names = session.takeChangedNames();
      if (names) this.report.onNames(names);
      return;
    }
    this.#holdEverything(session.isWildcard);
    // Anew for each answer that is waited for longest: a client that answers in time has always something under way.
    this.#waits?.overdue.waitFor(session.waitsFor, patienceMs);
    this.#waits?.unasked.waitFor(session.holdsFor, session.holdsMs);
    this.#waits?.streams.waitFor(session.awaitsStreams ? 'streams' : undefined, backoffMs);
  }

  #holdEverything(isWanted: boolean): void {
    if (isWanted === this.#holdsEverything) return;
    this.#holdsEverything = isWanted;
    if (isWanted) this.#host.index.holdEverything(this);
    else this.#host.index.releaseEverything(this);
  }

  #onOverdue(): void {
    this.#guarded(() => {
      if (this.#session instanceof CohortSession) this.#perform(this.#session.onOverdue());
    });
  }

  /** Its clusters are waited for no longer, whatever they wait for themselves. */
  giveUpClusters(): void {
    if (this.#session instanceof CohortSession) this.#session.giveUpClusters();
  }
}

const oddities: Readonly<Record<Oddity, string>> = {
  'changed-node': 'a client has changed its node: what it said in its first message counts',
  'unknown-nonce': 'a client answers a response that it was not sent, or in delta has answered before: passed over',
  'unknown-type': 'a client asks for a type that this server does not have: it is never answered',
  'no-answer': 'a client does not answer what it was sent: it is no longer waited for',
};

const nothing = { name: '', detail: '' };

const conditions = {
  gathering: nothing,
  live: nothing,
  behind: {
    name: 'older-store',
    detail: 'it has seen a newer revision than this server has; it is answered when the server has caught up',
  },
  foreign: {
    name: 'foreign-store',
    detail: 'it keeps the configuration of another mesh; start it with --accept-mesh to have it obey this one',
  },
} as const;
