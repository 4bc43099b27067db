/** Where a request is sent: who can be asked, in which order, and within which limits. A cluster of the mesh is one. */

import type { RouteRequest } from '../../routing/request.ts';
import { CircuitBreaker, defaultBreakerLimits } from '../resilience/circuit-breaker.ts';
import { InstanceState } from '../resilience/instance-state.ts';
import type { OutlierDetection } from '../resilience/outlier-detection.ts';

/** Who can be asked. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** Its id; '' of what is no instance of the mesh. */
  readonly instance: string;
  /** Whom the request names as the one it is meant for; '' when there is no agent that would read it. */
  readonly identity: string;
  readonly load: InstanceState;
}

export interface Destination {
  /** As counters call it: `reviews.default|http|v1`. */
  readonly name: string;
  /** As sentences call it: `reviews.default, subset v1`. */
  readonly title: string;
  readonly connectTimeoutMs: number;
  /** How long an unused connection is kept. */
  readonly idleTimeoutMs: number;
  readonly balancer: {
    /** The next to ask, none of `tried`; undefined when there is none. */
    pick(tried: readonly Target[], random: () => number, hash: number | undefined): Target | undefined;
    /** Whom `pick` would answer now with nobody tried: one, or all that it can be where chance has a say. */
    peek(hash: number | undefined): readonly Target[];
    /** As `pick`, for whoever may not need it: takes no turn. */
    guess(tried: readonly Target[], random: () => number, hash: number | undefined): Target | undefined;
  };
  /** What `pick` is given of a request. */
  readonly hashOf: (request: RouteRequest, sourceAddress: string) => number | undefined;
  readonly breaker: CircuitBreaker;
  /** Is told how each try went; undefined: nobody wants to know. */
  readonly outlier: OutlierDetection | undefined;
}

/**
 * Shorter than the shortest keep-alive in wide use (5 s, of Node and of uvicorn), so that it is this side that ends a
 * connection and no request meets one that just closes.
 */
const idleTimeoutMs = 4_000;

/** One target, and nobody else. */
export function soleDestination(options: {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
}): Destination {
  const { name, address, port, connectTimeoutMs } = options;
  const target: Target = { address, port, instance: '', identity: '', load: new InstanceState() };
  const pick = (tried: readonly Target[]) => (tried.length === 0 ? target : undefined);
  return {
    name,
    title: name,
    connectTimeoutMs,
    idleTimeoutMs,
    balancer: { pick, peek: () => [target], guess: pick },
    hashOf: () => undefined,
    breaker: new CircuitBreaker(defaultBreakerLimits),
    outlier: undefined,
  };
}
