/**
 * What a balancer is: it picks one instance of a cluster for one request. Made anew when the instances change; what must
 * outlive that, the number of requests under way, stands in the candidates' `load`.
 */

/** Requests under way to one instance. Counted by the proxy, read by balancers; survives every swap the instance survives. */
export interface Load {
  active: number;
}

/** `degraded`: routed last (its lease is lost, it may still be there). `unavailable`: never (it fails, or drains). */
export type Availability = 'healthy' | 'degraded' | 'unavailable';

export interface Candidate {
  /** 1 to 2^32-1. */
  readonly weight: number;
  readonly availability: Availability;
  readonly load: Load;
}

export interface Balancer<C extends Candidate> {
  /**
   * The instance for one request, none of `tried`; undefined when no instance is left that may be asked. Degraded
   * instances are asked only when no healthy one is left. `random` draws from [0, 1).
   */
  pick(tried: readonly C[], random: () => number): C | undefined;
}
