/**
 * What one step of a foreign client's stream sends: the news that it may have now, and last what it is to let go of. What is
 * sent is counted as held from then on, until the client refuses it.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { State } from './checkpoints.ts';
import type { Comeback } from './comeback.ts';
import { contentVersion, fullResponses, isTooMuch, isWholeSet, withFormer } from './full-responses.ts';
import type { SendOrder } from './send-order.ts';
import type { Effect, Protocol, Response } from './session.ts';
import type { Subscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

const none: readonly Response[] = [];

type Together = Pick<Response, 'resources' | 'version'>;

export interface ResponderOptions<Member> {
  readonly subscriptions: Subscriptions<Member>;
  readonly order: SendOrder<Member>;
  readonly view: ClientView;
  readonly protocol: Protocol;
  readonly comeback: Comeback<Member>;
  /** The client has no other streams. */
  readonly isAlone: boolean;
}

export class Responder<Member> {
  readonly #options: ResponderOptions<Member>;
  readonly #subscriptions: Subscriptions<Member>;
  readonly #order: SendOrder<Member>;
  /** Types that must be answered even if nothing of them differs. */
  readonly #owed = new Set<string>();
  #nonce = 0;
  #state: State = { revision: 0, sequence: 0 };

  constructor(options: ResponderOptions<Member>) {
    this.#options = options;
    this.#subscriptions = options.subscriptions;
    this.#order = options.order;
  }

  /** That was last looked at. */
  get state(): State {
    return this.#state;
  }

  /** Number of the last response; its nonce. */
  get nonce(): number {
    return this.#nonce;
  }

  /** Goes on from where somebody else has brought the stream. */
  goOn(state: State, nonce: number): void {
    this.#state = state;
    this.#nonce = nonce;
  }

  /** The type is to be answered even if nothing of it differs. */
  owe(typeUrl: string): void {
    this.#owed.add(typeUrl);
  }

  owes({ typeUrl }: Subscription<Member>): boolean {
    return this.#owed.has(typeUrl);
  }

  /** Of any type. */
  get owesAnswer(): boolean {
    return this.#owed.size > 0;
  }

  /** All that may be sent of this state. */
  takeSends(state: State): Effect[] {
    this.#state = state;
    const sends: Effect[] = [];
    // Most often an acknowledgement is all there was.
    if (!this.#hasToSend()) {
      this.#order.forgetTaken();
      return sends;
    }
    for (const subscription of this.#subscriptions.inOrder) {
      for (const response of this.#respond(subscription)) sends.push({ is: 'send', response });
    }
    if (!this.#order.mayRemove()) return sends;
    for (const subscription of this.#subscriptions.byReference) {
      const response = this.#remove(subscription);
      if (response !== undefined) sends.push({ is: 'send', response });
    }
    return sends;
  }

  /** Whether anything of the type, an empty answer or a removal included, waits to be sent. */
  isBehind(subscription: Subscription<Member>): boolean {
    if (this.#owed.has(subscription.typeUrl)) return true;
    if (!subscription.isBehind) return false;
    return this.#order.hasNews(subscription) || this.#order.gone(subscription).length > 0;
  }

  /** To be sent again, of these clusters. A stream with clusters alone never asks for any. */
  forceEndpoints(clusters: 'all' | Iterable<string>): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    if (endpoints === undefined) {
      if (this.#options.isAlone) this.#order.news.changed(clusters);
    } else if (clusters === 'all') {
      endpoints.forceAll();
    } else {
      for (const name of clusters) endpoints.force(name);
    }
  }

  #hasToSend(): boolean {
    if (this.#owed.size > 0) return true;
    for (const { isBehind } of this.#subscriptions.inOrder) if (isBehind) return true;
    return false;
  }

  #respond(subscription: Subscription<Member>): readonly Response[] {
    const isDue = subscription.isBehind || this.#owed.has(subscription.typeUrl);
    if (!isDue || !this.#order.maySend(subscription)) return none;
    return subscription.hasNothing ? this.#respondFully(subscription) : this.#respondWithNews(subscription);
  }

  /** The client has nothing: what clients with the same names get is put together once for all of them. */
  #respondFully(subscription: Subscription<Member>): readonly Response[] {
    const { view, protocol } = this.#options;
    const full = fullResponses(view, subscription, protocol, this.#state.sequence);
    if (full === undefined) {
      subscription.spellOut();
      return this.#respondWithNews(subscription);
    }
    const { former, lacking } = this.#options.comeback.take(subscription.typeUrl);
    const { resources, absent, version } = withFormer(full, former);
    subscription.allInStep();
    for (const resource of former) subscription.keep(resource);
    for (const name of lacking) this.#order.news.added(name);
    const isOwed = this.#owed.delete(subscription.typeUrl);
    if (resources.length + absent.length === 0 && !isOwed) return [];
    if (subscription.typeUrl === typeUrls.cluster) this.forceEndpoints('all');
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
    if (typeUrl === typeUrls.cluster) this.forceEndpoints(namesOf(changed));
    const { resources, version } = this.#isWhole(typeUrl) ? this.#wholeSet(subscription) : together(changed);
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

  #isWhole(typeUrl: string): boolean {
    return this.#options.protocol === 'sotw' && isWholeSet.has(typeUrl);
  }

  /** All that the client shall have now: what is gone too, until the routes have let go of it. */
  #wholeSet(subscription: Subscription<Member>): Together {
    const { refusals } = subscription;
    const { view, protocol } = this.#options;
    if (!subscription.isBehind && refusals.isEmpty) {
      // What others get, put together once for all of them.
      const full = fullResponses(view, subscription, protocol, this.#state.sequence);
      if (full !== undefined) return full;
    }
    const behind = new Map(subscription.behind());
    // What is still behind, after what is sent now, is held back: the client keeps what it has.
    const present = [...subscription.covered()].flatMap((resource) =>
      resource.routes === ''
        ? (refusals.inPlaceOf(resource) ?? [])
        : (behind.get(resource.name)?.resource ?? refusals.inPlaceOf(resource) ?? []),
    );
    const gone = [...subscription.behind()].flatMap(([name, held]) =>
      view.resource(subscription.typeUrl, name) === undefined ? (held?.resource ?? []) : [],
    );
    return together([...present, ...gone]);
  }

  #remove(subscription: Subscription<Member>): Response | undefined {
    if (!subscription.isBehind || !this.#order.maySend(subscription)) return undefined;
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
    return this.#response(subscription, { ...this.#wholeSet(subscription), removed: [], changed: [] });
  }

  /** Who takes a whole set has all of it, what it refused by a word that named nothing included. */
  #countAsHeld(subscription: Subscription<Member>, resources: readonly EncodedResource[]): void {
    if (!subscription.isBehind) return;
    const sent = new Map(resources.map(({ name, version }) => [name, version]));
    for (const [name] of [...subscription.behind()]) {
      const present = this.#options.view.resource(subscription.typeUrl, name);
      if (present !== undefined && present.version === sent.get(name)) subscription.inStep(name);
    }
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
    subscription.onSent({ nonce, changed, replaced, isWhole, ...this.#state });
    if (isWhole) this.#countAsHeld(subscription, content.resources);
    return { typeUrl: subscription.typeUrl, nonce, ...content };
  }
}

function together(resources: readonly EncodedResource[]): Together {
  return { resources, version: contentVersion(resources) };
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
