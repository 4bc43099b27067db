/**
 * How far each revision has come. An acknowledgement costs one comparison per rollout that is still open; who is waited
 * for was settled when the revision was published.
 */
import { type AgentRecord, isConnected } from './agent-record.ts';

/** Rollouts that are remembered; older ones are answered from the agents' own numbers. */
const mostRemembered = 200;

export interface Laggard {
  readonly id: string;
  readonly reason: string;
}

export interface Rollout {
  readonly revision: number;
  readonly agents: number;
  readonly applied: number;
  readonly pending: readonly Laggard[];
  readonly rejected: readonly Laggard[];
  readonly gone: readonly Laggard[];
}

interface OpenRollout {
  readonly revision: number;
  readonly agents: number;
  readonly pending: Map<string, AgentRecord>;
  readonly gone: Laggard[];
  readonly waiters: Set<() => void>;
}

export class Rollouts {
  readonly #rollouts = new Map<number, OpenRollout>();
  /** Those with somebody pending. */
  readonly #open = new Set<OpenRollout>();
  readonly #onProgress: (rollout: Rollout) => void;

  constructor(onProgress: (rollout: Rollout) => void) {
    this.#onProgress = onProgress;
  }

  /** A revision was published, and these agents hold something that it changes. */
  publish(revision: number, concerned: readonly AgentRecord[]): void {
    const pending = new Map(concerned.map((agent) => [agent.key, agent]));
    this.#add({ revision, agents: concerned.length, pending, gone: [], waiters: new Set() });
  }

  /** The agent's numbers, its connection or its refusal changed. */
  onAgent(agent: AgentRecord): void {
    for (const rollout of this.#open) {
      if (!rollout.pending.has(agent.key)) continue;
      if (agent.applied >= rollout.revision) rollout.pending.delete(agent.key);
      this.#progress(rollout);
    }
  }

  /** The agent's lease ran out: it no longer counts, but it is named. */
  onGone(agent: AgentRecord, reason: string): void {
    for (const rollout of this.#open) {
      if (!rollout.pending.delete(agent.key)) continue;
      rollout.gone.push({ id: agent.id, reason });
      this.#progress(rollout);
    }
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
    if (isOver(rollout)) return describe(rollout);
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        rollout.waiters.delete(check);
        resolve();
      };
      const check = () => {
        if (isOver(rollout)) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      signal.addEventListener('abort', finish);
      rollout.waiters.add(check);
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

  #progress(rollout: OpenRollout): void {
    if (rollout.pending.size === 0) this.#open.delete(rollout);
    for (const check of [...rollout.waiters]) check();
    this.#onProgress(describe(rollout));
  }
}

function fromNumbers(revision: number, agents: Iterable<AgentRecord>): OpenRollout {
  const concerned = [...agents].filter(({ touched }) => touched >= revision);
  const pending = concerned.filter(({ applied }) => applied < revision);
  return {
    revision,
    agents: concerned.length,
    pending: new Map(pending.map((agent) => [agent.key, agent])),
    gone: [],
    waiters: new Set(),
  };
}

function isOver({ pending }: OpenRollout): boolean {
  return pending.size === 0 || [...pending.values()].some(hasRefused);
}

function hasRefused({ nack }: AgentRecord): boolean {
  return nack !== undefined;
}

function describe({ revision, agents, pending, gone }: OpenRollout): Rollout {
  const waiting = [...pending.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    revision,
    agents,
    applied: agents - pending.size - gone.length,
    pending: waiting
      .filter((agent) => !hasRefused(agent))
      .map((agent) => ({ id: agent.id, reason: whyPending(agent) })),
    rejected: waiting.filter(hasRefused).map((agent) => ({ id: agent.id, reason: whyRefused(agent) })),
    gone,
  };
}

function whyPending(agent: AgentRecord): string {
  const { condition, detail } = agent;
  if (!isConnected(agent)) return 'not connected; counted until its lease runs out';
  if (condition !== '') return detail === '' ? condition : `${condition}: ${detail}`;
  return 'has not acknowledged yet';
}

function whyRefused({ nack }: AgentRecord): string {
  return `refuses revision ${nack?.revision}: ${nack?.message}`;
}
