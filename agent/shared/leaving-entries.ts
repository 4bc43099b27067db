/** Entries that are no more, until they have ended: in the background, so that nothing else waits for their clients. */
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { AgentCore } from '../agent-core.ts';
import type { EntrySettings } from '../agent-settings.ts';

/** An application, and its agent. */
export interface Entry {
  readonly settings: EntrySettings;
  readonly core: AgentCore;
  readonly log: Logger;
}

/** Longer than agents keep a connection that they do not use (4 s): so nobody sends a request into one that just closes. */
const retireMs = 5_000;

/** Those that leave together. */
interface Leaving {
  readonly entries: readonly Entry[];
  /** Callers may not know yet. */
  isKnown: boolean;
  /** Nobody has the time to wait for clients. */
  hurry: () => void;
  ended: Promise<void>;
}

export interface LeavingOptions {
  readonly clock: Clock;
  /** Callers of entries know that these are no more. */
  readonly onTold: () => Promise<void>;
  /** Some have ended. */
  readonly onEnded: () => Promise<void>;
}

export class LeavingEntries {
  readonly #options: LeavingOptions;
  readonly #groups = new Set<Leaving>();

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  /** In the order in which they have left. */
  get all(): Entry[] {
    return [...this.#groups].flatMap(({ entries }) => entries);
  }

  /** Those that callers may still ask. */
  get known(): Entry[] {
    return [...this.#groups].flatMap(({ isKnown, entries }) => (isKnown ? entries : []));
  }

  /** Others speak for these applications already: clients have the time to change over. */
  retire(entries: readonly Entry[]): void {
    for (const { core } of entries) core.retire();
    this.#leave(entries, false, async (group) => {
      await new Promise<void>((resolve) => {
        group.hurry = resolve;
        this.#options.clock.after(retireMs, resolve);
      });
    });
  }

  /** Nobody speaks for these applications any more: callers are told first. Of all together, for they may call each other. */
  dismiss(entries: readonly Entry[]): void {
    this.#leave(entries, true, async (group) => {
      await Promise.all(entries.map(({ core }) => core.drain()));
      group.isKnown = false;
      await this.#options.onTold();
    });
  }

  /** Those that are retired end now, as far as their requests let them. */
  hurry(): void {
    for (const { hurry } of this.#groups) hurry();
  }

  /** Resolves when all have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#groups].map(({ ended }) => ended));
  }

  #leave(entries: readonly Entry[], isKnown: boolean, time: (group: Leaving) => Promise<void>): void {
    if (entries.length === 0) return;
    const group: Leaving = { entries, isKnown, hurry: () => {}, ended: Promise.resolve() };
    this.#groups.add(group);
    const end = async ({ core, log }: Entry) => {
      try {
        await core.closeInbound();
        await core.close();
        log.info(isKnown ? 'the entry has ended' : 'the entry as it was has ended');
      } catch (cause) {
        // The others have nothing to do with it.
        log.error({ err: cause }, 'the entry has not ended in order');
      }
    };
    group.ended = time(group)
      .then(() => Promise.all(entries.map(end)))
      .then(() => {
        this.#groups.delete(group);
        return this.#options.onEnded();
      });
  }
}
