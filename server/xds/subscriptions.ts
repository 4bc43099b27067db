/** What one stream asked for, type by type. */
import { typeUrls } from '../../proto/type-urls.ts';
import type { Subscription } from './subscription.ts';

/** Each leads to the next, and the last to clusters. */
const leading = [typeUrls.listener, typeUrls.scopedRoute, typeUrls.routeConfiguration];

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

  /** In the order in which something may be taken away: what leads to another before that. */
  get byReference(): readonly Subscription<Member>[] {
    return this.#byReference;
  }

  get(typeUrl: string): Subscription<Member> | undefined {
    return this.#byType.get(typeUrl);
  }

  add(subscription: Subscription<Member>): void {
    this.#byType.set(subscription.typeUrl, subscription);
    this.#inOrder = this.#order.flatMap((typeUrl) => this.#byType.get(typeUrl) ?? []);
    const others = this.#inOrder.filter(({ typeUrl }) => !leading.includes(typeUrl)).reverse();
    this.#byReference = [...leading.flatMap((typeUrl) => this.#byType.get(typeUrl) ?? []), ...others];
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
