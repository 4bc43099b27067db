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

/** What an agent begins with; `nothingHeld` when there is nothing that can be used. */
export interface StartsWith {
  readonly held: HeldMesh;
  readonly view: MeshView;
  readonly remembered: readonly string[];
}

export interface AgentState {
  readonly key: Uint8Array;
  readonly lastGood: StartsWith;
  readonly counts: { readonly writes: number; readonly failures: number };
  /** Notes that there is something newer. It is asked for when it is written: newest only. */
  keep(newest: () => LastGood): void;
  /** Of whoever takes the place of the agent while it still runs: starts with what there is now, and keeps from now on. */
  succeed(createView: CreateView): AgentState;
  /** After what there is to keep is on disk. The directory is let go of when all who share it have closed. */
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
  /** Who shares it, each with what it holds: the newest keeps that. */
  const shares: { newest: (() => LastGood) | undefined }[] = [];
  const keeper = keepLastGood({ path: file, take: () => shares.at(-1)?.newest?.(), clock, log });

  const share = (lastGood: StartsWith): AgentState => {
    const own: (typeof shares)[number] = { newest: undefined };
    shares.push(own);
    return {
      key: directory.key,
      lastGood,
      counts: keeper,
      keep: (take) => {
        own.newest = take;
        if (shares.at(-1) === own) keeper.changed();
      },
      succeed: (createNext) => {
        const present = own.newest?.() ?? { held: lastGood.held, names: lastGood.remembered };
        const start = startWith(present, createNext);
        return share('refused' in start ? nothing() : start);
      },
      close: async () => {
        if (!shares.includes(own)) return;
        if (shares.length === 1) await keeper.flush();
        shares.splice(shares.indexOf(own), 1);
        if (shares.length === 0) directory.close();
      },
    };
  };

  const kept = readLastGood(file, now, log);
  const start = kept === undefined ? nothing() : startWith(kept, createView);
  if (!('refused' in start)) return share(start);
  // An agent of another version may have understood what this one does not.
  const aside = { movedTo: setAside(file, now()), resources: start.refused };
  log.warn(aside, 'last-good cannot be used, starting with nothing');
  return share(nothing());
}

function nothing(): StartsWith {
  return { held: nothingHeld, view: createEmptyMeshView(), remembered: [] };
}

/** What can be made of it, or which resources are in the way. */
function startWith(
  { held, names }: LastGood,
  create: CreateView,
): StartsWith | Extract<ReturnType<CreateView>, { refused: unknown }> {
  const created = create(held, createEmptyMeshView());
  return 'view' in created ? { held, view: created.view, remembered: names } : created;
}
