/**
 * What one stream asked for and was sent, for one type, in either protocol. Knows nothing of sockets or snapshots.
 * The algebra of names is that of the xDS protocol document (xds.md 1.7).
 */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { Request } from './session.ts';

export type Protocol = 'sotw' | 'delta';

/** What a request is, when its names are left aside. */
export type Verdict = 'none' | 'stale' | 'ack' | 'nack';

export class Subscription {
  readonly typeUrl: string;
  readonly #protocol: Protocol;
  /** Listeners and clusters: an empty first request means everything. */
  #mayBeLegacyWildcard: boolean;
  #wildcard = false;
  readonly names = new Set<string>();
  /** What the client has, or will have when it takes what is under way. A null version: to be sent again, whatever it is. */
  readonly sent = new Map<string, { readonly version: string | null; readonly resource?: EncodedResource }>();
  /** Nonce of the last response sent; '' before the first. */
  nonceSent = '';
  /** Responses that were sent and have no verdict yet. State of the world allows one. */
  readonly unanswered = new Set<string>();
  isFirst = true;

  constructor(typeUrl: string, protocol: Protocol, mayBeLegacyWildcard: boolean) {
    this.typeUrl = typeUrl;
    this.#protocol = protocol;
    this.#mayBeLegacyWildcard = mayBeLegacyWildcard;
  }

  get isWildcard(): boolean {
    return this.#wildcard;
  }

  covers(name: string): boolean {
    return this.#wildcard || this.names.has(name);
  }

  /**
   * What the request says of an earlier response. In state of the world a verdict on an older response says nothing, and
   * neither do its names: the client repeats them with its next one. In delta the names always count.
   */
  verdict(request: Request): Verdict {
    const { nonce } = request;
    // A nonce does not outlive its stream: on the first request it is left over from another.
    if (this.isFirst || nonce === '') return 'none';
    if (!this.unanswered.delete(nonce)) {
      return this.#protocol === 'sotw' && nonce !== this.nonceSent ? 'stale' : 'none';
    }
    return request.error ? 'nack' : 'ack';
  }

  /** Brings the names up to date; answers those that are asked for anew (delta: also what is held already). */
  update(request: Request): string[] {
    const asked = this.#protocol === 'sotw' ? this.#replaceNames(request) : this.#changeNames(request);
    this.isFirst = false;
    return asked;
  }

  #replaceNames({ subscribe }: Request): string[] {
    const wanted = new Set(subscribe.filter((name) => name !== '*'));
    const before = new Set(this.names);
    const wasWildcard = this.#wildcard;
    this.#mayBeLegacyWildcard &&= subscribe.length === 0;
    this.#wildcard = subscribe.includes('*') || this.#mayBeLegacyWildcard;
    this.names.clear();
    for (const name of wanted) this.names.add(name);
    // Who drops a name and asks for it again is sent it again.
    for (const name of before) if (!this.covers(name)) this.sent.delete(name);
    const asked = [...wanted].filter((name) => !before.has(name));
    return this.#wildcard && !wasWildcard ? ['*', ...asked] : asked;
  }

  #changeNames({ subscribe, unsubscribe, initialVersions }: Request): string[] {
    const asked: string[] = [];
    if (this.isFirst) {
      for (const [name, version] of Object.entries(initialVersions)) this.sent.set(name, { version });
      if (subscribe.length === 0 && this.#mayBeLegacyWildcard) asked.push('*');
    }
    for (const name of [...asked, ...subscribe]) {
      if (name === '*') this.#wildcard = true;
      else this.names.add(name);
      // Asking again means: send it, even if you believe that I have it. Not so beside the versions of the first request.
      if (name !== '*' && !(this.isFirst && this.sent.has(name))) this.sent.set(name, { version: null });
      if (!asked.includes(name)) asked.push(name);
    }
    for (const name of unsubscribe) this.#dropName(name, asked);
    return asked;
  }

  #dropName(name: string, asked: string[]): void {
    if (name === '*') {
      this.#wildcard = false;
      for (const held of this.sent.keys()) if (!this.names.has(held)) this.sent.delete(held);
      return;
    }
    if (!this.names.delete(name)) return;
    if (!this.#wildcard) {
      this.sent.delete(name);
      return;
    }
    // Still covered by the wildcard: the protocol asks for an answer all the same.
    this.sent.set(name, { version: null });
    asked.push(name);
  }
}
