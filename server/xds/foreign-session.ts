/**
 * The stream of a client that is not ours (Envoy, gRPC): state of the world or delta, resource by resource. Such a
 * client applies each type as it comes, so the order counts: clusters, endpoints, then routes; what is taken away goes
 * last (xds.md 1.5, 1.6, 1.9). No I/O here.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { Checkpoints, type State } from './checkpoints.ts';
import { contentVersion, fullResponses, isTooMuch, isWholeSet } from './full-responses.ts';
import { heldResources } from './held-resources.ts';
import type { NameSets } from './name-sets.ts';
import { refusedResources } from './refusals.ts';
import type { Asked } from './rest.ts';
import { SendOrder } from './send-order.ts';
import type { Effect, HeldResource, Protocol, Request, Response, Session } from './session.ts';
import type { OtherStreams } from './siblings.ts';
import { Subscription } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import type { SentResponse, Verdict } from './verdicts.ts';

const INVALID_ARGUMENT = 3;

const none: readonly Response[] = [];

/** More names than this on one stream are a fault of the client, and would cost this server memory. */
const mostNames = 100_000;

/** No resource of ours has a longer one: the longest are of services of 253 characters, with port and subset. */
const longestName = 1_024;

export interface ForeignSessionOptions<Member> {
  readonly cache: Pick<SnapshotCache, 'revision' | 'sequence'>;
  /** What the client is served; types that it asks for and the view does not have are never answered. */
  readonly view: ClientView;
  readonly protocol: Protocol;
  /** gRPC clients never mean everything by an empty list. */
  readonly allowsLegacyWildcard: boolean;
  /** The other streams of the client: for those that have one for each type. */
  readonly others?: OtherStreams;
  /** Who asks for names. */
  readonly member: Member;
  /** Where the names of a type are kept. */
  readonly setsOf: (typeUrl: string) => NameSets<Member>;
}

/** Where a stream stands that has been sent all that it asked for, of which nothing is owed, refused or held back. */
export interface Standing {
  /** That was last looked at. */
  readonly state: State;
  readonly reported: State | undefined;
  /** Number of the last response. */
  readonly nonce: number;
  /** The only response without an answer. */
  readonly underWay: { readonly typeUrl: string; readonly sent: SentResponse } | undefined;
  /** The last response, when it has its answer and was the last of several that nobody else knows of. */
  readonly answered?: Standing['underWay'];
}

export class ForeignSession<Member = unknown> implements Session {
  readonly #options: ForeignSessionOptions<Member>;
  readonly #subscriptions: Subscriptions<Member>;
  readonly #order: SendOrder<Member>;
  /** Types that must be answered even if nothing of them differs. */
  readonly #owed = new Set<string>();
  #nonce = 0;
  /** The state that was last looked at. */
  #flushed: State = { revision: 0, sequence: 0 };
  /** The state that was last reported as applied; none since a refusal. */
  #reported: State | undefined;
  readonly #checkpoints = new Checkpoints();
  /** It has asked for something that it had not asked for when the responses before were sent. */
  #hasAskedForMore = false;
  /** The state from which the response was cut that was last refused. */
  #refusedSequence = 0;

  constructor(options: ForeignSessionOptions<Member>) {
    this.#options = options;
    const { view, protocol, others } = options;
    this.#subscriptions = new Subscriptions(view.typeUrls);
    this.#order = new SendOrder({ subscriptions: this.#subscriptions, view, protocol, others });
  }

