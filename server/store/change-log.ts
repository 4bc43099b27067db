/**
 * The newest writes of a store, in order, for those who watch it. Bounded: a watcher that is further behind than the
 * log reaches is told `gap`.
 */
import type { StoreChange } from './store.ts';

type Written = Exclude<StoreChange, { is: 'gap' }>;

/** A write before it has its place in the order. */
export type Unplaced = Written extends infer Change ? (Change extends Written ? Omit<Change, 'cursor'> : never) : never;

export class ChangeLog {
  /** Where the next write will stand; every cursor below is taken. */
  #next = 1;
  readonly #kept: Written[] = [];
  readonly #capacity: number;
  readonly #watchers = new Set<(change: StoreChange) => void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The cursor of the newest write; 0 before the first. */
  get cursor(): number {
    return this.#next - 1;
  }

  add(change: Unplaced): void {
    // The union loses its discriminant in the spread; what comes out is the change that went in, with its place.
    const placed = { ...change, cursor: this.#next++ } as Written;
    this.#kept.push(placed);
    if (this.#kept.length > this.#capacity) this.#kept.shift();
    for (const watcher of this.#watchers) watcher(placed);
  }

  watch(cursor: number, onChange: (change: StoreChange) => void): { close(): void } {
    const missed = this.#kept.filter((change) => change.cursor > cursor);
    if (cursor > this.cursor || missed.length < this.cursor - cursor) {
      onChange({ is: 'gap' });
      return { close: () => {} };
    }
    for (const change of missed) onChange(change);
    this.#watchers.add(onChange);
    return { close: () => this.#watchers.delete(onChange) };
  }
}
