/**
 * What a Cluster says to protect its instances: circuit breakers, outlier detection, health check, panic threshold. What
 * is unset means what it means to Envoy, unless it says otherwise here.
 */
import type { Cluster, HealthCheck, Percent, UInt32Value } from '../../proto/types.ts';
import { toMilliseconds } from '../../routing/duration.ts';
import { UnusableError } from '../../routing/refusal.ts';
import type { HealthCheckSettings, HttpCheck } from '../resilience/active-health.ts';
import { type BreakerLimits, defaultBreakerLimits, type RetryLimit } from '../resilience/circuit-breaker.ts';
import { never, type OutlierSettings } from '../resilience/outlier-detection.ts';

/** Envoy's, 0 to 100. */
const defaultPanicThreshold = 50;

export function readPanicThreshold({ commonLbConfig }: Cluster): number {
  return percentOf(
    commonLbConfig?.healthyPanicThreshold ?? null,
    defaultPanicThreshold,
    'commonLbConfig.healthyPanicThreshold',
  );
}

/**
 * Only the first thresholds count, those of the default priority. Unset is `defaultBreakerLimits`, not Envoy's 1024.
 * `workers`: so many processes count on their own, so each has its part, rounded up.
 */
export function readBreakerLimits(cluster: Cluster, workers: number): BreakerLimits {
  const limits = readLimitsOfAll(cluster);
  const partOf = (limit: number) => Math.ceil(limit / workers);
  const { retries } = limits;
  return {
    maxConnections: partOf(limits.maxConnections),
    maxPendingRequests: partOf(limits.maxPendingRequests),
    maxRequests: partOf(limits.maxRequests),
    retries:
      retries.is === 'fixed'
        ? { ...retries, maxRetries: partOf(retries.maxRetries) }
        : { ...retries, minConcurrency: partOf(retries.minConcurrency) },
  };
}

function readLimitsOfAll({ circuitBreakers }: Cluster): BreakerLimits {
  const [thresholds] = circuitBreakers?.thresholds ?? [];
  if (thresholds === undefined) return defaultBreakerLimits;
  return {
    maxConnections: thresholds.maxConnections?.value ?? defaultBreakerLimits.maxConnections,
    maxPendingRequests: thresholds.maxPendingRequests?.value ?? defaultBreakerLimits.maxPendingRequests,
    maxRequests: thresholds.maxRequests?.value ?? defaultBreakerLimits.maxRequests,
    retries: readRetryLimit(thresholds),
  };
}

type Thresholds = NonNullable<Cluster['circuitBreakers']>['thresholds'][number];

function readRetryLimit({ retryBudget, maxRetries }: Thresholds): RetryLimit {
  if (retryBudget !== null) {
    return {
      is: 'budget',
      percent: percentOf(retryBudget.budgetPercent, 20, 'circuitBreakers.thresholds[0].retryBudget'),
      minConcurrency: retryBudget.minRetryConcurrency?.value ?? 3,
    };
  }
  return maxRetries === null ? defaultBreakerLimits.retries : { is: 'fixed', maxRetries: maxRetries.value };
}

/** Undefined when nobody is ejected. Success rates are not looked at: Envoy's `enforcing_success_rate` has no effect. */
export function readOutlierSettings({ outlierDetection: wire }: Cluster): OutlierSettings | undefined {
  if (wire === null) return undefined;
  const isSplit = wire.splitExternalLocalOriginErrors;
  const baseEjectionTimeMs = toMilliseconds(wire.baseEjectionTime) || 30_000;
  return {
    consecutive5xx: thresholdOf(wire.consecutive_5xx, wire.enforcingConsecutive_5xx, 'always'),
    consecutiveGatewayFailure: thresholdOf(
      wire.consecutiveGatewayFailure,
      wire.enforcingConsecutiveGatewayFailure,
      'when asked for',
    ),
    consecutiveLocalOriginFailure: isSplit
      ? thresholdOf(wire.consecutiveLocalOriginFailure, wire.enforcingConsecutiveLocalOriginFailure, 'always')
      : never,
    splitExternalLocalOriginErrors: isSplit,
    intervalMs: toMilliseconds(wire.interval) || 10_000,
    baseEjectionTimeMs,
    maxEjectionTimeMs: Math.max(toMilliseconds(wire.maxEjectionTime) || 300_000, baseEjectionTimeMs),
    maxEjectionPercent: Math.min(wire.maxEjectionPercent?.value ?? 10, 100),
    alwaysEjectOneHost: wire.alwaysEjectOneHost?.value ?? false,
  };
}

const defaultConsecutiveFailures = 5;

/** `enforced`: what it means that nobody says how many of the ejections are carried out. 0 failures would eject everybody. */
function thresholdOf(
  threshold: UInt32Value | null,
  enforcing: UInt32Value | null,
  enforced: 'always' | 'when asked for',
): number {
  const percent = enforcing?.value ?? (enforced === 'always' ? 100 : 0);
  if (percent !== 0 && percent !== 100) {
    throw new UnusableError('outlierDetection', `enforces ${percent} % of ejections; this agent knows all or none`);
  }
  return percent === 0 ? never : (threshold?.value ?? defaultConsecutiveFailures) || never;
}

/** `service`: who is asked for when the check does not say. Undefined when the agent checks nothing. */
export function readHealthCheck({ healthChecks }: Cluster, service: string): HealthCheckSettings | undefined {
  const [check, ...more] = healthChecks;
  if (check === undefined) return undefined;
  if (more.length > 0) throw new UnusableError('healthChecks', 'are several; this agent knows one');
  return {
    http: readChecker(check, service),
    intervalMs: toMilliseconds(check.interval) || 5_000,
    timeoutMs: toMilliseconds(check.timeout) || 1_000,
    healthyThreshold: check.healthyThreshold?.value || 2,
    unhealthyThreshold: check.unhealthyThreshold?.value || 3,
  };
}

function readChecker({ healthChecker, httpHealthCheck }: HealthCheck, service: string): HttpCheck | undefined {
  if (healthChecker === 'tcpHealthCheck') return undefined;
  if (healthChecker !== 'httpHealthCheck' || httpHealthCheck === null) {
    throw new UnusableError('healthChecks[0]', 'is of a kind that this agent does not know');
  }
  const { host, path } = httpHealthCheck;
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new UnusableError('healthChecks[0]', 'its path is no path');
  return { host: host || service, path };
}

function percentOf(percent: Percent | null, unset: number, where: string): number {
  const value = percent?.value ?? unset;
  if (value >= 0 && value <= 100) return value;
  throw new UnusableError(where, `is ${value}, not 0 to 100`);
}
