/**
 * What the circuit breakers of a cluster would do to a request for one of its instances: in the order in which they are asked
 * of the request itself. One that finds no connection waits first, and counts as under way only when it has one.
 */
import type { PoolState } from '../proxy/pools.ts';
import { tooManyWaiting } from '../proxy/route-refusals.ts';
import type { ClusterView } from '../view/cluster-view.ts';
import type { LimitReport } from './agent-report.ts';

export type LimitVerdict =
  | { readonly is: 'free' }
  /** All connections that there may be are in use. */
  | { readonly is: 'waits'; readonly sentence: string }
  | { readonly is: 'refused'; readonly sentence: string };

/** `pool`: the listener's connections to the instance. `own`: of the application, whoever it asks. */
export function limitsOnRequest({ breaker }: ClusterView, pool: PoolState, own?: LimitReport): LimitVerdict {
  const { counts, limits } = breaker;
  const isFree = pool.idle > 0;
  if (!isFree && counts.pending >= limits.maxPendingRequests) {
    return { is: 'refused', sentence: 'too many requests wait for a connection' };
  }
  if (!isFree && own !== undefined && own.counts.pending >= own.maxPendingRequests) {
    return { is: 'refused', sentence: tooManyWaiting };
  }
  // An instance without a connection gets one, whatever the limit.
  const mayConnect = breaker.hasRoomForConnection || pool.connections === 0;
  if (!isFree && !mayConnect) {
    const { connections } = counts;
    const sentence = `it waits for a connection: none is free, and there are ${connections} of ${limits.maxConnections}`;
    return { is: 'waits', sentence };
  }
  return counts.requests >= limits.maxRequests
    ? { is: 'refused', sentence: 'too many requests are under way' }
    : { is: 'free' };
}

export function limitsOnConnection({ breaker }: ClusterView): LimitVerdict {
  return breaker.hasRoomForConnection ? { is: 'free' } : { is: 'refused', sentence: 'too many connections are open' };
}
