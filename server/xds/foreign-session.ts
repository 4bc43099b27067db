/**
 * The stream of a client that is not ours (Envoy, gRPC): state of the world or delta, resource by resource. Such a
 * client applies each type as it comes, so the order counts: clusters, endpoints, then routes; what is taken away goes
 * last (xds.md 1.5, 1.6, 1.9). No I/O here.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { ClusterNews } from './cluster-news.ts';
import { contentVersion, fullResponses, isTooMuch, isWholeSet } from './full-responses.ts';
import { heldResources } from './held-resources.ts';
import type { NameSets } from './name-sets.ts';
import { refusedResources } from './refusals.ts';
import type { Effect, HeldResource, Protocol, Request, Response, Session } from './session.ts';
import type { OtherStreams } from './siblings.ts';
import { type Held, Subscription } from './subscription.ts';
import type { Verdict } from './verdicts.ts';

const INVALID_ARGUMENT = 3;

const none: readonly Response[] = [];

/** More names than this on one stream are a fault of the client, and would cost this server memory. */
const mostNames = 100_000;

/** No resource of ours has a longer one: the longest are of services of 253 characters, with port and subset. */
const longestName = 1_024;

/** Delta responses of one type that may be under way; what changes meanwhile joins the next. */
const mostUnanswered = 8;

/** These wait until the client has taken the clusters that they name. Endpoints never wait: clusters wait for them. */
const waitsForClusters: ReadonlySet<string> = new Set([
  typeUrls.listener,
  typeUrls.scopedRoute,
  typeUrls.routeConfiguration,
]);

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

export class ForeignSession<Member = unknown> implements Session {
  readonly #options: ForeignSessionOptions<Member>;
  readonly #subscriptions = new Map<string, Subscription<Member>>();
  /** The same, in the order of the view's types: each step walks through them. */
  #inOrder: readonly Subscription<Member>[] = [];
  /** Types that must be answered even if nothing of them differs. */
  readonly #owed = new Set<string>();
  readonly #clusterNews = new ClusterNews();
  /** Routes wait for clusters on another stream. */
  #isHeld = false;
  /** What the client was to ask for by now, and something else waits for. */
  #holdsFor: string | undefined;
  /** The answer to the clusters is overdue: routes go on without it. */
  #isClusterWaitOver = false;
  #nonce = 0;
  /** The state that was last looked at. */
  #flushed = { revision: 0, sequence: 0 };
  /** The state that was last reported as applied; none since a refusal. */
  #reported: { readonly revision: number; readonly sequence: number } | undefined;
  /** The state from which the response was cut that was last refused. */
  #refusedSequence = 0;

  constructor(options: ForeignSessionOptions<Member>) {
    this.#options = options;
  }

