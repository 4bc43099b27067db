/**
 * A client that was connected before, to this server or another. It goes on by what it has, so what has gone meanwhile stays until nothing of
 * the client leads to it any more (xds.md 1.9). In delta a client says what it has. In state of the world, where what a whole set leaves out is
 * deleted, it is found out: gRPC libraries name their clusters; and an Envoy, with all that it asks for in one breath, names the endpoints of
 * its clusters and the routes of its scopes.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { contentVersion, fullResponses } from './full-responses.ts';
import type { Protocol, Request } from './session.ts';
import type { Subscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Of clusters that have gone, the newest: a client with a stream for each type may have them, and it cannot be found out. */
const mostGuessed = 32;

/** What the first answer about a type has to take into account. */
export interface Luggage {
  /** What the client has: in place of what is there now, or gone. */
  readonly former: readonly EncodedResource[];
  /** Clusters that are new to the client. */
  readonly lacking: readonly string[];
}

const nothing: Luggage = { former: [], lacking: [] };
const versionOfNothing = contentVersion([]);

export interface ComebackOptions<Member> {
  readonly subscriptions: Subscriptions<Member>;
  readonly cache: Pick<SnapshotCache, 'sequence'>;
  readonly view: ClientView;
  readonly protocol: Protocol;
  /** The client has no other streams. */
  readonly isAlone: boolean;
}

export class Comeback<Member> {
  readonly #options: ComebackOptions<Member>;
  /** Clusters that were gone when it came and that it has, or may have. */
  readonly #kept = new Set<string>();
  /** Listeners that were gone when it came and that it names. */
  readonly #listeners = new Set<string>();
  /** Types of which it has another set than there is now, and that were not answered yet. */
  readonly #unanswered = new Set<string>();
  readonly #luggage = new Map<string, Luggage>();
  #awaitsStreams = false;
  #hasGivenUp = false;

  constructor(options: ComebackOptions<Member>) {
    this.#options = options;
  }

  /** To be called with the first request for each type. */
  onFirst(request: Request): void {
    const { subscriptions, protocol } = this.#options;
    const subscription = subscriptions.get(request.typeUrl);
    if (subscription === undefined) return;
    if (protocol === 'delta') this.#onVersions(subscription, request);
    else this.#onFirstOfSets(subscription, request);
  }

  /** Of a client with a stream for each type: the others come back when they will. */
  get awaitsStreams(): boolean {
    return this.#awaitsStreams;
  }

