/**
 * A map by names that nearly always has one entry, or none: a stream is behind with one resource, and waits for one answer. A Map for
 * each of thousands of streams at each change would be most of what the garbage collector has to do.
 */
export class FewEntries<Value> {
  #only: { readonly name: string; readonly value: Value } | undefined;
  /** From the second entry on, all of them, until none is left. */
  #more: Map<string, Value> | undefined;

  get size(): number {
    return this.#more?.size ?? (this.#only === undefined ? 0 : 1);
  }

  has(name: string): boolean {
    return this.#more === undefined ? this.#only?.name === name : this.#more.has(name);
  }

  get(name: string): Value | undefined {
    if (this.#more !== undefined) return this.#more.get(name);
    return this.#only?.name === name ? this.#only.value : undefined;
  }

  set(name: string, value: Value): void {
    const only = this.#only;
    if (this.#more !== undefined) {
      this.#more.set(name, value);
    } else if (only === undefined || only.name === name) {
      this.#only = { name, value };
    } else {
      this.#more = new Map([
        [only.name, only.value],
        [name, value],
      ]);
      this.#only = undefined;
    }
  }

  delete(name: string): void {
    if (this.#more !== undefined) {
      this.#more.delete(name);
      if (this.#more.size === 0) this.#more = undefined;
    } else if (this.#only?.name === name) {
      this.#only = undefined;
    }
  }

  clear(): void {
    this.#only = undefined;
    this.#more = undefined;
  }

  /** The name that was set first of those that there are. */
  get first(): string | undefined {
    return this.#more === undefined ? this.#only?.name : this.#more.keys().next().value;
  }

  /**
   * In the order in which they were set. Entries may be deleted meanwhile; none may be set: whether they would be met depends on how many
   * there are.
   */
  entries(): Iterable<[name: string, value: Value]> {
    if (this.#more !== undefined) return this.#more;
    return this.#only === undefined ? [] : [[this.#only.name, this.#only.value]];
  }
}
