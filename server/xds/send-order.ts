/**
 * What may be sent to a foreign client when (xds.md 1.9): clusters, their endpoints, then what sends requests to them; and what
 * is taken away last, when all that replaces it has been taken. What waits for a client that does not answer, or never asks,
 * waits until somebody gives up.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import { ClusterNews } from './cluster-news.ts';
import type { Comeback } from './comeback.ts';
import type { Protocol } from './session.ts';
import type { OtherStreams } from './siblings.ts';
import type { Held, Subscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Delta responses of one type that may be under way; what changes meanwhile joins the next. */
const mostUnanswered = 8;

/**
 * How long somebody waits for what a client is to answer or to ask for, in milliseconds. A gRPC C core without calls answers every 5 s
 * only, and is as good a client as any.
 */
export const patienceMs = 5_000;

/** How long it takes to say what comes in one breath, and more. */
const breathMs = 1_000;

/** How long an Envoy waits for the endpoints of its clusters, and more. */
const warmingMs = 16_000;

/** These wait until the client has taken the clusters that they name. Endpoints never wait: clusters wait for them. */
const waitsForClusters: ReadonlySet<string> = new Set([
  typeUrls.listener,
  typeUrls.scopedRoute,
  typeUrls.routeConfiguration,
]);

const nothing: readonly string[] = [];

export interface SendOrderOptions<Member> {
  readonly subscriptions: Subscriptions<Member>;
  readonly view: ClientView;
  readonly protocol: Protocol;
  readonly comeback: Comeback<Member>;
  /** The other streams of the client: for those that have one for each type. */
  readonly others: OtherStreams | undefined;
}

export class SendOrder<Member> {
  readonly news = new ClusterNews();
  readonly #options: SendOrderOptions<Member>;
  /** Routes wait for clusters on another stream. */
  #isHeld = false;
  #holdsFor: string | undefined;
  #holdsMs = patienceMs;
  /** The answer to the clusters is overdue: routes go on without it. */
  #isClusterWaitOver = false;

  constructor(options: SendOrderOptions<Member>) {
    this.#options = options;
  }

  /** What was held back is looked at anew. */
  begin(): void {
    this.#isHeld = false;
    this.#holdsFor = undefined;
  }

  /** No new cluster waits for its endpoints, and none goes on without them. */
  get isAsUsual(): boolean {
    return !this.#isClusterWaitOver && !this.news.hasAdded;
  }

  /** New clusters whose endpoints the client has are new no longer. Of one stream among several nobody here knows that. */
  forgetTaken(): void {
    const { subscriptions, others } = this.#options;
    if (!this.news.hasAdded || others !== undefined) return;
    const clusters = subscriptions.get(typeUrls.cluster);
    if (clusters !== undefined) this.#lackingEndpoints(clusters, (name) => this.#hasEndpoints(name));
  }

  /** Routes wait for clusters on another stream of the client. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What routes or scopes wait for longest that the client is to ask for; undefined: nothing. */
  get holdsFor(): string | undefined {
    return this.#holdsFor;
  }

  /** How long that is worth waiting for, in milliseconds. */
  get holdsMs(): number {
    return this.#holdsMs;
  }

  /** Clusters are waited for no longer. */
  giveUpClusters(): void {
    this.#isClusterWaitOver = true;
    this.begin();
    this.#options.comeback.giveUp();
    this.news.giveUpAdded();
  }

  /** Something is not waited for any more. */
  get hasGivenUp(): boolean {
    return this.#isClusterWaitOver;
  }

  /** The client answers again. */
  waitAgain(): void {
    this.#isClusterWaitOver = false;
  }

  /** Notes which of these are new to the client. Clusters of no service have no endpoints to wait for. */
  noteAdded(clusters: Subscription<Member>, resources: readonly EncodedResource[]): void {
    for (const { name } of resources) {
      const hasEndpoints = this.#options.view.ownerOf(typeUrls.endpoint, name) !== '';
      if (hasEndpoints && clusters.held(name) === undefined) this.news.added(name);
    }
  }

