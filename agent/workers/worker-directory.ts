/** What a worker knows of the mesh: the view that it makes of what it is sent, and names that it has the main process ask. */
import type { Clock } from '../../process/clock.ts';
import type { MeshDirectory, Resolution } from '../view/mesh-directory.ts';
import type { MeshView } from '../view/mesh-view.ts';
import type { CreateView } from '../xds/delta-session.ts';
import type { HeldMesh } from '../xds/resources.ts';
import { applyDelta, type MeshDelta } from './mesh-delta.ts';

export interface WorkerDirectoryOptions {
  readonly held: HeldMesh;
  readonly view: MeshView;
  readonly createView: CreateView;
  readonly clock: Clock;
  /** `resolved` is called with the answer. */
  readonly ask: (name: string) => void;
}

/** The main process answers after 5 s at the latest. */
const longestWaitMs = 10_000;
/** An application that asks again and again for what is not there asks the main process once in this time. */
const keptMs = 1_000;
/** So many answers are kept. A view that has the name goes before any of them. */
const mostKept = 10_000;

interface Waiting {
  readonly answer: Promise<Resolution>;
  readonly settle: (to: Resolution) => void;
}

export class WorkerDirectory implements MeshDirectory {
  readonly #options: WorkerDirectoryOptions;
  readonly #waiting = new Map<string, Waiting>();
  /** What was answered lately of names that are not there. */
  readonly #answered = new Map<string, Resolution>();
  #used = new Set<string>();
  #held: HeldMesh;
  #made: MeshView;
  #view: MeshView;
  #isAlone = false;
  #obstacle = '';

  constructor(options: WorkerDirectoryOptions) {
    this.#options = options;
    this.#held = options.held;
    this.#made = options.view;
    this.#view = this.#notingUse(options.view);
  }

  get view(): MeshView {
    return this.#view;
  }

  /** The view without the noting of use. */
  get made(): MeshView {
    return this.#made;
  }

  get obstacle(): string {
    return this.#obstacle;
  }

  /** Who could not answer may be able to now. */
  set obstacle(sentence: string) {
    this.#obstacle = sentence;
    this.#answered.clear();
  }

  /** Throws when it cannot be used. The main process has made a view of the same, so that is a fault of ours. */
  use(delta: MeshDelta): void {
    const held = applyDelta(this.#held, delta);
    const created = this.#options.createView(held, this.#made);
    if ('refused' in created) throw new Error(`cannot use what it was sent: ${JSON.stringify(created.refused)}`);
    this.#held = held;
    this.#made = created.view;
    this.#view = this.#notingUse(created.view);
  }

  resolve(name: string): Promise<Resolution> {
    if (this.#isAlone) return Promise.resolve('unavailable');
    const answered = this.#answered.get(name);
    if (answered !== undefined) return Promise.resolve(answered);
    const shared = this.#waiting.get(name);
    if (shared !== undefined) return shared.answer;
    const waiting = this.#wait(name);
    this.#waiting.set(name, waiting);
    this.#options.ask(name);
    return waiting.answer;
  }

  resolved(name: string, to: Resolution): void {
    this.#waiting.get(name)?.settle(to);
  }

  /** Names that were looked up since this was asked last. */
  takeUsed(): string[] {
    const used = [...this.#used];
    this.#used = new Set();
    return used;
  }

  /** There is nobody any more who could ask. What is in use stays in use. */
  abandoned(): void {
    this.#isAlone = true;
    this.obstacle = 'the main process of the agent has ended';
    for (const { settle } of [...this.#waiting.values()]) settle('unavailable');
  }

  #wait(name: string): Waiting {
    let settle = (_to: Resolution) => {};
    const answer = new Promise<Resolution>((resolve) => {
      const cancel = this.#options.clock.after(longestWaitMs, () => settle('unavailable'));
      settle = (to) => {
        cancel();
        this.#waiting.delete(name);
        if (to !== 'known') this.#keep(name, to);
        resolve(to);
      };
    });
    return { answer, settle };
  }

  #keep(name: string, answer: Resolution): void {
    if (this.#answered.size >= mostKept) return;
    this.#answered.set(name, answer);
    this.#options.clock.after(keptMs, () => this.#answered.delete(name));
  }

  /** Bounded by the names in the view. */
  #notingUse(view: MeshView): MeshView {
    const service = (name: string) => {
      const found = view.service(name);
      if (found !== undefined) this.#used.add(name);
      return found;
    };
    return { ...view, service };
  }
}
