/**
 * The discovery services on gRPC, aggregated and of one type each: turns messages into requests, performs the effects of the sessions, and
 * reports what came of them. The protocol itself is in the sessions.
 */
import { giveBackFreedMemory } from '../../process/freed-memory.ts';
import type { Logger } from '../../process/log.ts';
import {
  type DeltaDiscoveryRequest,
  type DiscoveryRequest,
  type Node,
  Refusal,
  type Status,
} from '../../proto/types.ts';
import type { ClientKind } from '../compile/compiled-variant.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { StatusError, status } from '../grpc/status.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { Admission } from './admission.ts';
import { AdsStream, type AdsStreamOptions, type StreamHost, type StreamReport } from './ads-stream.ts';
import { AgentSession } from './agent-session.ts';
import { ClientViews } from './client-views.ts';
import { Cohorts } from './cohort.ts';
import { CohortSession } from './cohort-session.ts';
import { ForeignSession } from './foreign-session.ts';
import { forgetFullResponses } from './full-responses.ts';
import { identityOf, longestText, nodeFault, type StreamIdentity } from './identity.ts';
import { PushQueue } from './push-queue.ts';
import type { Oddity, Protocol, RefusedResource, Request } from './session.ts';
import { Siblings } from './siblings.ts';
import { SubscriptionIndex } from './subscription-index.ts';

export interface AdsServiceOptions<Report extends StreamReport> {
  readonly cache: SnapshotCache;
  /** The suffix of full names. */
  readonly domain: string;
  readonly serverId: string;
  readonly log: Logger;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** Opens the record of a stream; throws MeshError when there may be none. */
  readonly openReport: (identity: StreamIdentity) => Report;
  readonly onUnused: (service: string) => void;
  /** A client did something odd; for counting. */
  readonly onOddity: (what: Oddity) => void;
}

/** How often streams are looked at whose clients may take nothing, or not answer. */
const watchMs = 1_000;

/** What was sent in large messages leaves its buffers with the allocator: from so many bytes on they are given back. */
const worthGivingBack = 64 * 1024 * 1024;

/** The method that a stream came by. */
interface Door {
  readonly protocol: Protocol;
  /** '' for the aggregated service. */
  readonly typeUrl: string;
}

type Call<Message> = ServerCall<Message, Buffer>;