  /** Whether the client has not taken all its clusters, or has no endpoints for one that is new to it. */
  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    const clusters = this.#options.subscriptions.get(typeUrls.cluster);
    if (clusters === undefined || this.#isClusterWaitOver) return false;
    const lacking = this.#lackingEndpoints(clusters, has);
    return lacking !== undefined || clusters.verdicts.unanswered > 0 || this.hasNews(clusters);
  }

  /** A bounded number of responses under way per type, one in state of the world; routes wait for their clusters. */
  maySend(subscription: Subscription<Member>): boolean {
    const { typeUrl, verdicts } = subscription;
    const { protocol, subscriptions, others, comeback } = this.#options;
    if (verdicts.unanswered >= (protocol === 'sotw' ? 1 : mostUnanswered)) return false;
    const isReferring = waitsForClusters.has(typeUrl);
    // A client that comes back may have routes on one stream before it has clusters on another.
    if (isReferring && comeback.awaitsStreams && others?.haveClusters() === false) return false;
    if (this.#isClusterWaitOver) return true;
    if (this.#waitsForComeback(typeUrl)) return false;
    if (!isReferring) return true;
    if (comeback.isAboutToAskForClusters(subscription)) {
      this.#holdFor('clusters', warmingMs);
      return false;
    }
    const clusters = subscriptions.get(typeUrls.cluster);
    if (clusters === undefined) {
      this.#isHeld = others?.areClustersUnderWay() === true;
      return !this.#isHeld;
    }
    if (clusters.verdicts.unanswered > 0) return false;
    const lacking = this.#lackingEndpoints(clusters, (name) => this.#hasEndpoints(name));
    if (lacking !== undefined) this.#holdFor(`endpoints of ${lacking}`);
    return lacking === undefined;
  }

  /** Whether the client may have this in place of what it holds: it does not refuse it, and has what it leads to. */
  mayReplace(subscription: Subscription<Member>, resource: EncodedResource, held: Held | undefined): boolean {
    return !this.#isRefused(subscription, resource, held) && !this.#waitsForRoutes(resource, held);
  }

  /** Nothing is taken away before all that replaces it has been taken. */
  mayRemove(): boolean {
    const { comeback } = this.#options;
    const gone = () => this.#goneClusters();
    if (comeback.isKeeping(gone)) return false;
    if (this.#isClusterWaitOver) return true;
    const wait = comeback.waitsFor(gone);
    if (wait !== undefined) {
      this.#holdFor(wait);
      return false;
    }
    return this.#options.subscriptions.inOrder.every(
      (each) => !waitsForClusters.has(each.typeUrl) || (each.verdicts.unanswered === 0 && !this.hasNews(each)),
    );
  }

  /** What it has is said in one breath. Scopes lead where they led until the client has the routes that it names, as they are now. */
  #waitsForComeback(typeUrl: string): boolean {
    const { comeback, subscriptions } = this.#options;
    if (comeback.isAboutToSay(typeUrl)) {
      this.#holdFor(`what it has of ${typeUrl}`, breathMs);
      return true;
    }
    if (typeUrl !== typeUrls.scopedRoute || !comeback.sendsRoutesFirst) return false;
    const routes = subscriptions.get(typeUrls.routeConfiguration);
    return routes !== undefined && (routes.verdicts.unanswered > 0 || this.hasNews(routes));
  }

  #holdFor(what: string, mostMs = patienceMs): void {
    if (this.#holdsFor !== undefined) return;
    this.#holdsFor = what;
    this.#holdsMs = mostMs;
  }

  #goneClusters(): readonly string[] {
    const clusters = this.#options.subscriptions.get(typeUrls.cluster);
    return clusters === undefined ? nothing : this.gone(clusters);
  }

