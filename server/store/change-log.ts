/**
 * The newest writes of a store, in order, for those who watch it. Bounded: a watcher that is further behind than the
 * log reaches is told `gap`.
 */
import type { StoreChange } from './store.ts';

type Written = Exclude<StoreChange, { is: 'gap' }>;

/** A write before it has its place in the order. */
export type Unplaced = Written extends infer Change ? (Change extends Written ? Omit<Change, 'cursor'> : never) : never;

interface Watcher {
  /** The newest write that it was told of. */
  cursor: number;
  readonly onChange: (change: StoreChange) => void;
  isBeingTold: boolean;
}

export class ChangeLog {
  /** Where the next write will stand; every cursor below is taken. */
  #next = 1;
  readonly #kept: Written[] = [];
  readonly #capacity: number;
  readonly #watchers = new Set<Watcher>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The cursor of the newest write; 0 before the first. */
  get cursor(): number {
    return this.#next - 1;
  }

  add(change: Unplaced): void {
    // The union loses its discriminant in the spread; what comes out is the change that went in, with its place.
    this.#kept.push({ ...change, cursor: this.#next++ } as Written);
    if (this.#kept.length > this.#capacity) this.#kept.shift();
    for (const watcher of this.#watchers) this.#tell(watcher);
  }

  watch(cursor: number, onChange: (change: StoreChange) => void): { close(): void } {
    const watcher = { cursor, onChange, isBeingTold: false };
    this.#watchers.add(watcher);
    this.#tell(watcher);
    return { close: () => this.#watchers.delete(watcher) };
  }

  /** Everything that is new to it. A write that it makes itself while it is told comes after what it is being told. */
  #tell(watcher: Watcher): void {
    if (watcher.isBeingTold) return;
    watcher.isBeingTold = true;
    try {
      while (watcher.cursor !== this.cursor && this.#watchers.has(watcher)) this.#tellNext(watcher);
    } finally {
      watcher.isBeingTold = false;
    }
  }

  #tellNext(watcher: Watcher): void {
    const next = this.#kept[this.#kept.length - (this.cursor - watcher.cursor)];
    if (!next) {
      this.#watchers.delete(watcher);
      watcher.onChange({ is: 'gap' });
      return;
    }
    watcher.cursor = next.cursor;
    watcher.onChange(next);
  }
}
