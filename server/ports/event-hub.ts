/** Passes on what happens in the control plane to whoever listens. Keeps nothing: a listener that is away has missed it. */
import type { EventsPort, MeshEvent } from '../../dashboard-api/ports.ts';

export class MeshEvents implements EventsPort {
  readonly #listeners = new Set<(event: MeshEvent) => void>();

  subscribe(listener: (event: MeshEvent) => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  /** `describe` is called only when somebody listens. */
  emit(describe: () => MeshEvent): void {
    if (this.#listeners.size === 0) return;
    const event = describe();
    for (const listener of this.#listeners) listener(event);
  }
}
