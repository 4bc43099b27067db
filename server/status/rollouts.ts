/**
 * How far each revision has come. An acknowledgement costs one comparison per rollout that is still open; who is waited
 * for was settled when the revision was published.
 */
import { type AgentRecord, conditionOf, isConnected } from './agent-record.ts';

/** Rollouts that are remembered; older ones are answered from the agents' own numbers. */
const mostRemembered = 200;

export interface Laggard {
  readonly id: string;
  readonly reason: string;
}

/**
 * `applying`: what the revision takes away is still served, for those who have not applied it; `complete`: nobody is pending,
 * or the deadline for them is over, and what it takes away is gone.
 */
export type Phase = 'applying' | 'complete';

export interface Rollout {
  readonly revision: number;
  readonly phase: Phase;
  /** Clusters that the revision takes away and that are served until it is complete. */
  readonly retired: number;
  readonly agents: number;
  readonly applied: number;
  readonly pending: readonly Laggard[];
  readonly rejected: readonly Laggard[];
  readonly gone: readonly Laggard[];
}

interface OpenRollout {
  readonly revision: number;
  /** The state of the snapshot cache that it is part of: who uses that, or a later one, has dealt with the revision. */
  readonly sequence: number;
  readonly agents: number;
  readonly pending: Map<string, AgentRecord>;
  readonly gone: Map<string, Laggard>;
  /** Called when the wait is over. */
  readonly waiters: Set<() => void>;
  /** Clusters that wait to be taken away. */
  retired: number;
}

interface Published {
  readonly revision: number;
  readonly sequence: number;
}

export class Rollouts {
  readonly #rollouts = new Map<number, OpenRollout>();
  /** Those with somebody pending. */
  readonly #open = new Set<OpenRollout>();
  /** Those whose progress is told at the end of this turn of the event loop: a thousand agents answer at once. */
  readonly #untold = new Set<OpenRollout>();
  /** Of those whose removals wait. */
  readonly #deadlines = new Set<NodeJS.Timeout>();
  readonly #onProgress: (describe: () => Rollout) => void;

  /** `onProgress` is told how far a rollout has come, newest state only; it asks when it wants to know. */
  constructor(onProgress: (describe: () => Rollout) => void) {
    this.#onProgress = onProgress;
  }

  /** A revision was published as this state of the cache, these agents hold something that it changes, and it takes away so many clusters. */
  publish({ revision, sequence }: Published, concerned: Iterable<AgentRecord>, retired = 0): void {
    const pending = new Map<string, AgentRecord>();
    for (const agent of concerned) {
      agent.touched = revision;
      pending.set(agent.key, agent);
    }
    this.#add({ revision, sequence, agents: pending.size, pending, gone: new Map(), waiters: new Set(), retired });
  }

  /** The agent's numbers, its connection or its refusal changed. */
  onAgent(agent: AgentRecord): void {
    for (const rollout of this.#open) {
      if (!rollout.pending.has(agent.key)) continue;
      // Who goes on with later revisions without something of this one has not applied this one.
      const isPending = agent.applied < rollout.revision || agent.nack?.revision === rollout.revision;
      // It may have come back as another service, with another record.
      if (isPending) rollout.pending.set(agent.key, agent);
      else rollout.pending.delete(agent.key);
      this.#progress(rollout, isPending && hasRefused(agent, rollout));
    }
  }

  /** The agent's lease ran out: it no longer counts, but it is named. */
  onGone(agent: AgentRecord, reason: string): void {
    for (const rollout of this.#open) {
      if (!rollout.pending.delete(agent.key)) continue;
      rollout.gone.set(agent.key, { id: agent.id, reason });
      this.#progress(rollout, false);
    }
  }

  /** An agent that had been given up is back: it counts again. */
  onReturned(agent: AgentRecord): void {
    for (const rollout of this.#rollouts.values()) {
      if (!rollout.gone.delete(agent.key)) continue;
      rollout.pending.set(agent.key, agent);
      this.#open.add(rollout);
    }
  }