  /**
   * Whether the client, an Envoy that has routes, is about to ask for clusters: while some of those that it has wait for their endpoints it does
   * not, for up to 15 s (`initial_fetch_timeout`).
   */
  isAboutToAskForClusters({ hasPresented, presentedVersion }: Subscription<Member>): boolean {
    const { subscriptions, view, isAlone } = this.#options;
    if (this.#hasGivenUp || !isAlone || subscriptions.get(typeUrls.cluster) !== undefined) return false;
    const isBack = hasPresented || (presentedVersion !== '' && presentedVersion !== versionOfNothing);
    return isBack && view.typeUrls.includes(typeUrls.scopedRoute);
  }

  /** Whether the client is about to say what it has of the type. */
  isAboutToSay(typeUrl: string): boolean {
    return this.#unanswered.has(typeUrl) && !this.#luggage.has(typeUrl);
  }

  /** Whether the scopes that the client has may lead elsewhere than they will: then routes come before scopes. */
  get sendsRoutesFirst(): boolean {
    return this.#unanswered.has(typeUrls.scopedRoute);
  }

  /** For the answer that goes out now. */
  take(typeUrl: string): Luggage {
    const luggage = this.#luggage.get(typeUrl) ?? nothing;
    this.#unanswered.delete(typeUrl);
    this.#luggage.delete(typeUrl);
    return luggage;
  }

  /** Whether it is gone and stays for as long as the client names it, as it does for those who were here all the time. */
  staysNamed(typeUrl: string, name: string): boolean {
    return typeUrl === typeUrls.listener && this.#listeners.has(name);
  }

  /** What the client is waited for before clusters, of which these are `gone`, may be taken away; undefined: nothing. */
  waitsFor(gone: () => readonly string[]): string | undefined {
    const { subscriptions, isAlone, protocol } = this.#options;
    if (!isAlone) return undefined;
    const hasAskedForRoutes = subscriptions.get(typeUrls.routeConfiguration) !== undefined;
    const isNaming = protocol === 'sotw' && subscriptions.get(typeUrls.cluster)?.isWildcard === false;
    if (isNaming && hasAskedForRoutes) {
      // A library takes routes before it goes by them: it still names what it goes by.
      const [named] = gone();
      return named && `it to let go of ${named}`;
    }
    if (this.#kept.size === 0 || hasAskedForRoutes) return undefined;
    const cluster = gone().find((name) => this.#kept.has(name));
    return cluster && `routes that may lead to ${cluster}`;
  }

  /** Whether these clusters, which are gone, stay for routes that another stream may still bring. */
  isKeeping(gone: () => readonly string[]): boolean {
    return this.#awaitsStreams && this.#kept.size > 0 && gone().some((name) => this.#kept.has(name));
  }

  /** Nothing more is to be heard on this stream. */
  giveUp(): void {
    this.#unanswered.clear();
    this.#hasGivenUp = true;
    if (this.#options.isAlone) this.#kept.clear();
  }

  giveUpStreams(): void {
    this.#awaitsStreams = false;
  }

  #onVersions({ typeUrl, hasPresented }: Subscription<Member>, { initialVersions }: Request): void {
    const { view, isAlone } = this.#options;
    this.#awaitsStreams = hasPresented && !isAlone;
    if (typeUrl !== typeUrls.cluster) return;
    for (const name of Object.keys(initialVersions)) {
      if (view.resource(typeUrl, name) === undefined) this.#kept.add(name);
    }
  }

  #onFirstOfSets(subscription: Subscription<Member>, { typeUrl, subscribe }: Request): void {
    const { subscriptions, isAlone } = this.#options;
    const isAsked = !isAlone || typeUrl === typeUrls.cluster || typeUrl === typeUrls.scopedRoute;
    if (isAsked && this.#hasOther(subscription)) this.#onOther(subscription);
    if (typeUrl === typeUrls.endpoint && isAlone) this.#onEndpoints(subscribe);
    if (typeUrl === typeUrls.listener && isAlone && !subscription.isWildcard) this.#onListeners(subscription);
    // They come in any order; the routes last, unless clusters wait for endpoints.
    const [endpoints, routes] = [typeUrls.endpoint, typeUrls.routeConfiguration].map((type) => subscriptions.get(type));
    if (endpoints !== undefined) this.#onClusters(endpoints.names);
    else if (routes !== undefined) this.#onClusters(new Set());
    if (routes !== undefined) this.#onRoutes(routes.names);
  }

  /** Whether it has something of the type, and not what there is now. */
  #hasOther(subscription: Subscription<Member>): boolean {
    const { presentedVersion: version } = subscription;
    if (version === '' || version === versionOfNothing) return false;
    const { view, protocol, cache } = this.#options;
    return fullResponses(view, subscription, protocol, cache.sequence)?.version !== version;
  }

  #onOther(subscription: Subscription<Member>): void {
    const { typeUrl, isWildcard, names } = subscription;
    const { view, isAlone } = this.#options;
    this.#awaitsStreams = !isAlone;
    if (typeUrl === typeUrls.cluster && !isAlone) {
      const all = [...subscription.covered()].map(({ name }) => name);
      this.#bring({ former: newest(view.formerClusters()), lacking: all.filter((name) => this.#hasEndpoints(name)) });
    } else if (typeUrl === typeUrls.cluster && !isWildcard) {
      this.#bring({ former: this.#formerClusters(names), lacking: [] });
    } else if (isAlone && (typeUrl === typeUrls.cluster || typeUrl === typeUrls.scopedRoute)) {
      this.#unanswered.add(typeUrl);
    }
  }

  /** It names the endpoints of its clusters, if it has any. */
  #onClusters(has: ReadonlySet<string>): void {
    const clusters = this.#options.subscriptions.get(typeUrls.cluster);
    if (clusters === undefined || !this.isAboutToSay(typeUrls.cluster)) return;
    const lacking: string[] = [];
    for (const { name } of clusters.covered()) if (!has.has(name) && this.#hasEndpoints(name)) lacking.push(name);
    this.#bring({ former: this.#formerClusters(has), lacking });
  }

  /** It does not ask for clusters while one of those that it has, which may have gone, waits for its endpoints. */
  #onEndpoints(names: readonly string[]): void {
    const { view, subscriptions } = this.#options;
    if (subscriptions.get(typeUrls.cluster) !== undefined) return;
    const gone = names.filter((name) => view.resource(typeUrls.endpoint, name) === undefined);
    const former = gone.flatMap((name) => view.formerEndpoints(name) ?? []);
    this.#luggage.set(typeUrls.endpoint, { former, lacking: [] });
  }

  /** A library that was told of the end of a listener never again looks at one that is the same. */
  #onListeners({ names, presentedVersion }: Subscription<Member>): void {
    if (presentedVersion === '') return;
    const { view } = this.#options;
    const gone = [...names].filter((name) => view.resource(typeUrls.listener, name) === undefined);
    const former = gone.flatMap((name) => view.formerListener(name) ?? []);
    this.#luggage.set(typeUrls.listener, { former, lacking: [] });
    for (const { name } of former) this.#listeners.add(name);
  }

  /** It names the routes of its scopes. Where it has the routes that a scope leads to now it may be led there. */
  #onRoutes(names: ReadonlySet<string>): void {
    if (!this.isAboutToSay(typeUrls.scopedRoute)) return;
    const { view } = this.#options;
    const isLed = (scope: string) => names.has(view.resource(typeUrls.scopedRoute, scope)?.routes ?? '');
    const former = new Map(view.formerScopes(names).map((scope) => [scope.name, scope]));
    this.#luggage.set(typeUrls.scopedRoute, {
      former: [...former.values()].filter(({ name }) => !isLed(name)),
      lacking: [],
    });
  }

  #bring(luggage: Luggage): void {
    this.#luggage.set(typeUrls.cluster, luggage);
    for (const { name } of luggage.former) this.#kept.add(name);
  }

  #formerClusters(names: ReadonlySet<string>): EncodedResource[] {
    const { view } = this.#options;
    const gone = [...names].filter((name) => view.resource(typeUrls.cluster, name) === undefined);
    return gone.flatMap((name) => view.formerCluster(name) ?? []);
  }

  #hasEndpoints(cluster: string): boolean {
    return this.#options.view.ownerOf(typeUrls.endpoint, cluster) !== '';
  }
}

function newest(formers: Iterable<EncodedResource>): EncodedResource[] {
  const found: EncodedResource[] = [];
  for (const former of formers) if (found.push(former) === mostGuessed) break;
  return found;
}
