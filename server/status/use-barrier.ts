/** Waits until agents use a state of the snapshot cache: a draining instance ends only when nobody sends to it. */
import { type AgentRecord, isConnected } from './agent-record.ts';

interface Waiter {
  readonly sequence: number;
  readonly pending: Set<AgentRecord>;
  readonly finish: () => void;
}

export class UseBarrier {
  readonly #waiters = new Set<Waiter>();

  /** Resolves with the ids of those who do not use it when the time is over; with none as soon as all do. */
  wait(sequence: number, agents: Iterable<AgentRecord>, timeoutMs: number): Promise<readonly string[]> {
    const pending = new Set([...agents].filter(({ appliedSequence }) => appliedSequence < sequence));
    if (pending.size === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve([...pending].map(({ id }) => id).sort());
      };
      const waiter = { sequence, pending, finish };
      const timer = setTimeout(finish, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** The agent uses another state now, or is gone. */
  onAgent(agent: AgentRecord): void {
    for (const { sequence, pending, finish } of this.#waiters) {
      if (isConnected(agent) && agent.appliedSequence < sequence) continue;
      if (pending.delete(agent) && pending.size === 0) finish();
    }
  }
}
