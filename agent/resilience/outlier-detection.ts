/**
 * Passive health: an instance that fails several times in a row is ejected for a while, longer each time, as Envoy's outlier
 * detection does it. No timer and no clock: somebody calls `sweep` when it is due.
 */
import type { InstanceState, SuspicionLog } from './instance-state.ts';
import type { OutlierState } from './outlier-state.ts';

export interface OutlierSettings {
  /** Failures in a row that eject; `never` for kinds that do not. */
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly consecutiveLocalOriginFailure: number;
  /**
   * Whether failures of local origin are counted apart. If not, each is also a gateway failure and a 5xx: Envoy's default.
   */
  readonly splitExternalLocalOriginErrors: boolean;
  /** From one sweep to the next. */
  readonly intervalMs: number;
  /** The nth ejection lasts n times this, at most `maxEjectionTimeMs`. */
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  /** Of all instances of the cluster, 0 to 100. */
  readonly maxEjectionPercent: number;
  /** Also when one is more than that percentage; not when that is 0, which is a way to say nobody. */
  readonly alwaysEjectOneHost: boolean;
}

export const never = Number.POSITIVE_INFINITY;

/**
 * How a request to an instance ended: with an answer below 500; with another 5xx than `gateway`; with 502, 503 or 504; or
 * without an answer, because no connection came about, it was reset, or time ran out.
 */
export type RequestOutcome = 'success' | '5xx' | 'gateway' | 'local';

/** Since the cluster has had outlier detection. */
export interface EjectionCounts {
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly consecutiveLocalOriginFailure: number;
  /** Not carried out: too many were ejected already. */
  readonly overflow: number;
}

export interface OutlierDetectionOptions {
  readonly settings: OutlierSettings;
  /** Of all instances of the cluster. */
  readonly instances: readonly InstanceState[];
  readonly suspicions: SuspicionLog;
  readonly previous?: OutlierDetection | undefined;
}

/** Made anew with every view of its cluster; what it knows stands in the instances and goes on. */
export class OutlierDetection {
  readonly settings: OutlierSettings;
  readonly #instances: readonly InstanceState[];
  readonly #suspicions: SuspicionLog;
  readonly #shared: Shared;

  constructor({ settings, instances, suspicions, previous }: OutlierDetectionOptions) {
    this.settings = settings;
    this.#instances = instances;
    this.#suspicions = suspicions;
    this.#shared =
      previous === undefined
        ? {
            sweptAtMs: undefined,
            ejections: {
              consecutive5xx: 0,
              consecutiveGatewayFailure: 0,
              consecutiveLocalOriginFailure: 0,
              overflow: 0,
            },
          }
        : previous.#shared;
  }

  /** Live: they go on changing. */
  get ejections(): EjectionCounts {
    return this.#shared.ejections;
  }

  /** How a request to this instance ended; once for each try. Of a success it costs a few comparisons. */
  report({ outlier }: InstanceState, outcome: RequestOutcome, nowMs: number): void {
    if (outcome === 'success') {
      outlier.consecutive5xx = 0;
      outlier.consecutiveGatewayFailure = 0;
      outlier.consecutiveLocalOriginFailure = 0;
      outlier.isOnProbation = false;
      return;
    }
    const isLocal = outcome === 'local';
    const isApart = isLocal && this.settings.splitExternalLocalOriginErrors;
    // An answer of any kind shows that the way is clear; an answer that is no gateway's breaks a row of gateway failures.
    outlier.consecutiveLocalOriginFailure = isLocal ? outlier.consecutiveLocalOriginFailure + 1 : 0;
    if (!isApart) {
      outlier.consecutive5xx++;
      outlier.consecutiveGatewayFailure = outcome === '5xx' ? 0 : outlier.consecutiveGatewayFailure + 1;
    }
    // Requests that began before the ejection tell nothing new.
    if (outlier.isEjected) return;
    const reason = this.#reasonToEject(outlier);
    if (reason !== undefined) this.#eject(outlier, reason, nowMs);
  }

