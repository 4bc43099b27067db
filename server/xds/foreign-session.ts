/**
 * The stream of a client that is not ours (Envoy, gRPC): state of the world or delta, resource by resource. Such a
 * client applies each type as it comes, so the order counts: clusters, endpoints, then routes; what is taken away goes
 * last (xds.md 1.5, 1.6, 1.9). No I/O here.
 */
import { createHash } from 'node:crypto';
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { Effect, HeldResource, Interest, Request, Response, Session } from './session.ts';
import { type NameChange, type Protocol, Subscription, type Verdict } from './subscription.ts';

const INVALID_ARGUMENT = 3;

/** More names than this on one stream are a fault of the client, and would cost this server memory. */
const mostNames = 100_000;

/** Delta responses of one type that may be under way; what changes meanwhile joins the next. */
const mostUnanswered = 8;

/** These wait until the client has taken the clusters that they name. Endpoints never wait: clusters wait for them. */
const waitsForClusters: ReadonlySet<string> = new Set([typeUrls.listener, typeUrls.routeConfiguration]);

/** A response of these types is the whole set: what it leaves out is deleted. */
const isWholeSet: ReadonlySet<string> = new Set([typeUrls.cluster, typeUrls.listener]);

export interface ForeignSessionOptions {
  readonly cache: Pick<SnapshotCache, 'revision' | 'sequence'>;
  /** What the client is served; types that it asks for and the view does not have are never answered. */
  readonly view: ClientView;
  readonly interest: Interest;
  readonly protocol: Protocol;
  /** gRPC clients never mean everything by an empty list. */
  readonly allowsLegacyWildcard: boolean;
}

export class ForeignSession implements Session {
  readonly #options: ForeignSessionOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Names to look at, by type. */
  readonly #dirty = new Map<string, Set<string>>();
  /** Types that must be answered even if nothing of them differs. */
  readonly #owed = new Set<string>();
  /** The answer to the clusters is overdue: routes go on without it. */
  #isClusterWaitOver = false;
  #nonce = 0;
  /** The state that was last looked at. */
  #flushed = { revision: 0, sequence: 0 };
  /** The state that was last reported as applied; none since a refusal. */
  #reported: { readonly revision: number; readonly sequence: number } | undefined;
  /** Service key -> how many of the names belong to it. */
  readonly #owners = new Map<string, number>();
  #nameCount = 0;

  constructor(options: ForeignSessionOptions) {
    this.#options = options;
  }

