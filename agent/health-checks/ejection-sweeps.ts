/** Calls the sweeps of outlier detection when they fall due: one timer for all clusters, none when no cluster ejects. */
import type { Clock } from '../../process/clock.ts';
import type { OutlierDetection } from '../resilience/outlier-detection.ts';
import type { ClusterView } from '../view/cluster-view.ts';

export class EjectionSweeps {
  readonly #clock: Clock;
  #detections: readonly OutlierDetection[] = [];
  #cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** These are all the clusters there are. */
  update(clusters: Iterable<ClusterView>): void {
    this.#detections = [...clusters].flatMap(({ outlier }) => outlier ?? []);
    this.#sweep();
  }

  close(): void {
    this.#cancel();
    this.#detections = [];
  }

  #sweep(): void {
    this.#cancel();
    if (this.#detections.length === 0) return;
    const now = this.#clock.now();
    for (const detection of this.#detections) detection.sweep(now);
    const next = this.#detections.reduce(
      (soonest, { nextSweepMs }) => Math.min(soonest, nextSweepMs),
      Number.POSITIVE_INFINITY,
    );
    this.#cancel = this.#clock.after(Math.max(1, next - now), () => this.#sweep());
  }
}
