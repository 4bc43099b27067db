/**
 * What the agent knows of an instance by itself, and not from the registry: one object for each instance of each cluster,
 * which survives every swap that the instance survives.
 */
import type { Load } from '../balance/balancer.ts';
import { type ActiveHealth, unchecked } from './active-health.ts';
import { OutlierState } from './outlier-state.ts';

export class InstanceState implements Load {
  /** Requests under way. Counted by the proxy. */
  active = 0;
  /** Written by the outlier detection of the cluster, if it has one. */
  readonly outlier = new OutlierState();
  /** Written by the health check of the cluster, if it has one. */
  check: ActiveHealth = unchecked;
}

/** Counts the changes of what is suspected of a cluster's instances; survives swaps. Balancers prepare anew when it has moved. */
export interface SuspicionLog {
  changes: number;
}