  /** When `sweep` has something to do; from the first call of it on. */
  get nextSweepMs(): number {
    return (this.#shared.sweptAtMs ?? 0) + this.settings.intervalMs;
  }

  /** Lets those come back whose time is over. Does nothing before it is due; the first call begins the first interval. */
  sweep(nowMs: number): void {
    const { sweptAtMs } = this.#shared;
    // A clock that was set back begins the interval anew.
    if (sweptAtMs === undefined || nowMs < sweptAtMs) this.#shared.sweptAtMs = nowMs;
    if (nowMs < this.nextSweepMs) return;
    this.#shared.sweptAtMs = nowMs;
    for (const { outlier } of this.#instances) {
      if (!outlier.isEjected) outlier.multiplier = Math.max(0, outlier.multiplier - 1);
      else if (this.#isOver(outlier, nowMs)) this.#uneject(outlier);
    }
  }

  /** Nothing lasts longer than the longest time: by a clock that was set back it might. */
  #isOver({ ejectedUntilMs }: OutlierState, nowMs: number): boolean {
    return ejectedUntilMs <= nowMs || ejectedUntilMs > nowMs + this.settings.maxEjectionTimeMs;
  }

  #reasonToEject(outlier: OutlierState): EjectionReason | undefined {
    const { settings } = this;
    if (outlier.consecutive5xx >= settings.consecutive5xx) return 'consecutive5xx';
    if (outlier.consecutiveGatewayFailure >= settings.consecutiveGatewayFailure) return 'consecutiveGatewayFailure';
    if (outlier.consecutiveLocalOriginFailure >= settings.consecutiveLocalOriginFailure)
      return 'consecutiveLocalOriginFailure';
    return outlier.isOnProbation ? this.#reasonOnProbation(outlier) : undefined;
  }

  /** One failure is enough, of a kind that would eject with more. */
  #reasonOnProbation(outlier: OutlierState): EjectionReason | undefined {
    return kinds.find((kind) => outlier[kind] > 0 && this.settings[kind] !== never);
  }

  #eject(outlier: OutlierState, reason: EjectionReason, nowMs: number): void {
    const { baseEjectionTimeMs, maxEjectionTimeMs } = this.settings;
    const { ejections } = this.#shared;
    // Also of one that stays: as in Envoy, it takes a whole row to ask again.
    outlier[reason] = 0;
    outlier.isOnProbation = false;
    if (!this.#mayEjectOne()) {
      ejections.overflow++;
      return;
    }
    ejections[reason]++;
    // As in Envoy: once the longest time is reached the number rises no further, or it would take for ever to fall.
    if (outlier.multiplier * baseEjectionTimeMs < maxEjectionTimeMs) outlier.multiplier++;
    outlier.isEjected = true;
    outlier.ejectedUntilMs = nowMs + Math.min(outlier.multiplier * baseEjectionTimeMs, maxEjectionTimeMs);
    this.#suspicions.changes++;
  }

  #mayEjectOne(): boolean {
    const { maxEjectionPercent, alwaysEjectOneHost } = this.settings;
    const ejected = this.#instances.reduce((count, { outlier }) => count + (outlier.isEjected ? 1 : 0), 0);
    if (ejected === 0 && alwaysEjectOneHost) return maxEjectionPercent > 0;
    return 100 * (ejected + 1) <= maxEjectionPercent * this.#instances.length;
  }

  #uneject(outlier: OutlierState): void {
    outlier.isEjected = false;
    outlier.isOnProbation = true;
    outlier.consecutive5xx = 0;
    outlier.consecutiveGatewayFailure = 0;
    outlier.consecutiveLocalOriginFailure = 0;
    this.#suspicions.changes++;
  }
}

type EjectionReason = 'consecutive5xx' | 'consecutiveGatewayFailure' | 'consecutiveLocalOriginFailure';

const kinds: readonly EjectionReason[] = [
  'consecutive5xx',
  'consecutiveGatewayFailure',
  'consecutiveLocalOriginFailure',
];

interface Shared {
  /** Undefined before the first sweep. */
  sweptAtMs: number | undefined;
  readonly ejections: { -readonly [Count in keyof EjectionCounts]: EjectionCounts[Count] };
}
