/**
 * Envoy's circuit breakers of a cluster: how many connections, waiting requests, requests and retries there may be at the
 * same time. What is beyond is refused at once and counted, so that a slow cluster does not take the agent with it.
 */

/** `noLimit` for what is not limited. */
export interface BreakerLimits {
  readonly maxConnections: number;
  /** Requests that wait for a connection. */
  readonly maxPendingRequests: number;
  /** Requests that have one. */
  readonly maxRequests: number;
  readonly retries: RetryLimit;
}

export type RetryLimit =
  | { readonly is: 'fixed'; readonly maxRetries: number }
  /** Retries may be this percentage of the requests under way, and `minConcurrency` in any case. */
  | { readonly is: 'budget'; readonly percent: number; readonly minConcurrency: number };

export const noLimit = Number.POSITIVE_INFINITY;

/**
 * When nobody says anything. Envoy has 1024 for each of the first three; but a limit that nobody asked for is a failure
 * that nobody expects. Only who waits for a connection has no end of its own: hence the one number. The retry budget
 * is Envoy's default for budgets: rules ask for retries, and in an outage they must not double the load.
 */
export const defaultBreakerLimits: BreakerLimits = {
  maxConnections: noLimit,
  maxPendingRequests: 1_024,
  maxRequests: noLimit,
  retries: { is: 'budget', percent: 20, minConcurrency: 3 },
};

export const unlimited: BreakerLimits = {
  maxConnections: noLimit,
  maxPendingRequests: noLimit,
  maxRequests: noLimit,
  retries: { is: 'fixed', maxRetries: noLimit },
};

/** What is under way at present, and how often a limit has refused. Each request counts once: as pending or as request. */
export interface BreakerCounts {
  readonly connections: number;
  readonly pending: number;
  readonly requests: number;
  readonly retries: number;
  readonly connectionOverflow: number;
  readonly pendingOverflow: number;
  readonly requestOverflow: number;
  readonly retryOverflow: number;
}

/**
 * Made anew with every view of its cluster, with the limits of that view; the counts go on from the breaker before. So
 * whatever was acquired from one may be released to another: take the present one for each acquisition.
 */
export class CircuitBreaker {
  readonly limits: BreakerLimits;
  readonly #counts: { -readonly [Count in keyof BreakerCounts]: BreakerCounts[Count] };

  constructor(limits: BreakerLimits, previous?: CircuitBreaker) {
    this.limits = limits;
    this.#counts =
      previous === undefined
        ? {
            connections: 0,
            pending: 0,
            requests: 0,
            retries: 0,
            connectionOverflow: 0,
            pendingOverflow: 0,
            requestOverflow: 0,
            retryOverflow: 0,
          }
        : previous.#counts;
  }

  /** Live: they go on changing. */
  get counts(): BreakerCounts {
    return this.#counts;
  }

  /** Changes nothing, and counts no overflow. */
  get hasRoomForConnection(): boolean {
    return this.#counts.connections < this.limits.maxConnections;
  }

  tryAcquireConnection(): boolean {
    if (!this.hasRoomForConnection) {
      this.#counts.connectionOverflow++;
      return false;
    }
    this.#counts.connections++;
    return true;
  }

  /** Whatever the limit: as in Envoy an instance gets one connection, or it could never be asked. */
  acquireConnection(): void {
    this.#counts.connections++;
  }

  releaseConnection(): void {
    this.#counts.connections--;
  }

  tryAcquirePending(): boolean {
    if (this.#counts.pending >= this.limits.maxPendingRequests) {
      this.#counts.pendingOverflow++;
      return false;
    }
    this.#counts.pending++;
    return true;
  }

  releasePending(): void {
    this.#counts.pending--;
  }

  tryAcquireRequest(): boolean {
    if (this.#counts.requests >= this.limits.maxRequests) {
      this.#counts.requestOverflow++;
      return false;
    }
    this.#counts.requests++;
    return true;
  }

  releaseRequest(): void {
    this.#counts.requests--;
  }

  /** From the decision to try again until that try is over, the pause before it included. */
  tryAcquireRetry(): boolean {
    if (this.#counts.retries >= this.#mostRetries) {
      this.#counts.retryOverflow++;
      return false;
    }
    this.#counts.retries++;
    return true;
  }

  releaseRetry(): void {
    this.#counts.retries--;
  }

  get #mostRetries(): number {
    const { retries } = this.limits;
    if (retries.is === 'fixed') return retries.maxRetries;
    const { requests, pending } = this.#counts;
    return Math.max(retries.minConcurrency, Math.floor(((requests + pending) * retries.percent) / 100));
  }
}
