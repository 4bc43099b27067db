/** Finds a service in the view, or waits until the mesh has said whether there is one: the first request pays, once. */
import type { Clock } from '../../process/clock.ts';
import type { MeshDirectory } from '../view/mesh-directory.ts';
import type { MeshView, ServiceView } from '../view/mesh-view.ts';

/** The view is the one that the service was found in: a request keeps to it. */
export type Lookup =
  | { readonly is: 'found'; readonly view: MeshView; readonly service: ServiceView }
  | { readonly is: 'absent' }
  | { readonly is: 'unavailable'; readonly detail: string };

export interface LookupOptions {
  readonly directory: MeshDirectory;
  readonly clock: Clock;
  /** How long requests wait for a name that is not known yet. The first to ask sets the time for all that join it. */
  readonly resolveTimeoutMs: number;
}

/** How long is waited while the control plane has left a question without an answer, and not answered any since. */
const silentMs = 100;

export class ServiceLookup {
  readonly #options: LookupOptions;
  /** Where it hangs, every connection to somewhere new would wait for it in full. */
  #isSilent = false;
  /** One question per name, as long as it is open. */
  readonly #questions = new Map<string, Promise<Lookup>>();

  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /** For a name that is not in the view. */
  ask(name: string): Promise<Lookup> {
    return this.#questions.get(name) ?? this.#ask(name);
  }

  #look(name: string): Lookup | undefined {
    const { view } = this.#options.directory;
    const service = view.service(name);
    return service === undefined ? undefined : { is: 'found', view, service };
  }

  #ask(name: string): Promise<Lookup> {
    const question = this.#answer(name).finally(() => this.#questions.delete(name));
    this.#questions.set(name, question);
    return question;
  }

  async #answer(name: string): Promise<Lookup> {
    const { directory, clock } = this.#options;
    const waitMs = this.#isSilent ? silentMs : this.#options.resolveTimeoutMs;
    let callOff = () => {};
    const timeIsUp = new Promise<'too late'>((resolve) => {
      callOff = clock.after(waitMs, () => resolve('too late'));
    });
    const answered = directory.resolve(name).then((resolution) => {
      if (resolution !== 'unavailable') this.#isSilent = false;
      return resolution;
    });
    const resolution = await Promise.race([answered, timeIsUp]);
    callOff();
    if (resolution === 'too late') this.#isSilent = true;
    switch (resolution) {
      case 'known':
        // Known a moment ago and gone again is gone.
        return this.#look(name) ?? { is: 'absent' };
      case 'absent':
        return { is: 'absent' };
      case 'unusable':
        return { is: 'unavailable', detail: 'what the control plane sent for it cannot be used' };
      case 'unavailable':
        return { is: 'unavailable', detail: directory.obstacle || 'the control plane has not answered' };
      case 'too late': {
        const detail = directory.obstacle || `the control plane did not answer within ${waitMs} ms`;
        return { is: 'unavailable', detail };
      }
    }
  }
}
