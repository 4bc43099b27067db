/** What the results of active health checks make of an instance: Envoy's thresholds. Knows no probe and no time. */

export interface ActiveHealth {
  /** - `unchecked`: no result yet, the registry's word counts; `passing`; `failing`: to be asked last. */
  readonly is: 'unchecked' | 'passing' | 'failing';
  /** Results in a row that speak against `is`. */
  readonly contrary: number;
}

export interface HealthThresholds {
  /** Results in a row, at least 1. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

export const unchecked: ActiveHealth = { is: 'unchecked', contrary: 0 };
const passing: ActiveHealth = { is: 'passing', contrary: 0 };
const failing: ActiveHealth = { is: 'failing', contrary: 0 };

/** The first result decides at once, as in Envoy. */
export function onCheckResult(
  health: ActiveHealth,
  isUp: boolean,
  { healthyThreshold, unhealthyThreshold }: HealthThresholds,
): ActiveHealth {
  const agreed = isUp ? passing : failing;
  if (health.is === 'unchecked' || health.is === agreed.is) return agreed;
  const contrary = health.contrary + 1;
  return contrary >= (isUp ? healthyThreshold : unhealthyThreshold) ? agreed : { is: health.is, contrary };
}

/** How the instances of a cluster are checked. */
export interface HealthCheckSettings extends HealthThresholds {
  /** Undefined: a connection that is accepted is enough. */
  readonly http: HttpCheck | undefined;
  /** From the end of one check to the beginning of the next. */
  readonly intervalMs: number;
  /** For one check as a whole. */
  readonly timeoutMs: number;
}

/** GET, and any status of 200 to 299 passes. */
export interface HttpCheck {
  /** The Host header. */
  readonly host: string;
  readonly path: string;
}
