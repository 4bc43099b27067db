/**
 * What the agent knows of the mesh: the view that requests are routed by, replaced as a whole, and the names that the
 * application addresses. Outlives every stream; the stream of the moment is told what to ask.
 */
import type { Clock } from '../../process/clock.ts';
import type { MeshDirectory, Resolution } from '../view/mesh-directory.ts';
import type { MeshView } from '../view/mesh-view.ts';
import type { NameAnswers } from './delta-session.ts';
import { NameTable } from './name-table.ts';
import type { HeldMesh } from './resources.ts';

/** The stream that can be asked now. */
export interface NameAsker {
  subscribe(names: readonly string[]): void;
  unsubscribe(names: readonly string[]): void;
}

export interface DirectoryOptions {
  /** Names that the operator declared: subscribed from the start, for ever. */
  readonly declared: readonly string[];
  /** What the last run of this agent ended with; `nothingHeld` without one. */
  readonly held: HeldMesh;
  /** Names that the last run was subscribed to. */
  readonly remembered: readonly string[];
  readonly view: MeshView;
  readonly clock: Clock;
  /** After each swap; keeping what is held on disk goes here. */
  readonly onSwap: (held: HeldMesh) => void;
  /** When `obstacle` may have changed. */
  readonly onObstacle?: () => void;
}

/** A server that answers takes a round trip. One that holds its answer (it lags behind) must not hold requests too. */
const longestWaitMs = 5_000;
const sweepMs = 5_000;
/** No DNS name is longer, so no name of the mesh is. */
const longestName = 253;

export class Directory implements MeshDirectory {
  readonly #options: DirectoryOptions;
  readonly #names: NameTable;
  readonly #waiting = new Map<
    string,
    { readonly answer: Promise<Resolution>; readonly settle: (to: Resolution) => void }
  >();
  #held: HeldMesh;
  /** As it was made: the next one is made from it. */
  #made: MeshView;
  #view: MeshView;
  #asker: NameAsker | undefined;
  #hindrance = '';
  #stopSweeping: () => void = () => {};
  #swaps = 0;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#held = options.held;
    this.#made = options.view;
    this.#view = this.#notingUse(options.view);
    const isKnown = (name: string) => options.held.tables.names.has(name);
    // A held name that is not subscribed to would never be corrected.
    const remembered = [...new Set([...options.remembered, ...options.held.tables.names.keys()])];
    this.#names = new NameTable(options.declared, remembered, isKnown, options.clock.now());
  }

  get view(): MeshView {
    return this.#view;
  }

  get obstacle(): string {
    if (this.#hindrance !== '') return this.#hindrance;
    return this.#asker === undefined ? 'the control plane cannot be asked' : '';
  }

  get held(): HeldMesh {
    return this.#held;
  }

  /** The view without the noting of use, for making the next one. */
  get made(): MeshView {
    return this.#made;
  }

  /** Every name to subscribe to when a stream begins. */
  get names(): string[] {
    return this.#names.names;
  }

  /** Commit marks applied since the agent started. Before the first, what is held is that of the last run, or nothing. */
  get swaps(): number {
    return this.#swaps;
  }

  resolve(name: string): Promise<Resolution> {
    const { clock } = this.#options;
    this.#names.use(name, clock.now());
    const known = this.#resolutionOf(name);
    if (known !== undefined) return Promise.resolve(known);
    const shared = this.#waiting.get(name);
    if (shared !== undefined) return shared.answer;
    if (this.#asker === undefined) return Promise.resolve('unavailable');
    const answer = this.#wait(name);
    if (this.#names.stateOf(name) === undefined) this.#ask(name, this.#asker);
    return answer;
  }

  /**
   * What `resolve` would answer at once; `asked`: the server has been, and has not answered; undefined: it would have to be.
   * Asks nobody, and is no use of the name.
   */
  standingOf(name: string): Resolution | 'asked' | undefined {
    const known = this.#resolutionOf(name);
    if (known !== undefined) return known;
    if (this.#asker === undefined) return 'unavailable';
    return this.#names.stateOf(name) === undefined ? undefined : 'asked';
  }

  /** These were looked up lately, where this directory does not see it. */
  used(names: readonly string[]): void {
    const now = this.#options.clock.now();
    for (const name of names) this.#names.use(name, now);
  }

  /** From now on this stream is asked. It was started with `names`. */
  connected(asker: NameAsker): void {
    this.#asker = asker;
    this.#sweepLater();
    this.#options.onObstacle?.();
  }

  /** The server is there, but for this reason may not answer; '' when it will. Holds as long as the connection. */
  hindered(why: string): void {
    this.#hindrance = why;
    this.#options.onObstacle?.();
  }

  /** Nobody can be asked any more. What is in use stays in use. */
  disconnected(): void {
    this.#asker = undefined;
    this.#hindrance = '';
    this.#options.onObstacle?.();
    this.#stopSweeping();
    this.#names.forgetUnknown();
    for (const name of [...this.#waiting.keys()]) this.#settle(name, 'unavailable');
  }

  /** Takes a commit mark's batch into use. */
  swap(held: HeldMesh, view: MeshView, answers: NameAnswers): void {
    this.#swaps += 1;
    this.#take(held, view);
    for (const [name, answer] of answers) {
      this.#names.settle(name, answer);
      this.#settle(name, answer);
    }
  }

  /** Names were let go of; nothing else changed. */
  shrink(held: HeldMesh, view: MeshView): void {
    this.#take(held, view);
  }

  /** These names exist, but what came for them cannot be used. */
  refuse(names: readonly string[]): void {
    for (const name of names) {
      this.#names.settle(name, 'refused');
      this.#settle(name, 'unusable');
    }
  }

  #take(held: HeldMesh, view: MeshView): void {
    this.#held = held;
    this.#made = view;
    this.#view = this.#notingUse(view);
    this.#options.onSwap(held);
  }

  /** A name is in use when the proxy looks it up: the only trace that a known name leaves. */
  #notingUse(view: MeshView): MeshView {
    const service = (name: string) => {
      this.#names.use(name, this.#options.clock.now());
      return view.service(name);
    };
    return { ...view, service };
  }

  #resolutionOf(name: string): Resolution | undefined {
    if (name.length > longestName) return 'absent';
    const state = this.#names.stateOf(name);
    if (state === 'known' || state === 'absent') return state;
    return state === 'refused' ? 'unusable' : undefined;
  }

  #ask(name: string, asker: NameAsker): void {
    const gone = this.#names.ask(name, this.#options.clock.now());
    this.#letGo(gone, asker);
    asker.subscribe([name]);
  }

  #letGo(names: readonly string[], asker: NameAsker): void {
    if (names.length > 0) asker.unsubscribe(names);
    for (const name of names) this.#settle(name, 'unavailable');
  }

  #wait(name: string): Promise<Resolution> {
    const { promise, resolve } = deferred<Resolution>();
    const cancel = this.#options.clock.after(longestWaitMs, () => this.#settle(name, 'unavailable'));
    const settle = (to: Resolution) => {
      cancel();
      resolve(to);
    };
    this.#waiting.set(name, { answer: promise, settle });
    return promise;
  }

  #settle(name: string, to: Resolution): void {
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    waiting?.settle(to);
  }

  #sweepLater(): void {
    this.#stopSweeping = this.#options.clock.after(sweepMs, () => {
      if (this.#asker !== undefined) this.#letGo(this.#names.expire(this.#options.clock.now()), this.#asker);
      this.#sweepLater();
    });
  }
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
