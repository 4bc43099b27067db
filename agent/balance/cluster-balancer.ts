/**
 * Whom a balancer may ask at all. Two have a say: the registry (`availability`), and the agent itself, which suspects
 * instances that it has ejected or whose health check fails. Then the zone, then the policy.
 */
import type { Availability, Balancer, Candidate } from './balancer.ts';
import type { LoadBalancerPolicy } from './policy.ts';
import { RandomBalancer } from './random.ts';
import { Zones } from './zones.ts';

/** What the agent suspects of the instances of one cluster. */
export interface Suspicions<C extends Candidate> {
  readonly isSuspected: (candidate: C) => boolean;
  /** Goes up with every change of what is suspected. Survives swaps. */
  readonly state: { readonly changes: number };
  /**
   * Envoy's panic threshold, 0 to 100: when less than this percentage of the instances that the registry calls healthy is
   * free of suspicion, suspicion is ignored, as the few left could not carry all. 0: never ignored.
   */
  readonly panicThreshold: number;
}

export interface ClusterBalancerOptions<C extends Candidate> {
  readonly policy: LoadBalancerPolicy;
  readonly candidates: readonly C[];
  /** Instances in this zone go first. Absent: zones are not looked at. */
  readonly preferredZone?: string | undefined;
  /** Absent: nobody is ever suspected. */
  readonly suspicions?: Suspicions<C> | undefined;
  /** Of the same cluster so far: what took long to build is taken over where it is the same. */
  readonly previous?: ClusterBalancer<C> | undefined;
}

/** What the next request would meet. */
export interface Prospect<C> {
  /** Who is asked first; `none`: nobody may be asked. */
  readonly level: 'healthy' | 'degraded' | 'suspected' | 'none';
  /** See `Balancer.peek`. */
  readonly next: readonly C[];
  /** How much of the requests stays in the agent's own zone, 0 to 100; undefined when zones are not looked at. */
  readonly localPercent: number | undefined;
  readonly isInPanic: boolean;
  /** Whether those that are suspected are asked at all: last, when there is nobody else. */
  readonly asksSuspected: boolean;
}

/**
 * Asks, in this order, and the next only when all before were tried: healthy instances without suspicion (in panic all
 * healthy ones), degraded ones likewise, then those that are suspected, unless the panic threshold is 0. Never the
 * unavailable.
 */
export class ClusterBalancer<C extends Candidate> implements Balancer<C> {
  readonly #candidates: readonly C[];
  readonly #suspicions: Suspicions<C> | undefined;
  readonly #zones: Zones<C>;
  #preparedFor: number;
  #prepared: Prepared<C>;

  constructor({ policy, candidates, preferredZone, suspicions, previous }: ClusterBalancerOptions<C>) {
    this.#candidates = candidates;
    this.#suspicions = suspicions;
    this.#zones = new Zones({
      policy,
      candidates,
      preferredZone,
      previous: previous === undefined ? undefined : previous.#zones,
    });
    this.#preparedFor = suspicions?.state.changes ?? 0;
    this.#prepared = this.#prepare();
  }

  /** Whether suspicion is ignored now. */
  get isInPanic(): boolean {
    return this.#current.isInPanic;
  }

  pick(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    const { healthy, degraded, suspected } = this.#current;
    return healthy.pick(tried, random, hash) ?? degraded?.pick(tried, random, hash) ?? suspected?.pick(tried, random);
  }

  peek(hash: number | undefined): readonly C[] {
    return this.prospect(hash).next;
  }

  guess(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    const { healthy, degraded, suspected } = this.#current;
    return (
      healthy.guess(tried, random, hash) ?? degraded?.guess(tried, random, hash) ?? suspected?.guess(tried, random)
    );
  }

  /** As `peek`, with what led to it. */
  prospect(hash: number | undefined): Prospect<C> {
    const { healthy, degraded, suspected, isInPanic, usable } = this.#current;
    const levels = [
      ['healthy', healthy],
      ['degraded', degraded],
      ['suspected', suspected],
    ] as const;
    const asksSuspected = this.#suspicions?.panicThreshold !== 0;
    for (const [level, balancer] of levels) {
      const next = balancer?.peek(hash) ?? [];
      if (next.length === 0) continue;
      const localPercent = level === 'suspected' ? undefined : this.#zones.percentFor(usable[level]);
      return { level, next, localPercent, isInPanic, asksSuspected };
    }
    return { level: 'none', next: [], localPercent: undefined, isInPanic, asksSuspected };
  }

  /** Prepared anew by the first request after a change: an ejection costs once, whatever the number of requests. */
  get #current(): Prepared<C> {
    if (this.#suspicions !== undefined && this.#suspicions.state.changes !== this.#preparedFor) {
      this.#preparedFor = this.#suspicions.state.changes;
      this.#prepared = this.#prepare();
    }
    return this.#prepared;
  }

  #prepare(): Prepared<C> {
    const healthy = this.#trusted('healthy');
    const degraded = this.#trusted('degraded');
    const suspected = this.#suspicions?.panicThreshold === 0 ? [] : [...healthy.suspected, ...degraded.suspected];
    return {
      healthy: this.#zones.balance(healthy.usable),
      degraded: degraded.usable.length === 0 ? undefined : this.#zones.balance(degraded.usable),
      suspected: suspected.length === 0 ? undefined : new RandomBalancer(suspected),
      isInPanic: healthy.isInPanic,
      usable: { healthy: healthy.usable, degraded: degraded.usable },
    };
  }

  #trusted(availability: Availability): Trust<C> {
    const all = this.#candidates.filter((candidate) => candidate.availability === availability);
    if (this.#suspicions === undefined) return { usable: all, suspected: [], isInPanic: false };
    const { isSuspected, panicThreshold } = this.#suspicions;
    const free = all.filter((candidate) => !isSuspected(candidate));
    return 100 * free.length < panicThreshold * all.length
      ? { usable: all, suspected: [], isInPanic: true }
      : { usable: free, suspected: all.filter(isSuspected), isInPanic: false };
  }
}

interface Prepared<C extends Candidate> {
  readonly healthy: Balancer<C>;
  readonly degraded: Balancer<C> | undefined;
  /** Asked last of all. */
  readonly suspected: RandomBalancer<C> | undefined;
  readonly isInPanic: boolean;
  /** Who stands in the first two. */
  readonly usable: { readonly healthy: readonly C[]; readonly degraded: readonly C[] };
}

interface Trust<C> {
  readonly usable: readonly C[];
  /** The others. */
  readonly suspected: readonly C[];
  readonly isInPanic: boolean;
}
