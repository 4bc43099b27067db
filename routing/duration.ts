/** google.protobuf.Duration as milliseconds, the unit that timers take. */
import { toNumber } from '../proto/load.ts';
import type { Duration } from '../proto/types.ts';

/** Timers of Node end here, at 24.8 days; a longer duration is this one. */
const longestMs = 2 ** 31 - 1;

/** Whole milliseconds, rounded up, so that a short limit does not become none; 0 when unset or negative. */
export function toMilliseconds(duration: Duration | null): number {
  if (duration === null) return 0;
  const ms = Math.ceil(toNumber(duration.seconds) * 1_000 + duration.nanos / 1_000_000);
  return Math.min(Math.max(ms, 0), longestMs);
}
