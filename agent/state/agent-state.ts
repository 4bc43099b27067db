/** What an agent has on disk, in one piece: its lock, its key, and what it held when it last stopped. */
import { join } from 'node:path';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { createEmptyMeshView, type MeshView } from '../view/mesh-view.ts';
import type { CreateView } from '../xds/delta-session.ts';
import { type HeldMesh, nothingHeld } from '../xds/resources.ts';
import { keepLastGood, readLastGood } from './last-good.ts';
import type { LastGood } from './last-good-format.ts';
import { openStateDirectory, setAside } from './state-directory.ts';

export interface AgentState {
  readonly key: Uint8Array;
  /** What to start with; `nothingHeld` when there is nothing that can be used. */
  readonly lastGood: { readonly held: HeldMesh; readonly view: MeshView; readonly remembered: readonly string[] };
  readonly counts: { readonly writes: number; readonly failures: number };
  /** Notes that there is something newer. It is asked for when it is written: newest only. */
  keep(newest: () => LastGood): void;
  /** After what there is to keep is on disk. */
  close(): Promise<void>;
}

export interface AgentStateOptions {
  readonly path: string;
  readonly createView: CreateView;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Throws with a sentence for the operator when the directory cannot be used. */
export function openAgentState({ path, createView, clock, log }: AgentStateOptions): AgentState {
  const now = () => clock.now();
  const directory = openStateDirectory(path, now, log);
  if ('refused' in directory) throw new Error(directory.refused);
  const file = join(directory.path, 'last-good');
  let newest: (() => LastGood) | undefined;
  const keeper = keepLastGood({ path: file, take: () => newest?.(), clock, log });
  return {
    key: directory.key,
    lastGood: usable(readLastGood(file, now, log)),
    counts: keeper,
    keep: (take) => {
      newest = take;
      keeper.changed();
    },
    close: async () => {
      await keeper.flush();
      directory.close();
    },
  };

  /** An agent of another version may have understood what this one does not. */
  function usable(kept: LastGood | undefined): AgentState['lastGood'] {
    const nothing = { held: nothingHeld, view: createEmptyMeshView(), remembered: [] };
    if (kept === undefined) return nothing;
    const created = createView(kept.held, nothing.view);
    if ('view' in created) return { held: kept.held, view: created.view, remembered: kept.names };
    log.warn(
      { movedTo: setAside(file, now()), resources: created.refused },
      'last-good cannot be used, starting with nothing',
    );
    return nothing;
  }
}
