/** The retries of one request after another: whether one may follow, within the budget of its cluster, and after which pause. */
import type { Clock, Random } from '../../process/clock.ts';
import type { RetryPolicy } from '../../routing/retry-policy.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { backoffMs, shouldRetry, type TryOutcome } from '../resilience/retry.ts';

export class RetryTurns {
  readonly #clock: Clock;
  readonly #random: Random;
  #policy: RetryPolicy | undefined;
  #breaker: CircuitBreaker | undefined;
  #made = 0;
  /** The present try, or the pause before it, counts as a retry. */
  #isRetry = false;
  #callOffPause: (() => void) | undefined;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Of a new request; the one before has been stopped. Without a policy nothing is tried again. */
  begin(policy: RetryPolicy | undefined, breaker: CircuitBreaker): void {
    this.#policy = policy;
    this.#breaker = breaker;
    this.#made = 0;
  }

  /** For one try, in milliseconds; 0: no limit. */
  get perTryTimeoutMs(): number {
    return this.#policy?.perTryTimeoutMs ?? 0;
  }

  /** Whether the rule wants one more try after this. */
  wants(outcome: TryOutcome): boolean {
    return this.#policy !== undefined && shouldRetry(this.#policy, outcome, this.#made);
  }

  /** Whether there are not too many retries already. If so, this one counts from now on: `follow` comes next. */
  tryAcquire(): boolean {
    // The try that has just failed makes room for the next.
    this.#release();
    return this.#breaker?.tryAcquireRetry() ?? false;
  }

  /** After the pause. */
  follow(tryAgain: () => void): void {
    if (this.#policy === undefined) return;
    this.#isRetry = true;
    const pauseMs = backoffMs(this.#policy, this.#made++, this.#random);
    this.#callOffPause = this.#clock.after(pauseMs, () => {
      this.#callOffPause = undefined;
      tryAgain();
    });
  }

  /** The present try is over, or nobody wants the one after the pause any more. */
  stop(): void {
    this.#callOffPause?.();
    this.#callOffPause = undefined;
    this.#release();
  }

  #release(): void {
    if (!this.#isRetry) return;
    this.#isRetry = false;
    this.#breaker?.releaseRetry();
  }
}