  /** Whether a removal of routes, or of what leads to them, is not sent or not taken yet: until then clusters may be sent to. */
  mayBeInUse(typeUrl: string): boolean {
    if (waitsForClusters.has(typeUrl) || this.#isClusterWaitOver) return false;
    return this.#options.subscriptions.inOrder.some(
      (each) => waitsForClusters.has(each.typeUrl) && (each.verdicts.unanswered > 0 || this.gone(each).length > 0),
    );
  }

  /** Whether something that the client asked for waits to be sent. */
  hasNews(subscription: Subscription<Member>): boolean {
    if (subscription.hasNothing) return true;
    for (const [name, held] of subscription.behind()) {
      const resource = this.#options.view.resource(subscription.typeUrl, name);
      const isNews = resource && subscription.covers(name) && held?.version !== resource.version;
      if (isNews && !this.#isRefused(subscription, resource, held)) return true;
    }
    return false;
  }

  /**
   * What the client is to let go of. Of a service of which it refuses something it keeps what it has: what was to replace it, or
   * the routes that let go of it, it did not take.
   */
  gone(subscription: Subscription<Member>): readonly string[] {
    if (!subscription.isBehind) return nothing;
    const { typeUrl } = subscription;
    const { view } = this.#options;
    const names: string[] = [];
    let refusing: ReadonlySet<string> | undefined;
    for (const [name, held] of subscription.behind()) {
      if (held === undefined || view.resource(typeUrl, name) !== undefined) continue;
      if (this.#options.comeback.staysNamed(typeUrl, name)) continue;
      refusing ??= this.#options.others?.ownersOfRefused() ?? this.ownersOfRefused();
      if (!refusing.has(view.ownerOf(typeUrl, name))) names.push(name);
    }
    return names;
  }

  /** Services of which a listener, scope or route is refused. */
  ownersOfRefused(): ReadonlySet<string> {
    const { view, subscriptions } = this.#options;
    const owners = new Set<string>();
    for (const typeUrl of waitsForClusters) {
      const refused = subscriptions.get(typeUrl)?.refusals.all.keys() ?? [];
      for (const name of refused) owners.add(view.ownerOf(typeUrl, name));
    }
    // Of no service: what is of the node alone.
    owners.delete('');
    return owners;
  }

  /** The first cluster that is new to the client, and still wanted, without its endpoints. */
  #lackingEndpoints(clusters: Subscription<Member>, has: (cluster: string) => boolean): string | undefined {
    return this.news.firstAdded(
      (name) => has(name) || clusters.held(name) === undefined || clusters.refusals.all.has(name),
    );
  }

  /** Of an aggregated stream. Who asks for no endpoints at all is not waited for, nor for what there is not. */
  #hasEndpoints(cluster: string): boolean {
    const endpoints = this.#options.subscriptions.get(typeUrls.endpoint);
    if (endpoints === undefined || endpoints.hasTaken(cluster)) return true;
    return this.#options.view.resource(typeUrls.endpoint, cluster) === undefined;
  }

  /**
   * A scope that the client has is led elsewhere only when it has the routes there: a request in between would find none. It
   * asks for them as soon as it has another scope that leads there, and each service has one of its own.
   */
  #waitsForRoutes({ routes }: EncodedResource, held: Held | undefined): boolean {
    if (routes === '' || !held || held.version === null || this.#isClusterWaitOver) return false;
    const { others, view, subscriptions } = this.#options;
    const type = typeUrls.routeConfiguration;
    const isThere = view.resource(type, routes) === undefined || subscriptions.hasTaken(type, routes);
    if (isThere || others?.hasTaken(type, routes)) return false;
    this.#holdFor(`routes ${routes}`);
    return true;
  }

  /** Whether the client refuses it as it is, or what it leads to: it keeps what it has. */
  #isRefused({ refusals }: Subscription<Member>, resource: EncodedResource, held: Held | undefined): boolean {
    if (refusals.has(resource)) return true;
    const { routes } = resource;
    if (routes === '' || !held || held.version === null) return false;
    const type = typeUrls.routeConfiguration;
    const { subscriptions, others } = this.#options;
    return subscriptions.refuses(type, routes) || others?.refuses(type, routes) === true;
  }
}