  /** Takes in what the client says; `flush` answers it. */
  onRequest(request: Request): Effect[] {
    if (!this.#options.view.typeUrls.includes(request.typeUrl)) return [{ is: 'odd', what: 'unknown-type' }];
    const faults = faultsOf(request);
    if (faults !== undefined) return [faults];
    const subscription = this.#subscription(request.typeUrl);
    const { isFirst } = subscription;
    const verdict = subscription.verdict(request);
    const refusals = this.#onVerdict(subscription, verdict, request);
    if (verdict.isStale) return refusals;
    subscription.update(request);
    if (this.#nameCount() > mostNames) {
      const message = `more than ${mostNames} names on one stream`;
      return [...refusals, { is: 'close', code: INVALID_ARGUMENT, message }];
    }
    if (isFirst && request.typeUrl === typeUrls.endpoint) this.#forceEndpoints(this.#clusterNews.takeChanged());
    // The first answer to a wildcard is owed even when it is empty: a starting Envoy waits for it.
    if (isFirst && subscription.isWildcard) this.#owed.add(request.typeUrl);
    return refusals;
  }

  /** Whether all of a type is to be sent: much, as a rule. */
  get hasMuchToSend(): boolean {
    for (const { hasNothing } of this.#inOrder) if (hasNothing) return true;
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
    this.#isHeld = false;
    this.#holdsFor = undefined;
    // Most often an acknowledgement is all there was.
    const sends = this.#hasToSend() ? this.#takeSends() : [];
    const applied = this.#progress();
    return applied === undefined ? sends : [...sends, applied];
  }

  /** What was waited for longest has not come in time: `flush` goes on without it. */
  onOverdue(): Effect[] {
    const isUnanswered = this.#inOrder.some(({ verdicts }) => verdicts.unanswered > 0);
    this.giveUpClusters();
    for (const { verdicts } of this.#inOrder) verdicts.onOverdue();
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
    for (const { verdicts } of this.#inOrder) {
      const { oldest } = verdicts;
      if (oldest !== undefined && (longest === undefined || Number(oldest) < Number(longest))) longest = oldest;
    }
    return longest ?? (this.#isHeld ? 'held' : undefined);
  }

  /** What routes or scopes wait for longest that the client is to ask for; undefined: nothing. */
  get holdsFor(): string | undefined {
    return this.#holdsFor;
  }

  /** Clusters are waited for no longer. */
  giveUpClusters(): void {
    this.#isClusterWaitOver = true;
    this.#isHeld = false;
    this.#holdsFor = undefined;
    this.#clusterNews.giveUpAdded();
  }

  /** Whether the client has not taken all its clusters, or has no endpoints for one that is new to it. */
  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    const clusters = this.#subscriptions.get(typeUrls.cluster);
    if (clusters === undefined || this.#isClusterWaitOver) return false;
    const lacking = this.#lackingEndpoints(clusters, has);
    return lacking !== undefined || clusters.verdicts.unanswered > 0 || this.#hasNews(clusters);
  }

  /** Whether the client has answered what it was sent of this resource on this stream. */
  hasTaken(typeUrl: string, name: string): boolean {
    return this.#subscriptions.get(typeUrl)?.hasTaken(name) === true;
  }

  /** Whether the client refuses the resource as it is. */
  refuses(typeUrl: string, name: string): boolean {
    return this.#subscriptions.get(typeUrl)?.refusals.all.has(name) === true;
  }

  get isWildcard(): boolean {
    for (const { isWildcard } of this.#inOrder) if (isWildcard) return true;
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
    for (const subscription of this.#inOrder) yield* heldResources(subscription);
  }

  close(): void {
    for (const subscription of this.#inOrder) subscription.close();
  }

  #subscription(typeUrl: string): Subscription<Member> {
    const { protocol, view, member, allowsLegacyWildcard, setsOf } = this.#options;
    const present = this.#subscriptions.get(typeUrl);
    if (present !== undefined) return present;
    const mayBeLegacyWildcard = allowsLegacyWildcard && hasLegacyWildcard.has(typeUrl);
    const sets = setsOf(typeUrl);
    const subscription = new Subscription<Member>({ typeUrl, protocol, view, member, sets, mayBeLegacyWildcard });
    this.#subscriptions.set(typeUrl, subscription);
    this.#inOrder = view.typeUrls.flatMap((type) => this.#subscriptions.get(type) ?? []);
    return subscription;
  }

  #onVerdict(
    subscription: Subscription<Member>,
    { is, response, isStale, isUnknown }: Verdict,
    { error }: Request,
  ): Effect[] {
    if (is === 'ack' && this.waitsFor === undefined) this.#isClusterWaitOver = false;
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
    if (this.#reported?.revision === revision && this.#reported.sequence === sequence) return undefined;
    let isRefusing = false;
    let isSettled = this.#inOrder.length > 0;
    for (const one of this.#inOrder) {
      isRefusing ||= one.isRefusing;
      isSettled &&= one.isAnswered && !this.#isBehind(one);
    }
    // What came after the refused revision is used, in so far as it was not refused.
    if (!isSettled || (isRefusing && sequence <= this.#refusedSequence)) return undefined;
    this.#reported = this.#flushed;
    return { is: 'applied', revision, sequence, isRefusing };
  }

  #hasToSend(): boolean {
    if (this.#owed.size > 0) return true;
    for (const { isBehind } of this.#inOrder) if (isBehind) return true;
    return false;
  }

  #takeSends(): Effect[] {
    const sends: Effect[] = [];
    for (const subscription of this.#inOrder) {
      for (const response of this.#respond(subscription)) sends.push({ is: 'send', response });
    }
    if (!this.#mayRemove()) return sends;
    for (let index = this.#inOrder.length - 1; index >= 0; index--) {
      const response = this.#remove(this.#inOrder[index]);
      if (response !== undefined) sends.push({ is: 'send', response });
    }
    return sends;
  }

  #nameCount(): number {
    let count = 0;
    for (const { names } of this.#inOrder) count += names.size;
    return count;
  }

  #respond(subscription: Subscription<Member>): readonly Response[] {
    const isDue = subscription.isBehind || this.#owed.has(subscription.typeUrl);
    if (!isDue || !this.#maySend(subscription)) return none;
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
    if (typeUrl === typeUrls.cluster) this.#noteAdded(subscription, namesOf(changed));
    for (const { name } of changed) subscription.inStep(name);
    for (const name of absent) subscription.inStep(name);
    if (typeUrl === typeUrls.cluster) this.#forceEndpoints(namesOf(changed));
    const resources = this.#isWhole(typeUrl) ? this.#wholeSet(subscription) : changed;
    const version = contentVersion(resources);
    const response = this.#response(subscription, { resources, removed: absent, version, changed, replaced });
    // In delta the rest may follow at once; in state of the world it waits for its turn.
    return isPart && this.#maySend(subscription) ? [response, ...this.#respondWithNews(subscription)] : [response];
  }

  /** Which of these are new to the client. Clusters of no service have no endpoints to wait for. */
  #noteAdded(clusters: Subscription<Member>, names: readonly string[]): void {
    for (const name of names) {
      const hasEndpoints = this.#options.view.ownerOf(typeUrls.endpoint, name) !== '';
      if (hasEndpoints && clusters.held(name) === undefined) this.#clusterNews.added(name);
    }
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
      } else if (!this.#isRefused(subscription, resource, held) && !this.#waitsForRoutes(resource, held)) {
        isPart = !this.#isWhole(subscription.typeUrl) && isTooMuch(bytes, resource);
        if (isPart) break;
        bytes += resource.size;
        changed.push(resource);
      }
    }
    return { changed, absent, isPart };
  }

  /** A bounded number of responses under way per type, one in state of the world; routes wait for their clusters. */
  #maySend({ typeUrl, verdicts }: Subscription<Member>): boolean {
    if (verdicts.unanswered >= (this.#options.protocol === 'sotw' ? 1 : mostUnanswered)) return false;
    if (!waitsForClusters.has(typeUrl) || this.#isClusterWaitOver) return true;
    const clusters = this.#subscriptions.get(typeUrls.cluster);
    if (clusters === undefined) {
      this.#isHeld = this.#options.others?.areClustersUnderWay() === true;
      return !this.#isHeld;
    }
    if (clusters.verdicts.unanswered > 0) return false;
    const lacking = this.#lackingEndpoints(clusters, (name) => this.#hasEndpoints(name));
    if (lacking !== undefined) this.#holdsFor ??= `endpoints of ${lacking}`;
    return lacking === undefined;
  }

  /** The first cluster that is new to the client, and still wanted, without its endpoints. */
  #lackingEndpoints(clusters: Subscription<Member>, has: (cluster: string) => boolean): string | undefined {
    return this.#clusterNews.firstAdded(
      (name) => has(name) || clusters.held(name) === undefined || clusters.refusals.all.has(name),
    );
  }

  /** Of an aggregated stream. Who asks for no endpoints at all is not waited for, nor for what there is not. */
  #hasEndpoints(cluster: string): boolean {
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    if (endpoints === undefined || endpoints.hasTaken(cluster)) return true;
    return this.#options.view.resource(typeUrls.endpoint, cluster) === undefined;
  }

  /**
   * A scope that the client has is led elsewhere only when it has the routes there: a request in between would find none. It
   * asks for them as soon as it has another scope that leads there, and each service has one of its own.
   */
  #waitsForRoutes({ routes }: EncodedResource, held: Held | undefined): boolean {
    if (routes === '' || !held || held.version === null || this.#isClusterWaitOver) return false;
    const { others, view } = this.#options;
    const type = typeUrls.routeConfiguration;
    const isThere = view.resource(type, routes) === undefined || this.hasTaken(type, routes);
    if (isThere || others?.hasTaken(type, routes)) return false;
    this.#holdsFor ??= `routes ${routes}`;
    return true;
  }

  /** Whether the client refuses it as it is, or what it leads to: it keeps what it has. */
  #isRefused({ refusals }: Subscription<Member>, resource: EncodedResource, held: Held | undefined): boolean {
    if (refusals.has(resource)) return true;
    const { routes } = resource;
    if (routes === '' || !held || held.version === null) return false;
    const type = typeUrls.routeConfiguration;
    return this.refuses(type, routes) || this.#options.others?.refuses(type, routes) === true;
  }

  /** Of these clusters. A stream with clusters alone never asks for any. */
  #forceEndpoints(clusters: 'all' | Iterable<string>): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    if (endpoints === undefined) {
      if (this.#options.others === undefined) this.#clusterNews.changed(clusters);
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

  /** Nothing is taken away before all that replaces it has been taken. */
  #mayRemove(): boolean {
    if (this.#isClusterWaitOver) return true;
    return this.#inOrder.every(
      (each) => !waitsForClusters.has(each.typeUrl) || (each.verdicts.unanswered === 0 && !this.#hasNews(each)),
    );
  }

  /** Whether a removal of routes, or of what leads to them, is not taken yet: until then clusters may be sent to. */
  #mayBeInUse(typeUrl: string): boolean {
    if (waitsForClusters.has(typeUrl) || this.#isClusterWaitOver) return false;
    return this.#inOrder.some((each) => waitsForClusters.has(each.typeUrl) && each.verdicts.unanswered > 0);
  }

  /** Whether something that the client asked for waits to be sent. */
  #hasNews(subscription: Subscription<Member>): boolean {
    if (subscription.hasNothing) return true;
    for (const [name, held] of subscription.behind()) {
      const resource = this.#options.view.resource(subscription.typeUrl, name);
      const isNews = resource && subscription.covers(name) && held?.version !== resource.version;
      if (isNews && !this.#isRefused(subscription, resource, held)) return true;
    }
    return false;
  }

  /** Whether anything of the type, an empty answer or a removal included, waits to be sent. */
  #isBehind(subscription: Subscription<Member>): boolean {
    if (this.#owed.has(subscription.typeUrl) || this.#hasNews(subscription)) return true;
    for (const _ of this.#gone(subscription)) return true;
    return false;
  }

  /**
   * What the client is to let go of. Of a service of which it refuses something it keeps what it has: what was to replace it, or
   * the routes that let go of it, it did not take.
   */
  *#gone(subscription: Subscription<Member>): Generator<string> {
    const { typeUrl } = subscription;
    const { view } = this.#options;
    let refusing: ReadonlySet<string> | undefined;
    for (const [name, held] of subscription.behind()) {
      if (held === undefined || view.resource(typeUrl, name) !== undefined) continue;
      refusing ??= this.#ownersOfRefused();
      if (!refusing.has(view.ownerOf(typeUrl, name))) yield name;
    }
  }

  /** Services of which a listener, scope or route is refused. */
  #ownersOfRefused(): ReadonlySet<string> {
    const { view } = this.#options;
    const owners = new Set<string>();
    for (const typeUrl of waitsForClusters) {
      const refused = this.#subscriptions.get(typeUrl)?.refusals.all.keys() ?? [];
      for (const name of refused) owners.add(view.ownerOf(typeUrl, name));
    }
    // Of no service: what is of the node alone.
    owners.delete('');
    return owners;
  }

  #remove(subscription: Subscription<Member> | undefined): Response | undefined {
    if (!subscription?.isBehind || !this.#maySend(subscription)) return undefined;
    const { typeUrl } = subscription;
    if (this.#mayBeInUse(typeUrl)) return undefined;
    const gone = [...this.#gone(subscription)];
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
