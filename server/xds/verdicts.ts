/** The responses of one type that a stream was sent, and what the client said of them. */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { FewEntries } from './few-entries.ts';
import type { Protocol, Request } from './session.ts';

/** A response that was sent, and the state it was cut from. */
export interface SentResponse {
  readonly nonce: string;
  readonly revision: number;
  readonly sequence: number;
  /** What it changes for the client; of a whole set the rest of it is left out. */
  readonly changed: readonly EncodedResource[];
  /** Of a whole set: what the client had in place of what it changes. */
  readonly replaced: ReadonlyMap<string, EncodedResource> | undefined;
  /** Whether a newer response of the type replaces all of it. */
  readonly isWhole: boolean;
}

/** What a request is, when its names are left aside. */
export interface Verdict {
  readonly is: 'none' | 'ack' | 'nack';
  /** The response that it is about. */
  readonly response?: SentResponse;
  /** Its names say nothing: the client repeats them with its answer to what it was sent since. */
  readonly isStale: boolean;
  /** It answers a response that it was not sent, or in delta has answered before. */
  readonly isUnknown?: true;
}

/** Overdue responses of one type whose late verdict still counts. */
const mostOverdue = 16;

export class Verdicts {
  readonly #protocol: Protocol;
  /** Nonce of the last response sent; '' before the first. */
  #nonceSent = '';
  /** Responses, by nonce, that were sent and have no verdict yet. State of the world allows one. */
  readonly #unanswered = new FewEntries<SentResponse>();
  /** Responses whose verdict is no longer waited for: it may still come. */
  #overdue: Map<string, SentResponse> | undefined;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  /** How many responses are waited for. */
  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Nonce of the response that is waited for longest. */
  get oldest(): string | undefined {
    return this.#unanswered.first;
  }

  /** Whether every response has its verdict, those included that nobody waits for any more. */
  get isSettled(): boolean {
    return this.unanswered + (this.#overdue?.size ?? 0) === 0;
  }

  /** The response that is waited for, when it is the only one. */
  get onlyOne(): SentResponse | undefined {
    const { first, size } = this.#unanswered;
    const isOnly = size === 1 && (this.#overdue?.size ?? 0) === 0;
    return isOnly && first !== undefined ? this.#unanswered.get(first) : undefined;
  }

  /** Nonce of the oldest response without a verdict, those included that nobody waits for any more. */
  get oldestOfAll(): string | undefined {
    return this.#overdue?.keys().next().value ?? this.oldest;
  }

  /** Of resources whose newest version has no verdict yet. */
  namesUnderWay(): ReadonlySet<string> {
    return new Set([...this.#unanswered.entries()].flatMap(([, { changed }]) => changed.map(({ name }) => name)));
  }

  /** Whether the newest version of this resource has no verdict yet. */
  isUnderWay(name: string): boolean {
    if (this.#unanswered.size === 0) return false;
    for (const [, { changed }] of this.#unanswered.entries()) if (changed.some((one) => one.name === name)) return true;
    return false;
  }

  onSent(response: SentResponse): void {
    this.#nonceSent = response.nonce;
    this.#unanswered.set(response.nonce, response);
  }

  /** The last response that somebody else sent had this nonce; what came of it he knows. */
  onSentElsewhere(nonce: string): void {
    this.#nonceSent = nonce;
  }

  /** No longer waits for the verdicts that have not come. */
  onOverdue(): void {
    const overdue = [...(this.#overdue ?? []), ...this.#unanswered.entries()];
    this.#overdue = new Map(overdue.slice(-mostOverdue));
    this.#unanswered.clear();
  }

  /**
   * What the request says of an earlier response. In state of the world the names of a verdict on an older response say
   * nothing: the client repeats them with its next one. In delta the names always count.
   *
   * Nor is an older nonce odd in state of the world, answered or not: each request carries the last one that the client took, so a
   * change of names has it that was under way when the next response came. The nonces of a stream are numbers that rise.
   */
  take({ nonce, error }: Request): Verdict {
    if (nonce === '') return { is: 'none', isStale: false };
    const isStale = this.#protocol === 'sotw' && nonce !== this.#nonceSent;
    const response = this.#unanswered.get(nonce) ?? this.#overdue?.get(nonce);
    if (!response) {
      const wasSent = /^[1-9]\d*$/.test(nonce) && Number(nonce) <= Number(this.#nonceSent);
      const isKnown = nonce === this.#nonceSent || (this.#protocol === 'sotw' && wasSent);
      return { is: 'none', isStale, ...(isKnown ? {} : { isUnknown: true }) };
    }
    this.#unanswered.delete(nonce);
    // In state of the world the answer to the newest response is the answer to all before it.
    if (this.#protocol === 'sotw' && !isStale) this.#overdue = undefined;
    this.#overdue?.delete(nonce);
    return { is: error ? 'nack' : 'ack', response, isStale };
  }
}
