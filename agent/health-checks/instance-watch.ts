/** Looks after what the agent suspects of instances: runs health checks, ends ejections. Off the path of requests. */
import type { ClusterView } from '../view/cluster-view.ts';
import { EjectionSweeps } from './ejection-sweeps.ts';
import { HealthChecks, type HealthChecksOptions } from './health-checks.ts';

export interface InstanceWatch {
  /** These are all the clusters there are, from now on. */
  update(clusters: Iterable<ClusterView>): void;
  close(): void;
}

export function startInstanceWatch(options: HealthChecksOptions): InstanceWatch {
  const sweeps = new EjectionSweeps(options.clock);
  const checks = new HealthChecks(options);
  return {
    update: (clusters) => {
      const all = [...clusters];
      sweeps.update(all);
      checks.update(all);
    },
    close: () => {
      checks.close();
      sweeps.close();
    },
  };
}