  onRequest(request: Request): Effect[] {
    if (!this.#options.view.typeUrls.includes(request.typeUrl)) return [];
    const subscription = this.#subscription(request.typeUrl);
    const isFirst = subscription.isFirst;
    const verdict = subscription.verdict(request);
    const refusals = this.#onVerdict(verdict, request);
    if (verdict.isStale) return [...refusals, ...this.flush()];
    const { asked, ...names } = subscription.update(request);
    this.#follow(request.typeUrl, names);
    if (this.#nameCount > mostNames) {
      return [
        ...refusals,
        { is: 'close', code: INVALID_ARGUMENT, message: `more than ${mostNames} names on one stream` },
      ];
    }
    for (const name of asked) this.#mark(request.typeUrl, name);
    if (asked.includes('*')) this.#markAll(subscription);
    if (isFirst) for (const name of subscription.sent.keys()) this.#mark(request.typeUrl, name);
    // The first answer to a wildcard is owed even when it is empty: a starting Envoy waits for it.
    if (isFirst && subscription.isWildcard) this.#owed.add(request.typeUrl);
    return [...refusals, ...this.flush()];
  }

  onChange(change: SnapshotChange): void {
    for (const { typeUrl, name } of this.#options.view.changes(change)) this.#mark(typeUrl, name);
  }

  flush(): Effect[] {
    this.#flushed = { revision: this.#options.cache.revision, sequence: this.#options.cache.sequence };
    const order = this.#options.view.typeUrls;
    const responses = order.flatMap((typeUrl) => this.#respond(typeUrl) ?? []);
    const removals = this.#mayRemove() ? [...order].reverse().flatMap((typeUrl) => this.#remove(typeUrl) ?? []) : [];
    const sends = [...responses, ...removals].map((response): Effect => ({ is: 'send', response }));
    return [...sends, ...this.#progress()];
  }

  onOverdue(): Effect[] {
    this.#isClusterWaitOver = true;
    for (const subscription of this.#subscriptions.values()) subscription.onOverdue();
    return this.flush();
  }

  /** Whether a change of the rules changes something that the client asked for. */
  isTouchedBy(change: SnapshotChange): boolean {
    return this.#options.view
      .changes(change)
      .some(({ typeUrl, name }) => typeUrl !== typeUrls.endpoint && this.#subscriptions.get(typeUrl)?.covers(name));
  }

  get isWaiting(): boolean {
    return [...this.#subscriptions.values()].some(({ unanswered }) => unanswered.size > 0);
  }

  get isWildcard(): boolean {
    return [...this.#subscriptions.values()].some((subscription) => subscription.isWildcard);
  }

  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const byType = [...this.#subscriptions.values()].map(({ typeUrl, sent }) => {
      const versions = [...sent].map(([name, { version }]): [string, string] => [name, version ?? '']);
      return [typeUrl, new Map(versions)] as const;
    });
    return new Map(byType);
  }

  *resources(): Generator<HeldResource> {
    for (const subscription of this.#subscriptions.values()) yield* heldIn(subscription);
  }

  close(): void {
    for (const owner of this.#owners.keys()) this.#options.interest.releaseService(owner);
    this.#owners.clear();
  }

  #subscription(typeUrl: string): Subscription {
    const { protocol, allowsLegacyWildcard } = this.#options;
    const present = this.#subscriptions.get(typeUrl);
    const subscription =
      present ?? new Subscription(typeUrl, protocol, allowsLegacyWildcard && isWholeSet.has(typeUrl));
    this.#subscriptions.set(typeUrl, subscription);
    return subscription;
  }

  #onVerdict({ is, response }: Verdict, { error }: Request): Effect[] {
    if (is === 'ack' && !this.isWaiting) this.#isClusterWaitOver = false;
    if (!response || !error) return [];
    this.#reported = undefined;
    return [{ is: 'refused', revision: response.revision, ...error }];
  }

  /** Said once of each state, when the client has taken all of it that it asked for: after what this step sends. */
  #progress(): Effect[] {
    const subscriptions = [...this.#subscriptions.values()];
    const isSettled = subscriptions.length > 0 && subscriptions.every((one) => one.isTaken && !this.#isBehind(one));
    const { revision, sequence } = this.#flushed;
    if (!isSettled || (this.#reported?.revision === revision && this.#reported.sequence === sequence)) return [];
    this.#reported = this.#flushed;
    return [{ is: 'applied', revision, sequence }];
  }

  /** Keeps the index of who is concerned by what in step with the names. */
  #follow(typeUrl: string, { added, dropped }: Pick<NameChange, 'added' | 'dropped'>): void {
    const { interest, view } = this.#options;
    this.#nameCount += added.length - dropped.length;
    for (const name of added) {
      const owner = view.ownerOf(typeUrl, name);
      const count = this.#owners.get(owner) ?? 0;
      if (count === 0) interest.holdService(owner);
      this.#owners.set(owner, count + 1);
    }
    for (const name of dropped) {
      const owner = view.ownerOf(typeUrl, name);
      const count = (this.#owners.get(owner) ?? 0) - 1;
      if (count > 0) {
        this.#owners.set(owner, count);
      } else {
        this.#owners.delete(owner);
        interest.releaseService(owner);
      }
    }
  }

  /** What the client neither asked for nor has does not count. */
  #mark(typeUrl: string, name: string): void {
    const subscription = this.#subscriptions.get(typeUrl);
    if (name === '*' || !(subscription?.covers(name) || subscription?.sent.has(name))) return;
    const names = this.#dirty.get(typeUrl) ?? new Set<string>();
    this.#dirty.set(typeUrl, names.add(name));
  }

  #markAll({ typeUrl }: Subscription): void {
    for (const { name } of this.#options.view.resources(typeUrl)) this.#mark(typeUrl, name);
  }

  #resource(typeUrl: string, name: string): EncodedResource | undefined {
    return this.#options.view.resource(typeUrl, name);
  }

  #respond(typeUrl: string): Response | undefined {
    const subscription = this.#subscriptions.get(typeUrl);
    if (!subscription || !this.#maySend(subscription)) return undefined;
    const dirty = [...(this.#dirty.get(typeUrl) ?? [])].filter((name) => subscription.covers(name));
    const changed = dirty.flatMap((name) => {
      const resource = this.#resource(typeUrl, name);
      return resource && subscription.sent.get(name)?.version !== resource.version ? [resource] : [];
    });
    const absent = this.#options.protocol === 'delta' ? this.#absent(subscription, dirty) : [];
    if (changed.length + absent.length === 0 && !this.#owed.has(typeUrl)) return undefined;
    this.#owed.delete(typeUrl);
    this.#keepGone(typeUrl, subscription);
    for (const resource of changed) subscription.sent.set(resource.name, { version: resource.version, resource });
    for (const name of absent) subscription.sent.delete(name);
    if (typeUrl === typeUrls.cluster) this.#forceEndpoints(changed);
    return this.#response(subscription, this.#isWhole(typeUrl) ? this.#wholeSet(subscription) : changed, absent);
  }

  /** A bounded number of responses under way per type, one in state of the world; routes wait for their clusters. */
  #maySend({ typeUrl, unanswered }: Subscription): boolean {
    if (unanswered.size >= (this.#options.protocol === 'sotw' ? 1 : mostUnanswered)) return false;
    const clusters = this.#subscriptions.get(typeUrls.cluster);
    const isClusterPending = (clusters?.unanswered.size ?? 0) > 0 && !this.#isClusterWaitOver;
    return !(waitsForClusters.has(typeUrl) && isClusterPending);
  }

  /** Names that were asked for and are not there: said once, in delta. */
  #absent(subscription: Subscription, dirty: readonly string[]): string[] {
    return dirty.filter(
      (name) => subscription.sent.get(name)?.version === null && !this.#resource(subscription.typeUrl, name),
    );
  }

  /** What is dirty but gone stays dirty until it may be removed. */
  #keepGone(typeUrl: string, { sent }: Subscription): void {
    const gone = [...(this.#dirty.get(typeUrl) ?? [])].filter(
      (name) => sent.has(name) && !this.#resource(typeUrl, name),
    );
    this.#dirty.set(typeUrl, new Set(gone));
  }

  /** A changed cluster warms until it gets its endpoints again, although the client does not ask (xds.md 5.2). */
  #forceEndpoints(clusters: readonly EncodedResource[]): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    for (const { name } of clusters) {
      this.#mark(typeUrls.endpoint, name);
      if (endpoints?.covers(name)) endpoints.sent.set(name, { version: null });
    }
  }

  #isWhole(typeUrl: string): boolean {
    return this.#options.protocol === 'sotw' && isWholeSet.has(typeUrl);
  }

  /** All that the client shall have now: what is gone too, until the routes have let go of it. */
  #wholeSet({ sent }: Subscription): EncodedResource[] {
    return [...sent.values()].flatMap(({ resource }) => resource ?? []);
  }

  /** Nothing is taken away before all that replaces it has been taken. */
  #mayRemove(): boolean {
    if (this.#isClusterWaitOver) return true;
    return [...waitsForClusters].every((typeUrl) => {
      const subscription = this.#subscriptions.get(typeUrl);
      if (!subscription) return true;
      return subscription.unanswered.size === 0 && !this.#hasNews(subscription);
    });
  }

  /** Whether something that the client asked for waits to be sent. */
  #hasNews(subscription: Subscription): boolean {
    const { typeUrl, sent } = subscription;
    return [...(this.#dirty.get(typeUrl) ?? [])].some((name) => {
      const resource = this.#resource(typeUrl, name);
      return resource && subscription.covers(name) && sent.get(name)?.version !== resource.version;
    });
  }

  /** Whether anything of the type, an empty answer or a removal included, waits to be sent. */
  #isBehind(subscription: Subscription): boolean {
    const { typeUrl, sent } = subscription;
    const isGone = (name: string) => sent.has(name) && !this.#resource(typeUrl, name);
    return this.#owed.has(typeUrl) || this.#hasNews(subscription) || [...(this.#dirty.get(typeUrl) ?? [])].some(isGone);
  }

  #remove(typeUrl: string): Response | undefined {
    const subscription = this.#subscriptions.get(typeUrl);
    if (!subscription || !this.#maySend(subscription)) return undefined;
    const gone = [...(this.#dirty.get(typeUrl) ?? [])].filter(
      (name) => subscription.sent.has(name) && !this.#resource(typeUrl, name),
    );
    this.#dirty.delete(typeUrl);
    if (gone.length === 0) return undefined;
    for (const name of gone) subscription.sent.delete(name);
    if (this.#options.protocol === 'delta') return this.#response(subscription, [], gone);
    // State of the world says so by leaving out; endpoints and routes that nobody names need no word.
    return isWholeSet.has(typeUrl) ? this.#response(subscription, this.#wholeSet(subscription), []) : undefined;
  }

  #response(subscription: Subscription, resources: readonly EncodedResource[], removed: readonly string[]): Response {
    const nonce = String(++this.#nonce);
    subscription.onSent({ nonce, resources, isWhole: this.#isWhole(subscription.typeUrl), ...this.#flushed });
    return { typeUrl: subscription.typeUrl, nonce, version: versionOf(subscription), resources, removed };
  }
}

function* heldIn({ typeUrl, names, sent, unanswered, refused }: Subscription): Generator<HeldResource> {
  const underWay = new Set([...unanswered.values()].flatMap(({ resources }) => resources.map(({ name }) => name)));
  const refusedVersions = new Map(refused?.response.resources.map(({ name, version }) => [name, version]));
  for (const [name, { version, resource }] of sent) {
    const held = { typeUrl, name, version: version ?? '', refused: undefined, resource };
    if (version === null) yield { ...held, state: 'requested' };
    else if (underWay.has(name)) yield { ...held, state: 'sent' };
    else if (refused && refusedVersions.get(name) === version) {
      yield { ...held, state: 'nacked', refused: { version, message: refused.message } };
    } else yield { ...held, state: 'acked' };
  }
  for (const name of names) {
    if (!sent.has(name)) {
      yield { typeUrl, name, version: '', state: 'requested', refused: undefined, resource: undefined };
    }
  }
}

/** Of a whole type: the hash of what the client has of it, the same on every server. */
function versionOf({ sent }: Subscription): string {
  const hash = createHash('sha256');
  for (const [name, { version }] of [...sent].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name} ${version}\n`);
  return hash.digest('hex').slice(0, 16);
}
