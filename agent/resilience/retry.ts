/** Whether a try that failed is followed by another one, and after which pause. */
import type { RetryPolicy } from '../../routing/retry-policy.ts';

/**
 * How a try ended without an answer that is passed on: no connection; an upstream that said that it has not begun with the
 * request; a connection that ended, or no time left for this try, before the head of an answer; or the status of one.
 */
export type TryOutcome = 'connect-failure' | 'refused' | 'reset' | number;

/** `retries`: those made so far, 0 after the first try. */
export function shouldRetry(policy: RetryPolicy, outcome: TryOutcome, retries: number): boolean {
  if (retries >= policy.attempts) return false;
  switch (outcome) {
    case 'connect-failure':
      return policy.onConnectFailure;
    case 'refused':
      return policy.onRefused;
    case 'reset':
      return policy.onReset;
    default:
      return policy.statuses.has(outcome);
  }
}

/**
 * The pause before a retry, in milliseconds: Envoy's exponential backoff with full jitter, anything below
 * min(base * (2^n - 1), max) for the nth. `retries`: those made so far, 0 before the first.
 */
export function backoffMs(policy: RetryPolicy, retries: number, random: () => number): number {
  const longest = policy.backoffBaseMs * (2 ** (retries + 1) - 1);
  return Math.floor(random() * Math.min(longest, policy.backoffMaxMs));
}
