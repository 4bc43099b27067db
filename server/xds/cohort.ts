/**
 * Clients that ask for the same of one view, and have taken all of it, are a cohort: what a change means for one of them it means for all.
 * The first that is sent to finds out, and leaves the step for the others.
 */
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { Effect, Response } from './session.ts';
import type { SentResponse } from './verdicts.ts';

/** What a change made of them: one response, and nothing else. */
export interface SharedStep {
  /** Sequence of the change. */
  readonly change: number;
  readonly response: Response;
  /** With the state that was sent. */
  readonly sent: SentResponse;
  readonly effects: readonly Effect[];
}

export class Cohort {
  readonly isWildcard: boolean;
  /** The last one that was found out. */
  step: SharedStep | undefined;
  readonly #isConcerned = new Answer();
  readonly #isTouched = new Answer();

  constructor(isWildcard: boolean) {
    this.isWildcard = isWildcard;
  }

  /** Whether the change is of anything that they ask for; found out once. */
  isConcernedBy({ sequence }: SnapshotChange, find: () => boolean): boolean {
    return this.#isConcerned.of(sequence, find);
  }

  /** Whether it is a change of the rules for them; found out once. */
  isTouchedBy({ sequence }: SnapshotChange, find: () => boolean): boolean {
    return this.#isTouched.of(sequence, find);
  }
}

/** The last one, of one change. */
class Answer {
  #sequence: number | undefined;
  #answer = false;

  of(sequence: number, find: () => boolean): boolean {
    if (this.#sequence === sequence) return this.#answer;
    this.#answer = find();
    this.#sequence = sequence;
    return this.#answer;
  }
}

/** What a stream asks for of one type. */
export interface Asked {
  readonly isWildcard: boolean;
  /** Of one view and type: streams with the same names have the same, as long as they have them. */
  readonly content: object;
  /** Whether there may be others with the same names. */
  readonly isShared: boolean;
}

const everything = {};

/** A cohort is known as long as somebody asks for what it has. */
class Place {
  readonly #further = new WeakMap<object, Place>();
  cohort: Cohort | undefined;

  to(key: object): Place {
    const present = this.#further.get(key);
    if (present !== undefined) return present;
    const place = new Place();
    this.#further.set(key, place);
    return place;
  }
}

export class Cohorts {
  readonly #begin = new Place();

  /** Undefined: nobody else can be in it, and a stream by itself has nothing of it. */
  of(asked: readonly Asked[]): Cohort | undefined {
    if (!asked.every(({ isShared }) => isShared)) return undefined;
    let place = this.#begin;
    for (const { isWildcard, content } of asked) {
      place = place.to(content);
      if (isWildcard) place = place.to(everything);
    }
    place.cohort ??= new Cohort(asked.some(({ isWildcard }) => isWildcard));
    return place.cohort;
  }
}
