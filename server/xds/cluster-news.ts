/**
 * What one stream told its client of clusters, as far as something else depends on it: a changed cluster warms until it gets its
 * endpoints again, although the client does not ask (xds.md 5.2); and the endpoints of a new cluster are needed before it may be
 * sent to.
 */

/** Beyond so many changed clusters it is simpler to send all endpoints again. */
const mostChanged = 1_000;

export class ClusterNews {
  /** Of a stream that has no endpoints yet, and may ask for them: those that changed until then. */
  #changed: 'all' | Set<string> | undefined;
  /** Those that are new to the client. */
  readonly #added = new Set<string>();

  changed(names: 'all' | Iterable<string>): void {
    if (names === 'all' || this.#changed === 'all') {
      this.#changed = 'all';
      return;
    }
    this.#changed ??= new Set();
    for (const name of names) this.#changed.add(name);
    if (this.#changed.size > mostChanged) this.#changed = 'all';
  }

  /** The client asks for endpoints now. */
  takeChanged(): 'all' | Iterable<string> {
    const changed = this.#changed ?? [];
    this.#changed = undefined;
    return changed;
  }

  added(name: string): void {
    this.#added.add(name);
  }

  get hasAdded(): boolean {
    return this.#added.size > 0;
  }

  /** The first of the new clusters that waits for its endpoints; those that `isDone` do not wait any more. */
  firstAdded(isDone: (name: string) => boolean): string | undefined {
    for (const name of this.#added) {
      if (!isDone(name)) return name;
      this.#added.delete(name);
    }
    return undefined;
  }

  /** Nobody waits any longer. */
  giveUpAdded(): void {
    this.#added.clear();
  }
}
