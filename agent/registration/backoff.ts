/** When and where to connect next. Pure: full jitter, so that thousands of agents do not come back as one wave. */
import type { Random } from '../../process/clock.ts';

/** How one connection went. */
export interface Ended {
  /** From the server's welcome on; 0 when there was none. */
  readonly livedMs: number;
  /** - `ok`: the server ended it on purpose; `refused`: it does not want this agent; `lost`: everything else. */
  readonly how: 'ok' | 'refused' | 'lost';
}

export interface Attempt {
  /** Index of the server to connect to. */
  readonly server: number;
  /** Connections in a row that did not become healthy. */
  readonly failures: number;
  readonly delayMs: number;
}

const baseMs = 100;
const longestMs = 5_000;
/** A connection that lived this long was no failure: what ends it is something new. */
const healthyMs = 10_000;
/** A planned end comes quickly after the welcome only when servers are confused; then it must not become a loop. */
const plannedMs = 1_000;

/** Starts at any of the servers: they share the agents. */
export function firstAttempt(servers: number, random: Random): Attempt {
  return { server: Math.floor(random() * servers), failures: 0, delayMs: 0 };
}

export function nextAttempt(last: Attempt, ended: Ended, servers: number, random: Random): Attempt {
  const server = (last.server + 1) % servers;
  const wasHealthy = ended.livedMs >= (ended.how === 'ok' ? plannedMs : healthyMs);
  const failures = wasHealthy ? 0 : last.failures + 1;
  // Asking again soon does not change the mind of a server that refused.
  if (ended.how === 'refused') return { server, failures, delayMs: longestMs * (1 + random()) * 0.5 };
  const capMs = Math.min(longestMs, baseMs * 2 ** Math.min(failures, 10));
  return { server, failures, delayMs: capMs * random() };
}