  /** Takes in what the client says; `flush` answers it. */
  onRequest(request: Request): Effect[] {
    if (!this.#options.view.typeUrls.includes(request.typeUrl)) return [{ is: 'odd', what: 'unknown-type' }];
    const faults = faultsOf(request);
    if (faults !== undefined) return [faults];
    const subscription = this.#subscription(request.typeUrl);
    const { isFirst } = subscription;
    const namesBefore = subscription.names.size;
    const verdict = subscription.verdict(request);
    const refusals = this.#onVerdict(subscription, verdict, request);
    if (verdict.isStale) return refusals;
    subscription.update(request);
    if (this.#nameCount() > mostNames) {
      const message = `more than ${mostNames} names on one stream`;
      return [...refusals, { is: 'close', code: INVALID_ARGUMENT, message }];
    }
    // It belongs to the states that it is to reach. Endpoints do not: routes wait for those that are new.
    const hasMore = isFirst || subscription.names.size > namesBefore;
    if (hasMore && request.typeUrl !== typeUrls.endpoint) this.#hasAskedForMore = true;
    if (isFirst && request.typeUrl === typeUrls.endpoint) this.#forceEndpoints(this.#order.news.takeChanged());
    // The first answer to a wildcard is owed even when it is empty: a starting Envoy waits for it.
    if (isFirst && subscription.isWildcard) this.#owed.add(request.typeUrl);
    return refusals;
  }

  /** Whether all of a type is to be sent: much, as a rule. */
  get hasMuchToSend(): boolean {
    for (const { hasNothing } of this.#subscriptions.inOrder) if (hasNothing) return true;
    return false;
  }

  onChange(change: SnapshotChange): void {
    for (const each of this.#options.view.changes(change)) this.#subscriptions.get(each.typeUrl)?.onChange(each);
  }

  /** Of the state from which it was sent last. */
  get revision(): number {
    return this.#flushed.revision;
  }

  flush(): Effect[] {
    this.#flushed = { revision: this.#options.cache.revision, sequence: this.#options.cache.sequence };
    this.#order.begin();
    // Most often an acknowledgement is all there was.
    const isQuiet = !this.#hasToSend();
    if (isQuiet) this.#order.forgetTaken();
    const sends = isQuiet ? [] : this.#takeSends();
    const applied = this.#progress();
    return applied === undefined ? sends : [...sends, applied];
  }

  get view(): ClientView {
    return this.#options.view;
  }

  get asked(): readonly Asked[] {
    return this.#subscriptions.inOrder;
  }

  /** Undefined when there is more to it than that. */
  get standing(): Standing | undefined {
    const { protocol, others } = this.#options;
    if (protocol !== 'delta' || others !== undefined || this.#owed.size > 0) return undefined;
    if (!this.#order.isAsUsual) return undefined;
    let underWay: Standing['underWay'];
    for (const { typeUrl, isFirst, isBehind, isRefusing, refusals, verdicts } of this.#subscriptions.inOrder) {
      if (isFirst || isBehind || isRefusing || !refusals.isEmpty) return undefined;
      if (verdicts.isSettled) continue;
      const sent = verdicts.onlyOne;
      if (sent === undefined || underWay !== undefined) return undefined;
      underWay = { typeUrl, sent };
    }
    return { state: this.#flushed, reported: this.#reported, nonce: this.#nonce, underWay };
  }

  /** Goes on from where somebody else has brought the stream. */
  resume({ state, reported, nonce, underWay, answered }: Standing): void {
    this.#flushed = state;
    this.#reported = reported;
    this.#nonce = nonce;
    this.#hasAskedForMore = false;
    if (answered !== undefined) this.#subscriptions.get(answered.typeUrl)?.verdicts.onAnswered(answered.sent.nonce);
    if (underWay === undefined) return;
    this.#subscriptions.get(underWay.typeUrl)?.onSent(underWay.sent);
    this.#checkpoints.onSent(state, nonce);
  }

  /** What was waited for longest has not come in time: `flush` goes on without it. */
  onOverdue(): Effect[] {
    const isUnanswered = this.#subscriptions.inOrder.some(({ verdicts }) => verdicts.unanswered > 0);
    this.giveUpClusters();
    for (const { verdicts } of this.#subscriptions.inOrder) verdicts.onOverdue();
    return isUnanswered ? [{ is: 'odd', what: 'no-answer' }] : [];
  }

  /** Whether a change of the rules changes something that the client asked for. */
  isTouchedBy(change: SnapshotChange): boolean {
    return this.#options.view
      .changes(change)
      .some(({ typeUrl, name }) => typeUrl !== typeUrls.endpoint && this.#subscriptions.get(typeUrl)?.covers(name));
  }

  /** What is waited for longest: its nonce, or 'held' when clusters on another stream are; undefined: nothing is. */
  get waitsFor(): string | undefined {
    let longest: string | undefined;
    for (const { verdicts } of this.#subscriptions.inOrder) {
      const { oldest } = verdicts;
      if (oldest !== undefined && (longest === undefined || Number(oldest) < Number(longest))) longest = oldest;
    }
    return longest ?? (this.#order.isHeld ? 'held' : undefined);
  }

  /** What routes or scopes wait for longest that the client is to ask for; undefined: nothing. */
  get holdsFor(): string | undefined {
    return this.#order.holdsFor;
  }

  /** Clusters are waited for no longer. */
  giveUpClusters(): void {
    this.#order.giveUpClusters();
  }

  /** Whether the client has not taken all its clusters, or has no endpoints for one that is new to it. */
  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.#order.areClustersUnderWay(has);
  }

  /** Whether the client has answered what it was sent of this resource on this stream. */
  hasTaken(typeUrl: string, name: string): boolean {
    return this.#subscriptions.hasTaken(typeUrl, name);
  }

  /** Whether the client refuses the resource as it is. */
  refuses(typeUrl: string, name: string): boolean {
    return this.#subscriptions.refuses(typeUrl, name);
  }

  /** Services of which a listener, scope or route is refused. */
  ownersOfRefused(): ReadonlySet<string> {
    return this.#order.ownersOfRefused();
  }

  get isWildcard(): boolean {
    for (const { isWildcard } of this.#subscriptions.inOrder) if (isWildcard) return true;
    return false;
  }

  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const byType = new Map<string, Map<string, string>>();
    for (const { typeUrl, name, version, state } of this.resources()) {
      const versions = byType.get(typeUrl) ?? new Map<string, string>();
      byType.set(typeUrl, versions);
      if (state !== 'requested') versions.set(name, version);
    }
    return byType;
  }

  *resources(): Generator<HeldResource> {
    for (const subscription of this.#subscriptions.inOrder) yield* heldResources(subscription);
  }

  close(): void {
    for (const subscription of this.#subscriptions.inOrder) subscription.close();
  }

  #subscription(typeUrl: string): Subscription<Member> {
    const { protocol, view, member, allowsLegacyWildcard, setsOf } = this.#options;
    const present = this.#subscriptions.get(typeUrl);
    if (present !== undefined) return present;
    const mayBeLegacyWildcard = allowsLegacyWildcard && hasLegacyWildcard.has(typeUrl);
    const sets = setsOf(typeUrl);
    const subscription = new Subscription<Member>({ typeUrl, protocol, view, member, sets, mayBeLegacyWildcard });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #onVerdict(
    subscription: Subscription<Member>,
    { is, response, isStale, isUnknown }: Verdict,
    { error }: Request,
  ): Effect[] {
    if (is === 'ack' && this.waitsFor === undefined) this.#order.waitAgain();
    if (is === 'ack' && response?.isWhole) subscription.refusals.onWholeTaken();
    if (isUnknown) return [{ is: 'odd', what: 'unknown-nonce' }];
    if (!response || !error) return [];
    this.#reported = undefined;
    this.#refusedSequence = response.sequence;
    // Of a whole set only the newest counts.
    if (!(isStale && response.isWhole)) subscription.onRefused(response, error.message);
    return [
      {
        is: 'refused',
        revision: response.revision,
        message: error.message,
        resources: refusedResources(response, error),
      },
    ];
  }

  /** Said once of each state, when the client has taken all of it that it asked for: after what this step sends. */
  #progress(): Effect | undefined {
    const { revision, sequence } = this.#flushed;
    if (this.#reported?.revision === revision && this.#reported.sequence === sequence) {
      // None before it is told of any more.
      this.#checkpoints.clear();
      return undefined;
    }
    const state = this.#stateReached();
    if (state === undefined) return undefined;
    let isRefusing = false;
    for (const one of this.#subscriptions.inOrder) isRefusing ||= one.isRefusing;
    // What came after the refused revision is used, in so far as it was not refused.
    if (isRefusing && state.sequence <= this.#refusedSequence) return undefined;
    this.#reported = state;
    return { is: 'applied', revision: state.revision, sequence: state.sequence, isRefusing };
  }

  /** The present state, or one before it that was not told of; undefined: none. */
  #stateReached(): State | undefined {
    let isSettled = this.#subscriptions.inOrder.length > 0;
    for (const one of this.#subscriptions.inOrder) isSettled &&= one.isAnswered && !this.#isBehind(one);
    if (isSettled) {
      this.#checkpoints.clear();
      this.#hasAskedForMore = false;
      return this.#flushed;
    }
    // Without what is taken away, which may go later.
    let isSent = this.#subscriptions.inOrder.length > 0;
    let oldest = Number.POSITIVE_INFINITY;
    for (const one of this.#subscriptions.inOrder) {
      isSent &&= !this.#owed.has(one.typeUrl) && !this.#order.hasNews(one);
      if (!one.isAnswered) oldest = Math.min(oldest, Number(one.verdicts.oldestOfAll));
    }
    if (this.#hasAskedForMore) this.#checkpoints.onMoreSent(isSent ? this.#nonce : undefined);
    this.#hasAskedForMore = false;
    if (isSent) this.#checkpoints.onSent(this.#flushed, this.#nonce);
    return this.#checkpoints.passed(oldest);
  }

  #hasToSend(): boolean {
    if (this.#owed.size > 0) return true;
    for (const { isBehind } of this.#subscriptions.inOrder) if (isBehind) return true;
    return false;
  }

  #takeSends(): Effect[] {
    const sends: Effect[] = [];
    for (const subscription of this.#subscriptions.inOrder) {
      for (const response of this.#respond(subscription)) sends.push({ is: 'send', response });
    }
    if (!this.#order.mayRemove()) return sends;
    for (let index = this.#subscriptions.inOrder.length - 1; index >= 0; index--) {
      const response = this.#remove(this.#subscriptions.inOrder[index]);
      if (response !== undefined) sends.push({ is: 'send', response });
    }
    return sends;
  }

  #nameCount(): number {
    let count = 0;
    for (const { names } of this.#subscriptions.inOrder) count += names.size;
    return count;
  }

  #respond(subscription: Subscription<Member>): readonly Response[] {
    const isDue = subscription.isBehind || this.#owed.has(subscription.typeUrl);
    if (!isDue || !this.#order.maySend(subscription)) return none;
    return subscription.hasNothing ? this.#respondFully(subscription) : this.#respondWithNews(subscription);
  }

  /** The client has nothing: what clients with the same names get is put together once for all of them. */
  #respondFully(subscription: Subscription<Member>): readonly Response[] {
    const { view, protocol } = this.#options;
    const full = fullResponses(view, subscription, protocol, this.#flushed.sequence);
    if (full === undefined) {
      subscription.spellOut();
      return this.#respondWithNews(subscription);
    }
    const { resources, absent, version } = full;
    subscription.allInStep();
    const isOwed = this.#owed.delete(subscription.typeUrl);
    if (resources.length + absent.length === 0 && !isOwed) return [];
    if (subscription.typeUrl === typeUrls.cluster) this.#forceEndpoints('all');
    return [this.#response(subscription, { resources, removed: absent, version, changed: resources })];
  }

  #respondWithNews(subscription: Subscription<Member>): Response[] {
    const { typeUrl } = subscription;
    const { changed, absent, isPart } = this.#takeNews(subscription);
    if (changed.length + absent.length === 0 && !this.#owed.has(typeUrl)) return [];
    this.#owed.delete(typeUrl);
    const replaced = this.#isWhole(typeUrl) ? heldOf(subscription, changed) : undefined;
    if (typeUrl === typeUrls.cluster) this.#order.noteAdded(subscription, changed);
    for (const { name } of changed) subscription.inStep(name);
    for (const name of absent) subscription.inStep(name);
    if (typeUrl === typeUrls.cluster) this.#forceEndpoints(namesOf(changed));
    const resources = this.#isWhole(typeUrl) ? this.#wholeSet(subscription) : changed;
    const version = contentVersion(resources);
    const response = this.#response(subscription, { resources, removed: absent, version, changed, replaced });
    // In delta the rest may follow at once; in state of the world it waits for its turn.
    return isPart && this.#order.maySend(subscription)
      ? [response, ...this.#respondWithNews(subscription)]
      : [response];
  }

  /** What to send of what the client is behind with, as much as one message takes; forgets what has become equal again. */
  #takeNews(subscription: Subscription<Member>) {
    const { view, protocol } = this.#options;
    const changed: EncodedResource[] = [];
    const absent: string[] = [];
    let bytes = 0;
    let isPart = false;
    for (const [name, held] of [...subscription.behind()]) {
      const resource = view.resource(subscription.typeUrl, name);
      if (resource === undefined) {
        // Said once, in delta: there is nothing under a name that was asked for. What is gone goes last.
        if (held?.version === null && protocol === 'delta') absent.push(name);
        else if (held === undefined || held.version === null) subscription.inStep(name);
      } else if (!subscription.covers(name) || held?.version === resource.version) {
        subscription.inStep(name);
      } else if (this.#order.mayReplace(subscription, resource, held)) {
        isPart = !this.#isWhole(subscription.typeUrl) && isTooMuch(bytes, resource);
        if (isPart) break;
        bytes += resource.size;
        changed.push(resource);
      }
    }
    return { changed, absent, isPart };
  }

  /** Of these clusters. A stream with clusters alone never asks for any. */
  #forceEndpoints(clusters: 'all' | Iterable<string>): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    if (endpoints === undefined) {
      if (this.#options.others === undefined) this.#order.news.changed(clusters);
    } else if (clusters === 'all') {
      endpoints.forceAll();
    } else {
      for (const name of clusters) endpoints.force(name);
    }
  }

  #isWhole(typeUrl: string): boolean {
    return this.#options.protocol === 'sotw' && isWholeSet.has(typeUrl);
  }

  /** All that the client shall have now: what is gone too, until the routes have let go of it. */
  #wholeSet(subscription: Subscription<Member>): EncodedResource[] {
    const { refusals } = subscription;
    const behind = new Map(subscription.behind());
    // What is still behind, after what is sent now, is held back: the client keeps what it has.
    const present = [...subscription.covered()].flatMap((resource) =>
      resource.routes === ''
        ? (refusals.inPlaceOf(resource) ?? [])
        : (behind.get(resource.name)?.resource ?? refusals.inPlaceOf(resource) ?? []),
    );
    const gone = [...subscription.behind()].flatMap(([name, held]) =>
      this.#options.view.resource(subscription.typeUrl, name) === undefined ? (held?.resource ?? []) : [],
    );
    return [...present, ...gone];
  }

  /** Whether anything of the type, an empty answer or a removal included, waits to be sent. */
  #isBehind(subscription: Subscription<Member>): boolean {
    if (this.#owed.has(subscription.typeUrl)) return true;
    if (!subscription.isBehind) return false;
    return this.#order.hasNews(subscription) || this.#order.gone(subscription).length > 0;
  }

  #remove(subscription: Subscription<Member> | undefined): Response | undefined {
    if (!subscription?.isBehind || !this.#order.maySend(subscription)) return undefined;
    const { typeUrl } = subscription;
    if (this.#order.mayBeInUse(typeUrl)) return undefined;
    const gone = this.#order.gone(subscription);
    if (gone.length === 0) return undefined;
    for (const name of gone) subscription.inStep(name);
    if (this.#options.protocol === 'delta') {
      return this.#response(subscription, { resources: [], removed: gone, version: '', changed: [] });
    }
    // State of the world says so by leaving out; endpoints and routes that nobody names need no word.
    if (!isWholeSet.has(typeUrl)) return undefined;
    const resources = this.#wholeSet(subscription);
    const version = contentVersion(resources);
    return this.#response(subscription, { resources, removed: [], version, changed: [] });
  }

  #response(
    subscription: Subscription<Member>,
    parts: Pick<Response, 'resources' | 'removed' | 'version'> & {
      readonly changed: readonly EncodedResource[];
      readonly replaced?: ReadonlyMap<string, EncodedResource> | undefined;
    },
  ): Response {
    const { changed, replaced, ...content } = parts;
    const nonce = String(++this.#nonce);
    const isWhole = this.#isWhole(subscription.typeUrl);
    subscription.onSent({ nonce, changed, replaced, isWhole, ...this.#flushed });
    return { typeUrl: subscription.typeUrl, nonce, ...content };
  }
}

/** An empty first request for these means everything. */
const hasLegacyWildcard: ReadonlySet<string> = new Set([typeUrls.cluster, typeUrls.listener, typeUrls.scopedRoute]);

/** A stream whose names are absurd cannot go on: it would be kept for as long as the stream. */
function faultsOf({ subscribe, initialVersions }: Request): Effect | undefined {
  const isAbsurd = (name: string) => name.length > longestName;
  if (!subscribe.some(isAbsurd) && !Object.keys(initialVersions).some(isAbsurd)) return undefined;
  const message = `a name of a resource has ${longestName} characters at most`;
  return { is: 'close', code: INVALID_ARGUMENT, message };
}

function namesOf(resources: readonly EncodedResource[]): string[] {
  return resources.map(({ name }) => name);
}

/** What the client has in place of these, as far as this server sent it. */
function heldOf(
  subscription: Subscription<unknown>,
  resources: readonly EncodedResource[],
): ReadonlyMap<string, EncodedResource> {
  return new Map(
    resources.flatMap(({ name }): [string, EncodedResource][] => {
      const resource = subscription.held(name)?.resource;
      return resource === undefined ? [] : [[name, resource]];
    }),
  );
}