  /** Calls back `settleMs` after nobody is pending any more, or after `timeoutMs`, with those who are. */
  whenApplied(
    revision: number,
    { timeoutMs, settleMs }: { readonly timeoutMs: number; readonly settleMs: number },
    then: (laggards: readonly Laggard[]) => void,
  ): void {
    const rollout = this.#rollouts.get(revision);
    if (rollout === undefined || rollout.pending.size === 0) return then([]);
    const finish = () => {
      if (rollout.pending.size > 0) return;
      cancelDeadline();
      rollout.waiters.delete(finish);
      if (settleMs === 0) then([]);
      else this.#after(settleMs, () => then([]));
    };
    const cancelDeadline = this.#after(timeoutMs, () => {
      rollout.waiters.delete(finish);
      const { pending, rejected } = describe(rollout);
      then([...pending, ...rejected]);
    });
    rollout.waiters.add(finish);
  }

  /** Answers how to cancel it. */
  #after(ms: number, act: () => void): () => void {
    const timer = setTimeout(() => {
      this.#deadlines.delete(timer);
      act();
    }, ms).unref();
    this.#deadlines.add(timer);
    return () => {
      clearTimeout(timer);
      this.#deadlines.delete(timer);
    };
  }

  /** Nobody is called back any more. */
  close(): void {
    for (const timer of this.#deadlines) clearTimeout(timer);
    this.#deadlines.clear();
  }

  /** What the revision takes away is gone. */
  onRemoved(revision: number): void {
    const rollout = this.#rollouts.get(revision);
    if (rollout === undefined || rollout.retired === 0) return;
    rollout.retired = 0;
    this.#progress(rollout, false);
  }

  /** How far the revision has come. One that is no longer remembered is judged by the agents that are given. */
  get(revision: number, agents: Iterable<AgentRecord>): Rollout {
    return describe(this.#rollouts.get(revision) ?? fromNumbers(revision, agents));
  }

  /** Resolves when nobody is pending, somebody refuses, `timeoutMs` is over, or the signal ends it. */
  async waitFor(
    revision: number,
    agents: Iterable<AgentRecord>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Rollout> {
    const rollout = this.#rollouts.get(revision) ?? this.#add(fromNumbers(revision, agents));
    if (isOver(rollout) || signal.aborted) return describe(rollout);
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        rollout.waiters.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, timeoutMs);
      signal.addEventListener('abort', finish);
      rollout.waiters.add(finish);
    });
    return describe(rollout);
  }

  #add(rollout: OpenRollout): OpenRollout {
    this.#rollouts.set(rollout.revision, rollout);
    if (rollout.pending.size > 0) this.#open.add(rollout);
    if (this.#rollouts.size > mostRemembered) this.#forgetOldest();
    return rollout;
  }

  #forgetOldest(): void {
    for (const [revision, rollout] of this.#rollouts) {
      if (rollout.waiters.size > 0) continue;
      this.#rollouts.delete(revision);
      this.#open.delete(rollout);
      return;
    }
  }

  #progress(rollout: OpenRollout, isRefused: boolean): void {
    if (rollout.pending.size === 0) this.#open.delete(rollout);
    if (rollout.pending.size === 0 || isRefused) for (const finish of [...rollout.waiters]) finish();
    if (this.#untold.size === 0) setImmediate(() => this.#tell());
    this.#untold.add(rollout);
  }

  #tell(): void {
    const rollouts = [...this.#untold];
    this.#untold.clear();
    for (const rollout of rollouts) this.#onProgress(() => describe(rollout));
  }
}

function fromNumbers(revision: number, agents: Iterable<AgentRecord>): OpenRollout {
  const concerned = [...agents].filter(({ touched }) => touched >= revision);
  const pending = concerned.filter(({ applied }) => applied < revision);
  return {
    revision,
    // Nothing is known of when it was published: only what an agent refuses of it, or of a later one, counts.
    sequence: Number.POSITIVE_INFINITY,
    agents: concerned.length,
    pending: new Map(pending.map((agent) => [agent.key, agent])),
    gone: new Map(),
    waiters: new Set(),
    retired: 0,
  };
}

function isOver(rollout: OpenRollout): boolean {
  const waiting = [...rollout.pending.values()];
  return waiting.length === 0 || waiting.some((agent) => hasRefused(agent, rollout));
}

/**
 * Whether the agent goes on without the revision: it refused it, or refused an earlier one and has dealt with this one
 * without taking that back. An earlier refusal alone says nothing: this revision may be what repairs it.
 */
function hasRefused({ nack, appliedSequence }: AgentRecord, { revision, sequence }: Published): boolean {
  return nack !== undefined && (nack.revision >= revision || appliedSequence >= sequence);
}

function describe(rollout: OpenRollout): Rollout {
  const { revision, agents, pending, gone, retired } = rollout;
  const waiting = [...pending.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    revision,
    phase: pending.size === 0 && retired === 0 ? 'complete' : 'applying',
    retired,
    agents,
    applied: agents - pending.size - gone.size,
    pending: waiting
      .filter((agent) => !hasRefused(agent, rollout))
      .map((agent) => ({ id: agent.id, reason: whyPending(agent) })),
    rejected: waiting
      .filter((agent) => hasRefused(agent, rollout))
      .map((agent) => ({ id: agent.id, reason: whyRefused(agent) })),
    gone: [...gone.values()],
  };
}

/** Why an agent is not current, as a sentence. */
export function whyPending(agent: AgentRecord): string {
  const { name, detail } = conditionOf(agent);
  if (name !== '') return detail === '' ? name : `${name}: ${detail}`;
  if (!isConnected(agent)) return 'not connected; counted until its lease runs out';
  return 'has not acknowledged yet';
}

/** What an agent that has refused something refuses, as a sentence. */
export function whyRefused({ nack }: AgentRecord): string {
  return `refuses revision ${nack?.revision}: ${nack?.message}`;
}
