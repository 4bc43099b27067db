/**
 * Runs the active health checks of all clusters that the agent holds: each instance on its own, in intervals, a bounded
 * number at the same time. What comes of them stands in the instances' state, for balancers to see.
 */
import type { Clock, Random } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { type HealthCheckSettings, onCheckResult, unchecked } from '../resilience/active-health.ts';
import type { InstanceState } from '../resilience/instance-state.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';
import type { Probe } from './probe.ts';

export interface HealthChecksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: Probe;
  readonly log: Logger;
  /** After what is found of an instance has changed. */
  readonly onChange?: (cluster: ClusterView, endpoint: EndpointView) => void;
}

/** Under way at the same time, over all clusters; others wait for their turn. */
const mostAtOnce = 32;

export class HealthChecks {
  readonly #options: HealthChecksOptions;
  /** By the state of the instance, which is one per cluster and survives swaps. */
  readonly #checks = new Map<InstanceState, InstanceCheck>();
  readonly #turns = new Turns(mostAtOnce);

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** These are all the clusters there are. Checks of instances that stay go on; what they found is kept. */
  update(clusters: Iterable<ClusterView>): void {
    const gone = new Set(this.#checks.keys());
    for (const cluster of clusters) {
      if (cluster.healthCheck === undefined) continue;
      for (const endpoint of cluster.endpoints) {
        gone.delete(endpoint.load);
        this.#check(endpoint, cluster, cluster.healthCheck);
      }
    }
    for (const state of gone) {
      this.#checks.get(state)?.stop();
      this.#checks.delete(state);
    }
  }

  close(): void {
    for (const check of this.#checks.values()) check.stop();
    this.#checks.clear();
  }

  #check(endpoint: EndpointView, cluster: ClusterView, settings: HealthCheckSettings): void {
    const subject: Subject = { endpoint, cluster, settings };
    const known = this.#checks.get(endpoint.load);
    if (known !== undefined) known.subject = subject;
    else this.#checks.set(endpoint.load, new InstanceCheck(subject, this.#turns, this.#options));
  }
}

interface Subject {
  readonly endpoint: EndpointView;
  readonly cluster: ClusterView;
  readonly settings: HealthCheckSettings;
}

/** The first checks of many instances are spread over this time, or over one interval when that is shorter. */
const firstWithinMs = 1_000;
/** As a part of the interval: agents that started together do not go on asking together. */
const jitter = 0.1;

class InstanceCheck {
  /** As the newest view has it: takes effect with the next check. */
  subject: Subject;
  readonly #turns: Turns;
  readonly #options: HealthChecksOptions;
  readonly #stop = new AbortController();
  #cancelNext: () => void;

  constructor(subject: Subject, turns: Turns, options: HealthChecksOptions) {
    this.subject = subject;
    this.#turns = turns;
    this.#options = options;
    const firstMs = options.random() * Math.min(subject.settings.intervalMs, firstWithinMs);
    this.#cancelNext = options.clock.after(firstMs, () => this.#wait());
  }

  /** Also forgets what was found: nobody would ever correct it. */
  stop(): void {
    this.#cancelNext();
    this.#stop.abort();
    this.#conclude(unchecked);
  }

  #wait(): void {
    this.#turns.take(() => this.#look());
  }

  async #look(): Promise<void> {
    const { clock, probe, random } = this.#options;
    if (this.#stop.signal.aborted) return;
    const { endpoint, settings } = this.subject;
    const timeout = new AbortController();
    const cancelTimeout = clock.after(settings.timeoutMs, () => timeout.abort());
    const isUp = await probe(endpoint, settings, AbortSignal.any([timeout.signal, this.#stop.signal]));
    cancelTimeout();
    if (this.#stop.signal.aborted) return;
    this.#conclude(onCheckResult(endpoint.load.check, isUp, settings));
    const delayMs = this.subject.settings.intervalMs * (1 - jitter + 2 * jitter * random());
    this.#cancelNext = clock.after(delayMs, () => this.#wait());
  }

  #conclude(health: InstanceState['check']): void {
    const { endpoint, cluster } = this.subject;
    const before = endpoint.load.check;
    endpoint.load.check = health;
    if (before.is !== health.is) this.#options.onChange?.(cluster, endpoint);
    if ((before.is === 'failing') === (health.is === 'failing')) return;
    cluster.suspicions.changes++;
    if (health.is === 'unchecked') return;
    const words =
      health.is === 'failing' ? 'an instance fails its health check' : 'an instance passes its health check';
    this.#options.log.info({ cluster: cluster.name, instance: endpoint.instance }, words);
  }
}

/** Lets a number of tasks run at the same time; the others wait in line. */
class Turns {
  readonly #most: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  take(run: () => Promise<void>): void {
    if (this.#running === this.#most) this.#waiting.push(run);
    else void this.#run(run);
  }

  async #run(first: () => Promise<void>): Promise<void> {
    this.#running++;
    for (let next: (() => Promise<void>) | undefined = first; next !== undefined; next = this.#waiting.shift()) {
      await next();
    }
    this.#running--;
  }
}
