/**
 * A client that was connected before, to this server or another. It goes on by what it has, so what has gone meanwhile stays until nothing of
 * the client leads to it any more (xds.md 1.9). In delta a client says what it has. In state of the world, where what a whole set leaves out is
 * deleted, it is found out: gRPC libraries name their clusters; and an Envoy, right after it has asked for all clusters and scopes, names the
 * endpoints of its clusters and the routes of its scopes.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { fullResponses } from './full-responses.ts';
import type { Protocol, Request } from './session.ts';
import type { Subscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What is waited for of a client that has a stream for each type: each of them comes back when it will. */
export const otherStreams = 'its other streams';

/** Of clusters that have gone, the newest: such a client may have them, and it cannot be found out. */
const mostGuessed = 32;

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
  /** Types of which it has other resources than there are now, and is about to say which. */
  readonly #unsaid = new Set<string>();

  constructor(options: ComebackOptions<Member>) {
    this.#options = options;
  }

  /** To be called with the first request for each type. */
  onFirst(request: Request): void {
    const subscription = this.#options.subscriptions.get(request.typeUrl);
    if (subscription === undefined) return;
    if (this.#options.protocol === 'sotw') this.#onFirstOfSets(subscription, request);
    else if (request.typeUrl === typeUrls.cluster) this.#onVersions(request);
  }

  /** What the client is about to say that the answer about this type depends on; undefined: nothing. */
  waitsToHear(typeUrl: string): string | undefined {
    return this.#unsaid.has(typeUrl) ? `what it has of ${typeUrl}` : undefined;
  }

  /** What is waited for before clusters, of which these are `gone`, may be taken away; undefined: nothing. */
  waitsFor(gone: () => readonly string[]): string | undefined {
    const { subscriptions, isAlone, protocol } = this.#options;
    const hasAskedForRoutes = subscriptions.get(typeUrls.routeConfiguration) !== undefined;
    const isNaming = protocol === 'sotw' && isAlone && subscriptions.get(typeUrls.cluster)?.isWildcard === false;
    if (isNaming && hasAskedForRoutes) {
      // A library takes routes before it goes by them: it still names what it goes by.
      const [named] = gone();
      return named && `it to let go of ${named}`;
    }
    if (this.#kept.size === 0) return undefined;
    const cluster = gone().find((name) => this.#kept.has(name));
    if (cluster === undefined) return undefined;
    if (!isAlone) return otherStreams;
    return hasAskedForRoutes ? undefined : `routes that may lead to ${cluster}`;
  }

  /** Nothing is waited for any longer. */
  giveUp(): void {
    this.#kept.clear();
    this.#unsaid.clear();
  }

  #onVersions({ typeUrl, initialVersions }: Request): void {
    for (const name of Object.keys(initialVersions)) {
      if (this.#options.view.resource(typeUrl, name) === undefined) this.#kept.add(name);
    }
  }

  #onFirstOfSets(subscription: Subscription<Member>, { typeUrl, subscribe, version }: Request): void {
    const { view, isAlone } = this.#options;
    if (typeUrl === typeUrls.endpoint) this.#onSaid(typeUrls.cluster, () => this.#formerClusters(subscribe));
    else if (typeUrl !== typeUrls.cluster) this.#unsaid.delete(typeUrls.cluster);
    if (typeUrl === typeUrls.routeConfiguration) {
      // It may be on its way from one to another, without the routes of the newest: the oldest counts.
      this.#onSaid(typeUrls.scopedRoute, () => view.formerScopes(new Set(subscribe)));
    }
    const mayHaveOthers = typeUrl === typeUrls.cluster || typeUrl === typeUrls.scopedRoute;
    if (!mayHaveOthers || version === '' || version === this.#versionOf(subscription)) return;
    if (!isAlone) this.#keep(subscription, this.#guess(typeUrl));
    else if (subscription.isWildcard) this.#unsaid.add(typeUrl);
    else this.#keep(subscription, this.#formerClusters(subscribe));
  }

  #onSaid(typeUrl: string, former: () => readonly EncodedResource[]): void {
    const subscription = this.#options.subscriptions.get(typeUrl);
    if (this.#unsaid.delete(typeUrl) && subscription !== undefined) this.#keep(subscription, former());
  }

  #formerClusters(names: readonly string[]): EncodedResource[] {
    const { view } = this.#options;
    const gone = names.filter((name) => view.resource(typeUrls.cluster, name) === undefined);
    return gone.flatMap((name) => view.formerCluster(name) ?? []);
  }

  #guess(typeUrl: string): EncodedResource[] {
    const found: EncodedResource[] = [];
    if (typeUrl !== typeUrls.cluster) return found;
    for (const former of this.#options.view.formerClusters()) if (found.push(former) === mostGuessed) break;
    return found;
  }

  /** Of all that it asks for, as it is now. */
  #versionOf(subscription: Subscription<Member>): string | undefined {
    const { view, protocol, cache } = this.#options;
    return fullResponses(view, subscription, protocol, cache.sequence)?.version;
  }

  /** The client is sent what it has not, resource by resource, and these stay as it has them. */
  #keep(subscription: Subscription<Member>, former: readonly EncodedResource[]): void {
    subscription.spellOut();
    for (const resource of former) {
      subscription.keep(resource);
      if (subscription.typeUrl === typeUrls.cluster) this.#kept.add(resource.name);
    }
  }
}
