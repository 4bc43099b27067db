/**
 * Streams that ask for the same of one view, and have taken all of it, are at the same rest: what a change means for one of them it means
 * for all. The first that is sent to finds out, and leaves the step for the others.
 */
import type { ClientView } from '../snapshot/client-view.ts';
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { State } from './checkpoints.ts';
import type { Effect, Response } from './session.ts';
import type { SentResponse } from './verdicts.ts';

/** What a change made of the streams: one response, and nothing else. */
export interface Step {
  /** Sequence of the change. */
  readonly change: number;
  /** The state that was sent. */
  readonly state: State;
  /** Number of the response, among those of the stream that took the step first. */
  readonly nonce: number;
  readonly response: Response;
  readonly sent: SentResponse;
  readonly effects: readonly Effect[];
}

export class Rest {
  readonly isWildcard: boolean;
  /** The last one that was found out. */
  step: Step | undefined;
  #touching: { readonly change: number; readonly isTouched: boolean } | undefined;

  constructor(isWildcard: boolean) {
    this.isWildcard = isWildcard;
  }

  /** Whether the change touches those that are at rest here; asked once. */
  isTouchedBy({ sequence }: SnapshotChange, find: () => boolean): boolean {
    if (this.#touching?.change !== sequence) this.#touching = { change: sequence, isTouched: find() };
    return this.#touching.isTouched;
  }
}

/** What a stream asks for of one type. */
export interface Asked {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  /** Streams with the same names have the same, as long as they have them. */
  readonly content: object;
  /** Whether there may be others with the same names. */
  readonly isShared: boolean;
}

/** A rest is known as long as somebody asks for what it is about. */
class Place {
  readonly #further = new WeakMap<object, Place>();
  rest: Rest | undefined;

  to(key: object): Place {
    const present = this.#further.get(key);
    if (present !== undefined) return present;
    const place = new Place();
    this.#further.set(key, place);
    return place;
  }
}

export class Rests {
  readonly #begin = new Place();
  /** Type URL, and whether all of it is asked for, as an object. */
  readonly #kinds = new Map<string, object>();

  /** Undefined: nobody else can be there, and a stream by itself has nothing of it. */
  of(view: ClientView, asked: readonly Asked[]): Rest | undefined {
    if (!asked.every(({ isShared }) => isShared)) return undefined;
    let place = this.#begin.to(view);
    for (const { typeUrl, isWildcard, content } of asked) place = place.to(this.#kind(typeUrl, isWildcard)).to(content);
    place.rest ??= new Rest(asked.some(({ isWildcard }) => isWildcard));
    return place.rest;
  }

  #kind(typeUrl: string, isWildcard: boolean): object {
    const key = `${typeUrl} ${isWildcard}`;
    const kind = this.#kinds.get(key) ?? {};
    this.#kinds.set(key, kind);
    return kind;
  }
}
