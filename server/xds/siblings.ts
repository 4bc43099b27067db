/**
 * The streams of clients that have one for each type. What one stream orders by itself has to be ordered among them: routes wait
 * until the client has taken the clusters that they name, and the endpoints of those that are new to it, on other streams; a scope
 * that is led elsewhere waits for the routes there.
 */
import { typeUrls } from '../../proto/type-urls.ts';

/** What a stream knows of its client's other streams. */
export interface OtherStreams {
  /** Whether the client has asked for clusters on one of them. */
  haveClusters(): boolean;
  /** Whether clusters are on their way to the client by one of them, or wait for their endpoints. */
  areClustersUnderWay(): boolean;
  /** Whether the client has taken the resource by one of them. */
  hasTaken(typeUrl: string, name: string): boolean;
  /** Whether the client refuses the resource as it is. */
  refuses(typeUrl: string, name: string): boolean;
  /** Services of which the client refuses something on one of them that sends requests to their clusters. */
  ownersOfRefused(): ReadonlySet<string>;
}

/** One of the streams of a client. */
export interface Sibling {
  /** Whether the client has asked for clusters on it. */
  readonly hasClusters: boolean;
  /** Whether clusters are on their way to the client, or wait for their endpoints, of which `has` answers whether it has them. */
  areClustersUnderWay(has: (cluster: string) => boolean): boolean;
  hasTaken(typeUrl: string, name: string): boolean;
  refuses(typeUrl: string, name: string): boolean;
  /** Services of which a listener, scope or route is refused. */
  ownersOfRefused(): ReadonlySet<string>;
}

interface Family<Stream> {
  readonly streams: Set<Stream>;
  /** Those that may go on when something is said on another. */
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

  /** What the stream has to wait for makes it one of those that `takeHeld` answers. */
  others(client: string, stream: Stream): OtherStreams {
    return {
      haveClusters: () => !this.#held(client, stream, !this.of(client).some((each) => each.hasClusters)),
      areClustersUnderWay: () => this.#held(client, stream, this.#areClustersUnderWay(client, stream)),
      hasTaken: (typeUrl, name) =>
        !this.#held(client, stream, !this.of(client).some((each) => each.hasTaken(typeUrl, name))),
      refuses: (typeUrl, name) => this.of(client).some((each) => each.refuses(typeUrl, name)),
      ownersOfRefused: () => {
        const owners = new Set(this.of(client).flatMap((each) => [...each.ownersOfRefused()]));
        this.#held(client, stream, owners.size > 0);
        return owners;
      },
    };
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

  #areClustersUnderWay(client: string, stream: Stream): boolean {
    const streams = this.of(client);
    const has = (cluster: string) => streams.some((each) => each.hasTaken(typeUrls.endpoint, cluster));
    return streams.some((each) => each !== stream && each.areClustersUnderWay(has));
  }

  #held(client: string, stream: Stream, mustWait: boolean): boolean {
    if (mustWait) this.#families.get(client)?.held.add(stream);
    return mustWait;
  }
}
