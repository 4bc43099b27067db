/** What one stream asked for, type by type. */
import { typeUrls } from '../../proto/type-urls.ts';
import type { Subscription } from './subscription.ts';

/** A listener to scopes, these to routes, these to clusters, these to endpoints, which go before their clusters all the same (xds.md 1.9). */
const references = [
  typeUrls.listener,
  typeUrls.scopedRoute,
  typeUrls.routeConfiguration,
  typeUrls.endpoint,
  typeUrls.cluster,
];

export class Subscriptions<Member> {
  readonly #order: readonly string[];
  readonly #byType = new Map<string, Subscription<Member>>();
  #inOrder: readonly Subscription<Member>[] = [];
  #byReference: readonly Subscription<Member>[] = [];

  /** `order`: the types, in the order in which they are sent. */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  get inOrder(): readonly Subscription<Member>[] {
    return this.#inOrder;
  }

  /** In the order in which something may be taken away: what refers to another before that. */
  get byReference(): readonly Subscription<Member>[] {
    return this.#byReference;
  }

  get(typeUrl: string): Subscription<Member> | undefined {
    return this.#byType.get(typeUrl);
  }

  add(subscription: Subscription<Member>): void {
    this.#byType.set(subscription.typeUrl, subscription);
    this.#inOrder = this.#order.flatMap((typeUrl) => this.#byType.get(typeUrl) ?? []);
    this.#byReference = references.flatMap((typeUrl) => this.#byType.get(typeUrl) ?? []);
  }

  /** Whether the client has answered what it was sent of this resource on this stream. */
  hasTaken(typeUrl: string, name: string): boolean {
    return this.#byType.get(typeUrl)?.hasTaken(name) === true;
  }

  /** Whether the client refuses the resource as it is. */
  refuses(typeUrl: string, name: string): boolean {
    return this.#byType.get(typeUrl)?.refusals.all.has(name) === true;
  }
}