export class AdsService<Report extends StreamReport> {
  readonly #options: AdsServiceOptions<Report>;
  readonly #host: StreamHost<Report>;
  readonly #streams = new Set<AdsStream<Report>>();
  /** Kind of client -> how many of the streams are of it. */
  readonly #kinds = new Map<ClientKind, number>();
  readonly #queue: PushQueue;
  readonly #views: ClientViews;
  readonly #cohorts = new Cohorts();
  readonly #siblings = new Siblings<AdsStream<Report>>();
  readonly #admission: Admission;
  readonly index: SubscriptionIndex<AdsStream<Report>>;
  #isServing = false;
  /** Written to streams and not taken yet, but for those that take nothing. */
  #unreadBytes = 0;
  /** Since freed memory was last given back. */
  #sentBytes = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: AdsServiceOptions<Report>) {
    this.#options = options;
    this.#queue = new PushQueue(options.clock);
    this.#views = new ClientViews(options.cache, options.domain);
    this.#admission = new Admission({ clock: options.clock, unreadBytes: () => this.#unreadBytes });
    this.index = new SubscriptionIndex(options.onUnused);
    const { serverId, log, clock } = options;
    this.#host = {
      serverId,
      log,
      clock,
      index: this.index,
      onOddity: options.onOddity,
      onUnread: (bytes) => this.#onUnread(bytes),
      inTurn: (send) => this.#admission.add(send),
      onReady: (ready) => this.#queue.add([ready]),
    };
  }

  /** Streams are refused with UNAVAILABLE before this: an empty answer would erase what agents have. */
  start(): void {
    this.#isServing = true;
    this.#watch = setInterval(() => this.#lookAfter(), watchMs).unref();
  }

  get streams(): ReadonlySet<AdsStream<Report>> {
    return this.#streams;
  }

  /** Kinds of the clients that are connected. */
  get kinds(): ReadonlySet<ClientKind> {
    return new Set(this.#kinds.keys());
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /** Tells every stream that the change concerns, and answers these: to be pushed to when all is noted. */
  note(change: SnapshotChange): ReadonlySet<AdsStream<Report>> {
    const concerned = this.index.concernedBy(change);
    for (const stream of concerned) stream.onChange(change);
    return concerned;
  }

  /** Sends these streams the newest state. */
  push(streams: Iterable<AdsStream<Report>>): void {
    this.#queue.add(streams);
  }

  /** Of the aggregated service; with a type, of the service of that type alone, whose requests need not name it. */
  handlers(typeUrl = '') {
    return {
      stream: (call: Call<DiscoveryRequest>) => this.#accept(call, { protocol: 'sotw', typeUrl }, sotwRequest),
      delta: (call: Call<DeltaDiscoveryRequest>) => this.#accept(call, { protocol: 'delta', typeUrl }, deltaRequest),
    };
  }

  /** Ends all streams with status OK: clients come back, to this server or another. */
  close(): void {
    this.#isServing = false;
    clearInterval(this.#watch);
    for (const stream of [...this.#streams]) stream.end();
  }

  #lookAfter(): void {
    const late = [...this.#streams].filter((stream) => stream.lookAfter());
    const others = late.flatMap((stream) => this.#siblings.of(clientOf(stream)));
    for (const each of others) each.giveUpClusters();
    // Added all together: the queue sends in slices to many, and at once to one that comes alone.
    this.#queue.add([...late, ...others]);
    if (this.#unreadBytes > 0 || this.#admission.length > 0) return;
    forgetFullResponses();
    if (this.#sentBytes < worthGivingBack) return;
    this.#sentBytes = 0;
    giveBackFreedMemory();
  }

  #onUnread(bytes: number): void {
    if (bytes > 0) this.#sentBytes += bytes;
    this.#unreadBytes += bytes;
    if (bytes < 0) this.#admission.onTaken();
  }

  #accept<Message extends { readonly node: Node | null }>(
    call: Call<Message>,
    door: Door,
    read: (message: Message) => Request,
  ): void {
    let stream: AdsStream<Report> | undefined;
    const handle = (message: Message) => {
      const { node } = message;
      if (node && stream && node.id !== stream.identity.id) stream.odd('changed-node');
      stream ??= this.#open(call, door, node);
      stream.onRequest(typedBy(door, read(message)));
      if (door.typeUrl !== '') this.#queue.add(this.#siblings.takeHeld(clientOf(stream)));
    };
    let leaveQueue: (() => void) | undefined;
    // What comes after the first message waits with it.
    call.onMessage = (first) => {
      call.pause();
      call.onMessage = handle;
      leaveQueue = this.#admission.add(() => {
        call.perform(() => handle(first));
        call.resume();
      });
      if (leaveQueue === undefined)
        throw new StatusError(status.UNAVAILABLE, 'too many streams wait to be let in: try again');
    };
    call.onOver = () => {
      leaveQueue?.();
      if (stream) this.#forget(stream);
    };
  }

  #forget(stream: AdsStream<Report>): void {
    if (this.#streams.delete(stream)) this.#countKind(stream, -1);
    this.#queue.remove(stream);
    this.#siblings.leave(clientOf(stream), stream);
    stream.close();
  }

  #open(call: AdsStreamOptions<Report>['call'], { protocol, typeUrl }: Door, node: Node | null): AdsStream<Report> {
    if (!this.#isServing) throw new StatusError(status.UNAVAILABLE, 'the server is loading or shutting down');
    const identity = identityOf(node, typeUrl === '' ? protocol : undefined);
    if (identity === undefined) throw new StatusError(status.INVALID_ARGUMENT, nodeFault(node));
    const { cache, openReport } = this.#options;
    const report = openReport(identity);
    const stream = new AdsStream({ call, identity, protocol, typeUrl, report }, this.#host);
    stream.start(
      identity.kind === 'agent'
        ? new AgentSession({
            cache,
            interest: this.index.interestOf(stream),
            ownService: identity.hasApp ? `${identity.service}.${identity.namespace}` : undefined,
            presented: identity.presented,
          })
        : this.#foreignSession(stream, { protocol, typeUrl }),
    );
    if (typeUrl !== '') this.#siblings.join(clientOf(stream), stream);
    this.#streams.add(stream);
    this.#countKind(stream, 1);
    return stream;
  }

  #countKind({ identity: { kind } }: AdsStream<Report>, by: 1 | -1): void {
    const count = (this.#kinds.get(kind) ?? 0) + by;
    if (count === 0) this.#kinds.delete(kind);
    else this.#kinds.set(kind, count);
  }

  #foreignSession(stream: AdsStream<Report>, { protocol, typeUrl }: Door): CohortSession<AdsStream<Report>> {
    const { cache, log } = this.#options;
    const { identity } = stream;
    const { view, problems } = this.#views.viewOf(identity, typeUrl === '' ? undefined : protocol);
    const { id, namespace } = identity;
    for (const problem of problems) log.warn({ node: id, namespace, problem }, 'a client says what cannot be used');
    const session = new ForeignSession({
      cache,
      view,
      ...(typeUrl !== '' && { others: this.#siblings.others(clientOf(stream), stream) }),
      member: stream,
      setsOf: (type) => this.index.namesOf(view, type),
      protocol,
      allowsLegacyWildcard: identity.kind !== 'grpc',
    });
    return new CohortSession({ session, cache, cohorts: this.#cohorts });
  }
}

function clientOf({ identity: { namespace, id } }: Pick<AdsStream, 'identity'>): string {
  return `${namespace}/${id}`;
}

/** On the service of one type a request may leave it out. */
function typedBy({ typeUrl }: Door, request: Request): Request {
  return request.typeUrl === '' ? { ...request, typeUrl } : request;
}

function deltaRequest(message: DeltaDiscoveryRequest): Request {
  return {
    typeUrl: message.typeUrl,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: message.initialResourceVersions,
    version: '',
    nonce: message.responseNonce,
    error: errorOf(message.errorDetail),
  };
}

function sotwRequest(message: DiscoveryRequest): Request {
  return {
    typeUrl: message.typeUrl,
    subscribe: message.resourceNames,
    unsubscribe: [],
    initialVersions: {},
    version: message.versionInfo,
    nonce: message.responseNonce,
    error: errorOf(message.errorDetail),
  };
}

/** Refusals come from outside: their texts are shown to people, and kept, so they are cut to size. */
function errorOf(detail: Status | null): Request['error'] {
  if (!detail) return undefined;
  const resources = detail.details
    .filter(({ type_url }) => type_url === Refusal.typeUrl)
    .flatMap(({ value }) => readRefusal(value))
    .slice(0, 100);
  return { message: detail.message.slice(0, 2_000), resources };
}

function readRefusal(bytes: Uint8Array): RefusedResource[] {
  try {
    return Refusal.decode(bytes).resources.map(({ typeUrl, name, reason }) => ({
      typeUrl: typeUrl.slice(0, longestText),
      name: name.slice(0, longestText * 2),
      reason: reason.slice(0, 1_000),
    }));
  } catch {
    // The sentence of the NACK still says that something was refused.
    return [];
  }
}
