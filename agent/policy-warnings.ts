/** Tells the operator what a TrafficPolicy asks for and this agent cannot do: once, until the policy no longer asks for it. */
import type { Logger } from '../process/log.ts';
import type { MeshView } from './view/mesh-view.ts';

export class PolicyWarnings {
  readonly #log: Pick<Logger, 'warn'>;
  #told: ReadonlySet<string> = new Set();

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** `view`: what is in use now. A service has one policy for all its clusters, as far as people see. */
  look({ clusters }: Pick<MeshView, 'clusters'>): void {
    const present = new Set<string>();
    for (const { service, notInEffect } of clusters.values()) {
      for (const sentence of notInEffect) present.add(`the TrafficPolicy of ${service}: ${sentence}`);
    }
    for (const warning of present) if (!this.#told.has(warning)) this.#log.warn(warning);
    this.#told = present;
  }
}
