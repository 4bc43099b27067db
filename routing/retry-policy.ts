/** When a request is sent again, how often and how soon: Envoy's RetryPolicy, cut down to the conditions of rules. */
import type { RetryPolicy as WireRetryPolicy } from '../proto/types.ts';
import { toMilliseconds } from './duration.ts';
import { UnusableError } from './refusal.ts';

export interface RetryPolicy {
  /** Retries beyond the first try. */
  readonly attempts: number;
  /** No connection could be established. */
  readonly onConnectFailure: boolean;
  /** The other side said that it has not begun with the request. */
  readonly onRefused: boolean;
  /** The connection ended, or the time for this try was over, before the head of an answer was there. */
  readonly onReset: boolean;
  /** Statuses of answers that are not passed on but tried again. */
  readonly statuses: ReadonlySet<number>;
  /** For one try, until the head of its answer is there; 0 is no limit of its own. */
  readonly perTryTimeoutMs: number;
  /** The nth pause is random between 0 and min(base * (2^n - 1), max). */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** What xDS calls the conditions. */
export const retryTokens = {
  'connect-failure': 'connect-failure',
  refused: 'refused-stream',
  reset: 'reset',
  status: 'retriable-status-codes',
} as const;

/** Envoy's. */
const defaultBackoffBaseMs = 25;
/** Envoy's: the longest pause is this many times the base. */
const defaultBackoffFactor = 10;

/** Undefined when nothing is tried again. Throws UnusableError on a condition it does not know. */
export function prepareRetry(policy: WireRetryPolicy | null, where: string): RetryPolicy | undefined {
  if (policy === null) return undefined;
  const tokens = policy.retryOn.split(',').map((token) => token.trim());
  const unknown = tokens.find((token) => !knownTokens.has(token));
  if (unknown !== undefined) {
    throw new UnusableError(where, `retries on ${JSON.stringify(unknown)}, which this agent does not know`);
  }
  const onStatus = tokens.includes(retryTokens.status);
  const backoffBaseMs = toMilliseconds(policy.retryBackOff?.baseInterval ?? null) || defaultBackoffBaseMs;
  const backoffMaxMs = toMilliseconds(policy.retryBackOff?.maxInterval ?? null);
  return {
    // As in Envoy.
    attempts: policy.numRetries?.value ?? 1,
    onConnectFailure: tokens.includes(retryTokens['connect-failure']),
    onRefused: tokens.includes(retryTokens.refused),
    onReset: tokens.includes(retryTokens.reset),
    statuses: new Set(onStatus ? policy.retriableStatusCodes : []),
    perTryTimeoutMs: toMilliseconds(policy.perTryTimeout),
    backoffBaseMs,
    backoffMaxMs: Math.max(backoffMaxMs || backoffBaseMs * defaultBackoffFactor, backoffBaseMs),
  };
}

const knownTokens = new Set<string>(Object.values(retryTokens));
