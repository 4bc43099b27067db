/** Answers of resolvers for as long as they say. Bounded by number and bytes: who was not asked for longest goes first. */
import type { UpstreamAnswer } from './upstream-answer.ts';

export interface CachedAnswer {
  readonly answer: UpstreamAnswer;
  /** Whole seconds since it came. */
  readonly ageSeconds: number;
}

export interface CacheBounds {
  readonly entries: number;
  readonly bytes: number;
}

/** What an application asks for again and again, not what a resolver for many would keep. */
export const cacheBounds: CacheBounds = { entries: 2_000, bytes: 2 * 1024 * 1024 };

/** What an entry takes besides its bytes, roughly: key, numbers, places in the table. */
const entryOverheadBytes = 400;

interface Entry {
  readonly answer: UpstreamAnswer;
  readonly cameMs: number;
  readonly bytes: number;
}

export class AnswerCache {
  readonly #bounds: CacheBounds;
  /** The longest not asked for first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(bounds: CacheBounds = cacheBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `nowMs` of a clock that never jumps. */
  get(key: string, nowMs: number): CachedAnswer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageSeconds = Math.floor((nowMs - entry.cameMs) / 1_000);
    this.#entries.delete(key);
    if (ageSeconds >= entry.answer.freshSeconds) {
      this.#bytes -= entry.bytes;
      return undefined;
    }
    this.#entries.set(key, entry);
    return { answer: entry.answer, ageSeconds };
  }

  /** Keeps it if it may be kept. */
  put(key: string, answer: UpstreamAnswer, nowMs: number): void {
    this.#drop(key);
    if (answer.freshSeconds <= 0) return;
    const bytes = answer.bytes.length + key.length + answer.ttlsAt.length * 8 + entryOverheadBytes;
    this.#entries.set(key, { answer, cameMs: nowMs, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bounds.entries && this.#bytes <= this.#bounds.bytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
