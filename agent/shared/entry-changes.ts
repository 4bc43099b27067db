/** What another reading of the file means for the entries that run. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { EntrySettings } from '../agent-settings.ts';

export interface EntryChanges {
  readonly added: readonly EntrySettings[];
  readonly changed: readonly EntrySettings[];
  /** Their ids. */
  readonly removed: readonly string[];
}

/** An entry is known by its id. */
export function changesBetween(running: readonly EntrySettings[], wanted: readonly EntrySettings[]): EntryChanges {
  const before = new Map(running.map((entry) => [entry.id, entry]));
  const after = new Set(wanted.map(({ id }) => id));
  return {
    added: wanted.filter(({ id }) => !before.has(id)),
    changed: wanted.filter(
      (entry) => before.has(entry.id) && !isDeepStrictEqual(plain(before.get(entry.id)), plain(entry)),
    ),
    removed: [...before.keys()].filter((id) => !after.has(id)),
  };
}

/** Without what is undefined, which settings that were handed from one program to the next do not have. */
function plain(entry: EntrySettings | undefined): unknown {
  return entry && JSON.parse(JSON.stringify(entry));
}
