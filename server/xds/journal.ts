/** Changes to maps and sets that can be taken back together: what an agent refused was never sent. */
export class Journal {
  #undo: (() => void)[] = [];

  set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
    this.#remember(map, key);
    map.set(key, value);
  }

  delete<Key, Value>(map: Map<Key, Value>, key: Key): void {
    this.#remember(map, key);
    map.delete(key);
  }

  /** Something else that was done, and how to take it back. */
  note(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** What has been done stands. */
  keep(): void {
    this.#undo = [];
  }

  /** Takes back everything since the last `keep`, newest first. */
  takeBack(): void {
    const undo = this.#undo;
    this.#undo = [];
    for (const step of undo.reverse()) step();
  }

  #remember<Key, Value>(map: Map<Key, Value>, key: Key): void {
    const isPresent = map.has(key);
    const before = map.get(key);
    this.#undo.push(() => {
      // `before` is a Value whenever the key was present.
      if (isPresent) map.set(key, before as Value);
      else map.delete(key);
    });
  }
}
