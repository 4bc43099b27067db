/**
 * What one stream asked for and was sent, for one type, in either protocol. Knows nothing of sockets or snapshots.
 * The algebra of names is that of the xDS protocol document (xds.md 1.7).
 */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { Request } from './session.ts';

export type Protocol = 'sotw' | 'delta';

/** A response that was sent, and the state it was cut from. */
export interface SentResponse {
  readonly nonce: string;
  readonly revision: number;
  readonly sequence: number;
  readonly resources: readonly EncodedResource[];
  /** Whether a newer response of the type replaces all of it. */
  readonly isWhole: boolean;
}

/** A response that was refused, and what the client said. */
export interface Refused {
  readonly response: SentResponse;
  readonly message: string;
}

/** What a request is, when its names are left aside. */
export interface Verdict {
  readonly is: 'none' | 'ack' | 'nack';
  /** The response that it is about. */
  readonly response?: SentResponse;
  /** Its names say nothing: the client repeats them with its answer to what it was sent since. */
  readonly isStale: boolean;
}

/** How a request changed the names. */
export interface NameChange {
  /** Asked for anew (delta: also what is held already). */
  readonly asked: readonly string[];
  readonly added: readonly string[];
  readonly dropped: readonly string[];
}

/** Overdue responses of one type whose late verdict still counts. */
const mostOverdue = 16;

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
  /** Responses, by nonce, that were sent and have no verdict yet. State of the world allows one. */
  readonly unanswered = new Map<string, SentResponse>();
  /** Responses whose verdict is no longer waited for: it may still come. */
  readonly #overdue = new Map<string, SentResponse>();
  #refused: Refused | undefined;
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

  /** Whether the client has taken all that it was sent, as far as it still wants it. */
  get isTaken(): boolean {
    const isConcerned = this.#wildcard || this.names.size > 0;
    return !isConcerned || (this.unanswered.size + this.#overdue.size === 0 && !this.#isRefused);
  }

  /** Until the type is sent again, or nothing of what was refused is left. */
  get #isRefused(): boolean {
    if (!this.#refused) return false;
    const { resources } = this.#refused.response;
    return resources.length === 0 || resources.some(({ name, version }) => this.sent.get(name)?.version === version);
  }

  /** The last refusal, until the type is sent again. */
  get refused(): Refused | undefined {
    return this.#refused;
  }

  onSent(response: SentResponse): void {
    this.nonceSent = response.nonce;
    this.unanswered.set(response.nonce, response);
    this.#refused = undefined;
  }

  /** No longer waits for the verdicts that have not come. */
  onOverdue(): void {
    for (const [nonce, response] of this.unanswered) this.#overdue.set(nonce, response);
    this.unanswered.clear();
    const surplus = Math.max(0, this.#overdue.size - mostOverdue);
    for (const nonce of [...this.#overdue.keys()].slice(0, surplus)) this.#overdue.delete(nonce);
  }

  /**
   * What the request says of an earlier response. In state of the world the names of a verdict on an older response say
   * nothing: the client repeats them with its next one. In delta the names always count.
   */
  verdict({ nonce, error }: Request): Verdict {
    // A nonce does not outlive its stream: on the first request it is left over from another.
    if (this.isFirst || nonce === '') return { is: 'none', isStale: false };
    const isStale = this.#protocol === 'sotw' && nonce !== this.nonceSent;
    const response = this.unanswered.get(nonce) ?? this.#overdue.get(nonce);
    if (!response) return { is: 'none', isStale };
    this.unanswered.delete(nonce);
    // In state of the world the answer to the newest response is the answer to all before it.
    if (this.#protocol === 'sotw' && !isStale) this.#overdue.clear();
    this.#overdue.delete(nonce);
    if (error && !(isStale && response.isWhole)) this.#refused = { response, message: error.message };
    return { is: error ? 'nack' : 'ack', response, isStale };
  }

  /** Brings the names up to date. */
  update(request: Request): NameChange {
    const change = this.#protocol === 'sotw' ? this.#replaceNames(request) : this.#changeNames(request);
    this.isFirst = false;
    return change;
  }

  #replaceNames({ subscribe }: Request): NameChange {
    const wanted = new Set(subscribe.filter((name) => name !== '*'));
    const wasWildcard = this.#wildcard;
    this.#mayBeLegacyWildcard &&= subscribe.length === 0;
    this.#wildcard = subscribe.includes('*') || this.#mayBeLegacyWildcard;
    const added = [...wanted].filter((name) => !this.names.has(name));
    const dropped = wanted.size === this.names.size + added.length ? [] : this.#namesOutside(wanted);
    for (const name of added) this.names.add(name);
    for (const name of dropped) this.names.delete(name);
    // Who drops a name and asks for it again is sent it again.
    const uncovered = wasWildcard && !this.#wildcard ? [...this.sent.keys()] : dropped;
    for (const name of uncovered) if (!this.covers(name)) this.sent.delete(name);
    return { asked: this.#wildcard && !wasWildcard ? ['*', ...added] : added, added, dropped };
  }

  #namesOutside(wanted: ReadonlySet<string>): string[] {
    return [...this.names].filter((name) => !wanted.has(name));
  }

  #changeNames({ subscribe, unsubscribe, initialVersions }: Request): NameChange {
    const asked = new Set<string>();
    const added: string[] = [];
    if (this.isFirst) {
      for (const [name, version] of Object.entries(initialVersions)) this.sent.set(name, { version });
      if (subscribe.length === 0 && this.#mayBeLegacyWildcard) asked.add('*');
    }
    for (const name of [...asked, ...subscribe]) {
      asked.add(name);
      if (name === '*') {
        this.#wildcard = true;
        continue;
      }
      if (!this.names.has(name)) added.push(name);
      this.names.add(name);
      // Asking again means: send it, even if you believe that I have it. Not so beside the versions of the first request.
      if (!(this.isFirst && this.sent.has(name))) this.sent.set(name, { version: null });
    }
    const dropped = unsubscribe.filter((name) => this.#dropName(name, asked));
    return { asked: [...asked], added, dropped };
  }

  /** Whether it was among the names. */
  #dropName(name: string, asked: Set<string>): boolean {
    if (name === '*') {
      this.#wildcard = false;
      for (const held of this.sent.keys()) if (!this.names.has(held)) this.sent.delete(held);
      return false;
    }
    if (!this.names.delete(name)) return false;
    if (!this.#wildcard) {
      this.sent.delete(name);
      return true;
    }
    // Still covered by the wildcard: the protocol asks for an answer all the same.
    this.sent.set(name, { version: null });
    asked.add(name);
    return true;
  }
}
