/**
 * What one stream asked for of one type, what it was sent, and its verdicts, in either protocol. The algebra of names is that
 * of the xDS protocol document (xds.md 1.7).
 *
 * What the client has is not written down: it is what the view has of the names that it covers. Only where it differs, because
 * something changed and was not sent yet, or is gone and not taken away yet, there is an entry. So a client that is in step
 * costs the same whether it has ten resources or ten thousand.
 */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView, ResourceChange } from '../snapshot/client-view.ts';
import { FewEntries } from './few-entries.ts';
import type { NameSet, NameSets } from './name-sets.ts';
import { Refusals } from './refusals.ts';
import type { Protocol, Request } from './session.ts';
import { type SentResponse, type Verdict, Verdicts } from './verdicts.ts';

/** What the client has in place of what the view has. A null version: to be sent again, whatever it has. */
export interface Held {
  readonly version: string | null;
  /** Known when this server sent it on this stream. */
  readonly resource?: EncodedResource;
}

export interface SubscriptionOptions<Member> {
  readonly typeUrl: string;
  readonly protocol: Protocol;
  readonly view: ClientView;
  /** An empty first request means everything: listeners and clusters, but not of gRPC clients. */
  readonly mayBeLegacyWildcard: boolean;
  /** Whose names they are. */
  readonly member: Member;
  readonly sets: NameSets<Member>;
}

export class Subscription<Member = unknown> {
  readonly typeUrl: string;
  readonly verdicts: Verdicts;
  readonly refusals = new Refusals();
  readonly #options: SubscriptionOptions<Member>;
  #mayBeLegacyWildcard: boolean;
  #wildcard = false;
  #names: NameSet<Member>;
  /** What the client has, where that is not what the view has; undefined: it has nothing. */
  readonly #behind = new FewEntries<Held | undefined>();
  /** It has nothing of all that it covers. */
  #hasNothing = false;
  /** The client came with what it had from another stream. */
  #hasPresented = false;
  /** A response that changes nothing was refused, and none was sent since. */
  #isEmptyRefused = false;
  isFirst = true;
  /** State of the world: of what the client had when it came; '' for nothing. */
  presentedVersion = '';

  constructor(options: SubscriptionOptions<Member>) {
    this.#options = options;
    this.typeUrl = options.typeUrl;
    this.verdicts = new Verdicts(options.protocol);
    this.#mayBeLegacyWildcard = options.mayBeLegacyWildcard;
    this.#names = options.sets.empty;
  }

  get isWildcard(): boolean {
    return this.#wildcard;
  }

  /** The names that were asked for, wildcards aside. */
  get names(): ReadonlySet<string> {
    return this.#names.names;
  }

  /** Another object whenever the names are others; streams with the same names have the same. */
  get content(): object {
    return this.#names.content;
  }

  /** Whether other streams may have the same names. */
  get isShared(): boolean {
    return this.#names.names.size === 0 || this.#names.members.size > 1;
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.names.has(name);
  }

  get isConcerned(): boolean {
    return this.#wildcard || this.#names.names.size > 0;
  }

  /** Whether the client has nothing of what it covers: all of it is to be sent. */
  get hasNothing(): boolean {
    return this.#hasNothing;
  }

  /** The names to look at: what the client has of them may differ from what the view has. */
  behind(): Iterable<[name: string, held: Held | undefined]> {
    return this.#behind.entries();
  }

  /** Delta: it has been connected before, to this server or another. */
  get hasPresented(): boolean {
    return this.#hasPresented;
  }

  get isBehind(): boolean {
    return this.#hasNothing || this.#behind.size > 0;
  }

  /** The present resources that it covers. */
  *covered(): Generator<EncodedResource> {
    const { view } = this.#options;
    if (this.#wildcard) {
      yield* view.resources(this.typeUrl);
      return;
    }
    for (const name of this.names) {
      const resource = view.resource(this.typeUrl, name);
      if (resource !== undefined) yield resource;
    }
  }

