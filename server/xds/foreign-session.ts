/**
 * The stream of a client that is not ours (Envoy, gRPC): state of the world or delta, resource by resource. Such a
 * client applies each type as it comes, so the order counts: clusters, endpoints, then routes; what is taken away goes
 * last (xds.md 1.5, 1.6, 1.9). No I/O here.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { Checkpoints, type State } from './checkpoints.ts';
import type { Asked } from './cohort.ts';
import { Comeback } from './comeback.ts';
import { isWholeSet } from './full-responses.ts';
import { heldResources } from './held-resources.ts';
import type { NameSets } from './name-sets.ts';
import { refusedResources } from './refusals.ts';
import { Responder } from './responder.ts';
import { SendOrder } from './send-order.ts';
import type { Effect, HeldResource, Protocol, Request, Session } from './session.ts';
import type { OtherStreams } from './siblings.ts';
import { Subscription } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import type { SentResponse, Verdict } from './verdicts.ts';

const INVALID_ARGUMENT = 3;

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
}

export class ForeignSession<Member = unknown> implements Session {
  readonly #options: ForeignSessionOptions<Member>;
  readonly #subscriptions: Subscriptions<Member>;
  readonly #comeback: Comeback<Member>;
  readonly #order: SendOrder<Member>;
  readonly #responder: Responder<Member>;
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
    const subscriptions = this.#subscriptions;
    const common = { subscriptions, view, protocol, cache: options.cache, isAlone: others === undefined };
    this.#comeback = new Comeback(common);
    this.#order = new SendOrder({ subscriptions, view, protocol, others, comeback: this.#comeback });
    this.#responder = new Responder({ ...common, order: this.#order, comeback: this.#comeback });
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
    if (isFirst) this.#comeback.onFirst(request);
    if (this.#nameCount() > mostNames) {
      const message = `more than ${mostNames} names on one stream`;
      return [...refusals, { is: 'close', code: INVALID_ARGUMENT, message }];
    }
    // It belongs to the states that it is to reach. Endpoints do not: routes wait for those that are new.
    const hasMore = isFirst || subscription.names.size > namesBefore;
    if (hasMore && request.typeUrl !== typeUrls.endpoint) this.#hasAskedForMore = true;
    // What it dropped and asks for again comes by a response that is under way, and may be gone: it is told, if by an empty answer.
    const { verdicts } = subscription;
    const isSet = this.#options.protocol === 'sotw' && isWholeSet.has(request.typeUrl);
    if (isSet && hasMore && request.subscribe.some((name) => verdicts.isUnderWay(name))) {
      this.#responder.owe(request.typeUrl);
    }
    if (isFirst && request.typeUrl === typeUrls.endpoint)
      this.#responder.forceEndpoints(this.#order.news.takeChanged());
    // The first answer to a wildcard is owed even when it is empty: a starting Envoy waits for it. So is one to who has a set.
    if (isFirst && (subscription.isWildcard || (isSet && request.version !== ''))) this.#responder.owe(request.typeUrl);
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
    return this.#responder.state.revision;
  }

  flush(): Effect[] {
    const { revision, sequence } = this.#options.cache;
    this.#order.begin();
    const sends = this.#responder.takeSends({ revision, sequence });
    // What was given up is over. What comes next is waited for.
    if (this.#order.hasGivenUp && this.waitsFor === undefined) this.#order.waitAgain();
    const applied = this.#progress();
    return applied === undefined ? sends : [...sends, applied];
  }

  /** Type by type, in the order in which they are sent. */
  get asked(): readonly Asked[] {
    return this.#subscriptions.inOrder;
  }

  /** Undefined when there is more to it, or somebody else has a say: the client has other streams, or each answer repeats the names. */
  get standing(): Standing | undefined {
    const { protocol, others } = this.#options;
    if (protocol !== 'delta' || others !== undefined || this.#responder.owesAnswer) return undefined;
    if (!this.#order.isAsUsual || this.#subscriptions.inOrder.length === 0) return undefined;
    let underWay: Standing['underWay'];
    for (const { typeUrl, isFirst, isBehind, isRefusing, refusals, verdicts } of this.#subscriptions.inOrder) {
      if (isFirst || isBehind || isRefusing || !refusals.isEmpty) return undefined;
      if (verdicts.isSettled) continue;
      const sent = verdicts.onlyOne;
      if (sent === undefined || underWay !== undefined) return undefined;
      underWay = { typeUrl, sent };
    }
    const { state, nonce } = this.#responder;
    return { state, reported: this.#reported, nonce, underWay };
  }

  /** Goes on from where somebody else has brought the stream. `nonces`: of the last responses meanwhile, by type URL. */
  resume({
    state,
    reported,
    nonce,
    underWay,
    nonces,
  }: Standing & { readonly nonces: Iterable<readonly [typeUrl: string, nonce: string]> }): void {
    this.#responder.goOn(state, nonce);
    this.#reported = reported;
    this.#hasAskedForMore = false;
    for (const [typeUrl, last] of nonces) this.#subscriptions.get(typeUrl)?.verdicts.onSentElsewhere(last);
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

  /** Whether the change is of something that the client asked for. */
  isConcernedBy(change: SnapshotChange): boolean {
    return this.#options.view
      .changes(change)
      .some(({ typeUrl, name }) => this.#subscriptions.get(typeUrl)?.covers(name));
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

  /** Whether the client has asked for clusters. */
  get hasClusters(): boolean {
    return this.#subscriptions.get(typeUrls.cluster) !== undefined;
  }

  /** How long that is worth waiting for, in milliseconds. */
  get holdsMs(): number {
    return this.#order.holdsMs;
  }

  /** Its client comes back, and may be about to open its other streams. */
  get awaitsStreams(): boolean {
    return this.#comeback.awaitsStreams;
  }

  giveUpStreams(): void {
    this.#comeback.giveUpStreams();
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
    const { revision, sequence } = this.#responder.state;
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
    for (const one of this.#subscriptions.inOrder) isSettled &&= one.isAnswered && !this.#responder.isBehind(one);
    if (isSettled) {
      this.#checkpoints.clear();
      this.#hasAskedForMore = false;
      return this.#responder.state;
    }
    // Without what is taken away, which may go later.
    let isSent = this.#subscriptions.inOrder.length > 0;
    let oldest = Number.POSITIVE_INFINITY;
    for (const one of this.#subscriptions.inOrder) {
      isSent &&= !this.#responder.owes(one) && !this.#order.hasNews(one);
      if (!one.isAnswered) oldest = Math.min(oldest, Number(one.verdicts.oldestOfAll));
    }
    const { state, nonce } = this.#responder;
    if (this.#hasAskedForMore) this.#checkpoints.onMoreSent(isSent ? nonce : undefined);
    this.#hasAskedForMore = false;
    if (isSent) this.#checkpoints.onSent(state, nonce);
    return this.#checkpoints.passed(oldest);
  }

  #nameCount(): number {
    let count = 0;
    for (const { names } of this.#subscriptions.inOrder) count += names.size;
    return count;
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
