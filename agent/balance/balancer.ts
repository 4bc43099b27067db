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
  /** What the instance is called when it is hashed: the same in every agent, and another for every instance. */
  readonly hashKey: string;
  /** '' when nobody said. */
  readonly zone: string;
}

/** Of the balancers of single lists: all their candidates may be asked. `ClusterBalancer` decides who stands in the lists. */
export interface Balancer<C extends Candidate> {
  /**
   * The instance for one request, none of `tried`; undefined when no instance is left that may be asked. `random` draws
   * from [0, 1). `hash` is that of the request, 0 to 2^53-1, for policies that go by it; undefined when the request has
   * none of what is hashed: then chance decides. Synchronous; allocates nothing.
   */
  pick(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined;
  /**
   * Whom `pick` would answer now with nobody tried: one where that is certain, all that it can be where chance has a say,
   * nobody when it would answer none. Changes nothing: the next request is still to come.
   */
  peek(hash: number | undefined): readonly C[];
  /**
   * For whoever may turn out to need no instance: as `pick`, but takes no turn. It is whom `pick` would answer now where
   * that is certain and nobody was tried, else one that it could.
   */
  guess(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined;
}
