/**
 * What a client refused of one type, until it changes: it is not sent again as it is. In a set that is sent as a whole the last
 * good version stands in its place when the client said which resource it means, so that everything else goes on to flow.
 */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { RefusedResource, Request } from './session.ts';
import type { SentResponse } from './verdicts.ts';

export interface Refusal {
  readonly version: string;
  /** What the client said. */
  readonly message: string;
  /** Whether the client named it, so that it can be left out alone. */
  readonly isNamed: boolean;
  /** What it had before; undefined: nothing; 'unknown': what it had from another stream, if anything. */
  readonly good: EncodedResource | 'unknown' | undefined;
  /** The names of all that may have been meant: of a message that names none, whatever the response changed. */
  readonly meant: ReadonlySet<string>;
}

const none: ReadonlyMap<string, Refusal> = new Map();
const nobody: readonly string[] = [];

export class Refusals {
  #byName: Map<string, Refusal> | undefined;

  get isEmpty(): boolean {
    return this.#byName === undefined;
  }

  /** By resource name. */
  get all(): ReadonlyMap<string, Refusal> {
    return this.#byName ?? none;
  }

  /** What stands for the resource in a set that is sent as a whole; undefined: nothing does. */
  inPlaceOf(resource: EncodedResource): EncodedResource | undefined {
    const refusal = this.#byName?.get(resource.name);
    if (!refusal?.isNamed || refusal.version !== resource.version) return resource;
    // To leave it out would delete what the client may have: it takes the rest of a set with a resource that it refuses.
    return refusal.good === 'unknown' ? resource : refusal.good;
  }

  /** Whether it is refused just as it is. */
  has({ name, version }: EncodedResource): boolean {
    return this.#byName?.get(name)?.version === version;
  }

  /**
   * A response was refused. Clients say in the message which of its resources they mean; when they do not, all that it changed
   * may be meant. `present`: what there is under a name that the client still wants.
   */
  add(
    { changed, replaced }: SentResponse,
    message: string,
    present: (name: string) => EncodedResource | false | undefined,
  ): void {
    const isNamed = changed.some(({ name }) => stands(name, message));
    const suspects = meantBy(message, changed);
    const all = new Set(suspects.map(({ name }) => name));
    for (const { name, version } of suspects) {
      const now = present(name);
      // What has changed meanwhile may be the repair.
      if (!now || now.version !== version) continue;
      this.#byName ??= new Map();
      this.#byName.set(name, {
        version,
        message,
        isNamed,
        good: replaced === undefined ? 'unknown' : replaced.get(name),
        meant: isNamed ? new Set([name]) : all,
      });
    }
  }

  /**
   * There is another version under the name, or nothing any more. When nobody knows which of several was meant, this may be the repair of all:
   * answers the others, which are to be sent again.
   */
  onChange(name: string, after: EncodedResource | undefined): readonly string[] {
    const refusal = this.#byName?.get(name);
    if (refusal === undefined || refusal.version === after?.version) return nobody;
    this.#forget(name);
    const others = [...refusal.meant].filter((other) => this.#byName?.get(other)?.meant === refusal.meant);
    for (const other of others) this.#forget(other);
    return others;
  }

  /** The client takes a set as a whole: with everything in it that was not left out. */
  onWholeTaken(): void {
    for (const [name, { isNamed }] of this.all) if (!isNamed) this.#forget(name);
  }

  /** The client asks for less. */
  keepOnly(isWanted: (name: string) => boolean): void {
    for (const name of this.all.keys()) if (!isWanted(name)) this.#forget(name);
  }

  #forget(name: string): void {
    this.#byName?.delete(name);
    if (this.#byName?.size === 0) this.#byName = undefined;
  }
}

/** Refused resources that are named to people: a message that names none may mean all of a large response. */
const mostNamed = 20;

/** What a client refuses of a response. One that is not ours says in its message alone which resources it means, if it does. */
export function refusedResources(
  { changed }: SentResponse,
  { message, resources }: NonNullable<Request['error']>,
): readonly RefusedResource[] {
  if (resources.length > 0) return resources;
  return meantBy(message, changed)
    .slice(0, mostNamed)
    .map(({ typeUrl, name }) => ({ typeUrl, name, reason: message }));
}

/** The resources that a message names; all of them when it names none. */
function meantBy(message: string, resources: readonly EncodedResource[]): readonly EncodedResource[] {
  const named = resources.filter(({ name }) => stands(name, message));
  return named.length > 0 ? named : resources;
}

/** As a whole: `a.default|http|` is no part of what says `a.default|http|v1`. */
function stands(name: string, message: string): boolean {
  const isPart = (character: string | undefined) => character !== undefined && /[\w|/-]/.test(character);
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    if (!isPart(message[at - 1]) && !isPart(message[at + name.length])) return true;
  }
  return false;
}
