/**
 * A map by names that nearly always has one entry, or none: a stream is behind with one resource, and waits for one answer. A Map for
 * each of thousands of streams at each change would be most of what the garbage collector has to do.
 */
export class FewEntries<Value> {
  #name: string | undefined;
  #value: Value | undefined;
  /** From the second entry on, all of them, until none is left. */
  #more: Map<string, Value> | undefined;

  get size(): number {
    return this.#more?.size ?? (this.#name === undefined ? 0 : 1);
  }

  has(name: string): boolean {
    return this.#more === undefined ? this.#name === name : this.#more.has(name);
  }

  get(name: string): Value | undefined {
    if (this.#more !== undefined) return this.#more.get(name);
    return this.#name === name ? this.#value : undefined;
  }

  set(name: string, value: Value): void {
    if (this.#more === undefined && this.#name !== undefined && this.#name !== name) {
      this.#more = new Map([[this.#name, this.#value as Value]]);
      this.#name = undefined;
      this.#value = undefined;
    }
    if (this.#more !== undefined) {
      this.#more.set(name, value);
      return;
    }
    this.#name = name;
    this.#value = value;
  }

  delete(name: string): void {
    if (this.#more !== undefined) {
      this.#more.delete(name);
      if (this.#more.size === 0) this.#more = undefined;
    } else if (this.#name === name) {
      this.clear();
    }
  }

  clear(): void {
    this.#name = undefined;
    this.#value = undefined;
    this.#more = undefined;
  }

  /** The name that was set first of those that there are. */
  get first(): string | undefined {
    return this.#more === undefined ? this.#name : this.#more.keys().next().value;
  }

  /** In the order in which they were set. Entries may be deleted meanwhile. */
  entries(): Iterable<[name: string, value: Value]> {
    if (this.#more !== undefined) return this.#more;
    return this.#name === undefined ? [] : [[this.#name, this.#value as Value]];
  }
}