  /** What the client has under this name, or will have when it takes what is under way. */
  held(name: string): Held | undefined {
    if (this.#behind.has(name)) return this.#behind.get(name);
    if (this.#hasNothing || !this.covers(name)) return undefined;
    const resource = this.#options.view.resource(this.typeUrl, name);
    return resource && { version: resource.version, resource };
  }

  /** Whether the client asks for it and has answered what it was sent of it; in no order to be sent again. */
  hasTaken(name: string): boolean {
    const held = this.held(name);
    return held !== undefined && held.version !== null && this.covers(name) && !this.verdicts.isUnderWay(name);
  }

  /** The view has changed. */
  onChange({ name, before, after }: ResourceChange): void {
    for (const other of this.refusals.onChange(name, after)) this.force(other);
    if (this.#hasNothing || !this.covers(name) || this.#behind.has(name)) return;
    this.#behind.set(name, before && { version: before.version, resource: before });
  }

  /** The client has of this name what the view has. */
  inStep(name: string): void {
    this.#behind.delete(name);
  }

  /** The client has all that the view has of what it covers, or of names that are gone nothing. */
  allInStep(): void {
    this.#behind.clear();
    this.#hasNothing = false;
  }

  /** The client has this, in place of what the view has, if anything. */
  keep(resource: EncodedResource): void {
    this.#behind.set(resource.name, { version: resource.version, resource });
  }

  /** To be sent again, whatever the client has: all that it covers. */
  forceAll(): void {
    this.#behind.clear();
    this.#hasNothing = this.isConcerned;
  }

  /** To be sent again, whatever the client has. */
  force(name: string): void {
    if (this.covers(name) && !this.#hasNothing) this.#behind.set(name, { version: null });
  }

  /** Written down name by name, to be sent in parts. */
  spellOut(): void {
    if (!this.#hasNothing) return;
    this.#hasNothing = false;
    this.#behind.clear();
    for (const { name } of this.covered()) this.#behind.set(name, undefined);
    if (this.#options.protocol === 'sotw') return;
    for (const name of this.#names.names) if (!this.#behind.has(name)) this.#behind.set(name, { version: null });
  }

  /** Whether the client has said something of all that it was sent, as far as it still wants it. */
  get isAnswered(): boolean {
    return !this.isConcerned || this.verdicts.isSettled;
  }

  /** Whether it goes on without something that it was sent. */
  get isRefusing(): boolean {
    return this.isConcerned && (this.#isEmptyRefused || !this.refusals.isEmpty);
  }

  /** What the request says of an earlier response. A nonce does not outlive its stream: on the first request it is another's. */
  verdict(request: Request): Verdict {
    return this.isFirst ? { is: 'none', isStale: false } : this.verdicts.take(request);
  }

  onSent(response: SentResponse): void {
    this.verdicts.onSent(response);
    this.#isEmptyRefused = false;
  }

  /** The response was refused: what of it the client does not have is not sent again as it is. */
  onRefused(response: SentResponse, message: string): void {
    this.#isEmptyRefused = response.changed.length === 0;
    this.refusals.add(
      response,
      message,
      (name) => this.covers(name) && this.#options.view.resource(this.typeUrl, name),
    );
  }

  /** Brings the names up to date. */
  update(request: Request): void {
    if (this.isFirst) this.presentedVersion = request.version;
    if (this.#options.protocol === 'sotw') this.#replaceNames(request);
    else this.#changeNames(request);
    this.isFirst = false;
    if (!this.refusals.isEmpty) this.refusals.keepOnly((name) => this.covers(name));
  }

  close(): void {
    this.#options.sets.leave(this.#options.member, this.#names);
  }

  #change(added: readonly string[], dropped: readonly string[]): void {
    const { sets, member } = this.#options;
    this.#names = sets.change(member, this.#names, added, dropped);
  }

  #replaceNames({ subscribe }: Request): void {
    // Each answer repeats the names.
    if (!this.isFirst && !this.#wildcard && this.#isNamed(subscribe)) return;
    const equal = this.isFirst ? this.#options.sets.join(this.#options.member, subscribe) : undefined;
    if (equal !== undefined) {
      this.#names = equal;
      this.#hasNothing = true;
      this.#mayBeLegacyWildcard = false;
      return;
    }
    const wanted = new Set(subscribe);
    const isWildcard = wanted.delete('*');
    this.#mayBeLegacyWildcard &&= subscribe.length === 0;
    const added = [...wanted].filter((name) => !this.names.has(name));
    const dropped = wanted.size === this.names.size + added.length ? [] : this.#namesOutside(wanted);
    // What a wildcard covered already the client has.
    const isNew = this.#wildcard ? [] : added;
    const hadNothing = this.#hadNothing;
    const switchesOn = !this.#wildcard && (isWildcard || this.#mayBeLegacyWildcard);
    const before = this.names;
    this.#wildcard = isWildcard || this.#mayBeLegacyWildcard;
    this.#change(added, dropped);
    this.#forgetUncovered();
    this.#owe(isNew, { hadNothing, before: switchesOn ? before : undefined });
  }

  /** These names, and with `before` all that the wildcard brings beside those, are covered from now on and not held. */
  #owe(
    names: readonly string[],
    { hadNothing, before }: { readonly hadNothing: boolean; readonly before: ReadonlySet<string> | undefined },
  ): void {
    if (hadNothing) {
      this.#hasNothing = this.isConcerned;
      return;
    }
    for (const name of names) this.#behind.set(name, undefined);
    if (before === undefined) return;
    for (const { name } of this.#options.view.resources(this.typeUrl)) {
      if (!before.has(name) && !this.#behind.has(name)) this.#behind.set(name, undefined);
    }
  }

  /** Before the names change: what it will cover beyond them it does not have. */
  get #hadNothing(): boolean {
    return this.#behind.size === 0 && (this.#hasNothing || !this.isConcerned);
  }

  /** Whether these are the names, and nothing is said of a wildcard. */
  #isNamed(list: readonly string[]): boolean {
    return list.length > 0 && list.length === this.names.size && list.every((name) => this.names.has(name));
  }

  #namesOutside(wanted: ReadonlySet<string>): string[] {
    return [...this.names].filter((name) => !wanted.has(name));
  }

  #forgetUncovered(): void {
    for (const [name] of this.behind()) if (!this.covers(name)) this.inStep(name);
    if (!this.isConcerned) this.#hasNothing = false;
  }

  #changeNames(request: Request): void {
    if (this.isFirst) this.#begin(request.subscribe, request.initialVersions);
    else if (request.subscribe.length > 0) this.#subscribe([...new Set(request.subscribe)]);
    if (request.unsubscribe.length > 0) this.#unsubscribe([...new Set(request.unsubscribe)]);
  }

  /** The first request: with it may come what the client has from another stream. */
  #begin(subscribe: readonly string[], initialVersions: Request['initialVersions']): void {
    const { sets, member } = this.#options;
    const isExplicit = subscribe.includes('*');
    this.#wildcard = isExplicit || (subscribe.length === 0 && this.#mayBeLegacyWildcard);
    const equal = isExplicit ? undefined : sets.join(member, subscribe);
    if (equal !== undefined) this.#names = equal;
    else
      this.#change(
        [...new Set(subscribe)].filter((name) => name !== '*'),
        [],
      );
    this.#hasNothing = this.isConcerned;
    const presented = Object.entries(initialVersions);
    if (presented.length === 0) return;
    this.#hasPresented = true;
    this.spellOut();
    for (const [name, version] of presented) {
      const resource = this.#options.view.resource(this.typeUrl, name);
      if (resource === undefined) this.#behind.set(name, { version });
      else if (!this.covers(name)) continue;
      else if (resource.version === version) this.inStep(name);
      else this.#behind.set(name, { version });
    }
  }

  /** Asking again means: send it, even if you believe that I have it. */
  #subscribe(subscribe: readonly string[]): void {
    const named = subscribe.filter((name) => name !== '*');
    const hadNothing = this.#hadNothing;
    const switchesOn = named.length < subscribe.length && !this.#wildcard;
    const before = this.names;
    this.#wildcard ||= named.length < subscribe.length;
    this.#change(
      named.filter((name) => !before.has(name)),
      [],
    );
    this.#owe([], { hadNothing, before: switchesOn ? before : undefined });
    if (!hadNothing) for (const name of named) this.force(name);
  }

  #unsubscribe(unsubscribe: readonly string[]): void {
    const dropped = unsubscribe.filter((name) => name !== '*' && this.names.has(name));
    if (unsubscribe.includes('*')) this.#wildcard = false;
    this.#change([], dropped);
    // Still covered by the wildcard: the protocol asks for an answer all the same.
    if (this.#wildcard) for (const name of dropped) this.force(name);
    this.#forgetUncovered();
  }
}
