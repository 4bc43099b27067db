/** The names an agent is subscribed to: how each stands, and when it goes again. Knows no stream and no clock. */

/**
 * - `asked`: the server has not answered yet
 * - `known`: its configuration is in use
 * - `absent`: the server says there is no such name, and will say when there is
 * - `refused`: there is, but its configuration cannot be used
 */
export type NameState = 'asked' | 'known' | 'absent' | 'refused';

interface Entry {
  state: NameState;
  usedAt: number;
  /** Declared by the operator: never let go of. */
  readonly isDeclared: boolean;
}

/** Any application can ask for any number of names; a mesh has fewer than this that one application talks to. */
const mostNames = 10_000;
/** A name that is not there, or not usable, is likely a mistyped one: nobody need watch it for long. */
const uselessForMs = 30_000;
const unusedForMs = 10 * 60_000;

export class NameTable {
  readonly #entries = new Map<string, Entry>();

  /** `remembered` were subscribed to when the agent last stopped; of these and the declared ones, some are known still. */
  constructor(
    declared: readonly string[],
    remembered: readonly string[],
    isKnown: (name: string) => boolean,
    now: number,
  ) {
    const isDeclared = new Set(declared);
    for (const name of [...declared, ...remembered]) {
      const state = isKnown(name) ? 'known' : 'asked';
      this.#entries.set(name, { state, usedAt: now, isDeclared: isDeclared.has(name) });
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  stateOf(name: string): NameState | undefined {
    return this.#entries.get(name)?.state;
  }

  /** Notes that the application addressed this name. */
  use(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.usedAt = now;
  }

  /** Takes up a name. Answers with those that must go for it: the least recently used, useless ones before known ones. */
  ask(name: string, now: number): string[] {
    const gone = this.#entries.size < mostNames ? [] : this.#leastUsed();
    for (const old of gone) this.#entries.delete(old);
    this.#entries.set(name, { state: 'asked', usedAt: now, isDeclared: false });
    return gone;
  }

  settle(name: string, state: NameState): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.state = state;
  }

  /** The server cannot be asked any more, so what it last said of names that are not in use is no answer now. */
  forgetUnknown(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.state === 'known') continue;
      if (entry.isDeclared) entry.state = 'asked';
      else this.#entries.delete(name);
    }
  }

  /** Removes the names that nobody used for long, and answers with them. */
  expire(now: number): string[] {
    const gone: string[] = [];
    for (const [name, { state, usedAt, isDeclared }] of this.#entries) {
      const patienceMs = state === 'known' ? unusedForMs : uselessForMs;
      if (isDeclared || state === 'asked' || now - usedAt < patienceMs) continue;
      this.#entries.delete(name);
      gone.push(name);
    }
    return gone;
  }

  #leastUsed(): string[] {
    let oldest: [string, Entry] | undefined;
    for (const candidate of this.#entries) {
      if (!candidate[1].isDeclared && (oldest === undefined || goesBefore(candidate[1], oldest[1]))) oldest = candidate;
    }
    return oldest === undefined ? [] : [oldest[0]];
  }
}

function goesBefore(one: Entry, other: Entry): boolean {
  const isUseless = (entry: Entry) => entry.state === 'absent' || entry.state === 'refused';
  if (isUseless(one) !== isUseless(other)) return isUseless(one);
  return one.usedAt < other.usedAt;
}
