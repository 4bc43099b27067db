/**
 * The streams of clients that have one for each type. What one stream orders by itself has to be ordered among them: routes wait
 * until the client has taken the clusters that they name, and the endpoints of those that are new to it, on other streams.
 */

/** One of the streams of a client. */
export interface Sibling {
  /** Whether clusters are on their way to the client, or wait for their endpoints, of which `has` answers whether it has them. */
  areClustersUnderWay(has: (cluster: string) => boolean): boolean;
  /** Whether the client has taken the endpoints of the cluster by this stream. */
  hasEndpoints(cluster: string): boolean;
}

interface Family<Stream> {
  readonly streams: Set<Stream>;
  /** Those with routes that wait. */
  readonly held: Set<Stream>;
}

export class Siblings<Stream extends Sibling> {
  readonly #families = new Map<string, Family<Stream>>();

  /** `client`: the same for all its streams. */
  join(client: string, stream: Stream): void {
    const family = this.#families.get(client) ?? { streams: new Set<Stream>(), held: new Set<Stream>() };
    this.#families.set(client, family);
    family.streams.add(stream);
  }

  leave(client: string, stream: Stream): void {
    const family = this.#families.get(client);
    family?.streams.delete(stream);
    family?.held.delete(stream);
    if (family?.streams.size === 0) this.#families.delete(client);
  }

  /** Whether this stream's routes have to wait for others. It is among those that `takeHeld` answers then. */
  mustWait(client: string, stream: Stream): boolean {
    const family = this.#families.get(client);
    if (family === undefined) return false;
    const has = (cluster: string) => [...family.streams].some((each) => each.hasEndpoints(cluster));
    const isUnderWay = [...family.streams].some((each) => each !== stream && each.areClustersUnderWay(has));
    if (isUnderWay) family.held.add(stream);
    else family.held.delete(stream);
    return isUnderWay;
  }

  /** All streams of the client. */
  of(client: string): readonly Stream[] {
    return [...(this.#families.get(client)?.streams ?? [])];
  }

  /** Something was said on one of the streams: those that wait may go on. */
  takeHeld(client: string): readonly Stream[] {
    const held = [...(this.#families.get(client)?.held ?? [])];
    this.#families.get(client)?.held.clear();
    return held;
  }
}
