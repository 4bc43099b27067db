/**
 * When an instance that nobody vouches for is lost, and when it is forgotten. Pure: the registry brings the time.
 *
 *     held ──stream lost / last heartbeat──► counting ──deadline──► lost ──15 s──► gone
 *      ▲                                        │                     │
 *      └──────────── a sign of life ────────────┴─────────────────────┘
 */

/** How long a lost instance stays, routed last: its callers may still reach it when nobody else can. */
export const lostForMs = 15_000;

/** Below this many instances nothing is preserved: a majority of three is one bad deployment. */
export const preservedFrom = 10;

/** After this long without a renewal the loss is believed. */
export const preservedForMs = 600_000;

export type Liveness =
  /** A stream vouches for it. */
  | { readonly is: 'held' }
  | { readonly is: 'counting'; readonly untilMs: number }
  | { readonly is: 'lost'; readonly untilMs: number };

export const held: Liveness = { is: 'held' };

export function counting(nowMs: number, ttlMs: number): Liveness {
  return { is: 'counting', untilMs: nowMs + ttlMs };
}

export function isDue(liveness: Liveness, nowMs: number): boolean {
  return liveness.is !== 'held' && liveness.untilMs <= nowMs;
}

/** One step after the deadline: counting becomes lost, lost becomes gone (undefined). */
export function afterDeadline(liveness: Liveness, nowMs: number): Liveness | undefined {
  return liveness.is === 'counting' ? { is: 'lost', untilMs: nowMs + lostForMs } : undefined;
}

/** Self-preservation: since when more than half of the instances have been due at once. */
export interface Preservation {
  readonly sinceMs: number;
}

/**
 * Whether the registry should doubt itself rather than its instances: with at least 10 of them, more than half without
 * a sign of life looks like a fault of the network or of this server. Ends when instances renew, or after 10 minutes.
 */
export function preserve(
  present: Preservation | undefined,
  counts: { readonly missing: number; readonly all: number },
  nowMs: number,
): Preservation | undefined {
  if (counts.all < preservedFrom || counts.missing * 2 <= counts.all) return undefined;
  return present ?? { sinceMs: nowMs };
}

export function isPreserving(preservation: Preservation | undefined, nowMs: number): boolean {
  return preservation !== undefined && nowMs - preservation.sinceMs < preservedForMs;
}
