/** Who is asked for one request after another: chosen among those that were not, counted as busy, and told how it went. */
import type { Clock, Random } from '../../process/clock.ts';
import { formatHostPort } from '../../process/host-port.ts';
import type { RequestOutcome } from '../resilience/outlier-detection.ts';
import type { Destination, Target } from './destination.ts';

const nobody: readonly Target[] = [];

export class ChosenTarget {
  readonly #clock: Clock;
  readonly #random: Random;
  #destination: Destination | undefined;
  #hash: number | undefined;
  /** Those that did not take the request; made when there is one. */
  #tried: Target[] | undefined;
  #target: Target | undefined;
  #last: Target | undefined;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** For a new request. */
  begin(destination: Destination, hash: number | undefined): void {
    this.#destination = destination;
    this.#hash = hash;
    this.#tried = undefined;
    this.#last = undefined;
  }

  /** Undefined: nobody is being asked. */
  get target(): Target | undefined {
    return this.#target;
  }

  /** Who was asked last. */
  get last(): Target | undefined {
    return this.#last;
  }

  /** Address and port of whom is asked, or '' */
  get address(): string {
    if (this.#target === undefined) return '';
    return formatHostPort({ host: this.#target.address, port: this.#target.port });
  }

  /** The next; one that was tried only if `orAgain` and there is no other. Undefined when there is nobody. */
  choose(orAgain: boolean): Target | undefined {
    const balancer = this.#destination?.balancer;
    const target =
      balancer?.pick(this.#tried ?? nobody, this.#random, this.#hash) ??
      (orAgain ? balancer?.pick(nobody, this.#random, this.#hash) : undefined);
    return this.#ask(target);
  }

  /** As `choose`, when `guessed` is connected to already: where chance has a say, it has had it. */
  chooseAs(guessed: Target): Target | undefined {
    const balancer = this.#destination?.balancer;
    const possible = balancer?.peek(this.#hash) ?? nobody;
    return possible.length > 1 && possible.includes(guessed) ? this.#ask(guessed) : this.choose(false);
  }

  /** For outlier detection. */
  report(outcome: RequestOutcome): void {
    const outlier = this.#destination?.outlier;
    if (outlier !== undefined && this.#target !== undefined) {
      outlier.report(this.#target.load, outcome, this.#clock.now());
    }
  }

  /** Done with whom is asked, in good or, `inVain`, in bad. */
  letGo(inVain: boolean): void {
    if (this.#target === undefined) return;
    this.#target.load.active--;
    if (inVain) {
      this.#tried ??= [];
      this.#tried.push(this.#target);
    }
    this.#target = undefined;
  }

  #ask(target: Target | undefined): Target | undefined {
    if (target === undefined) return undefined;
    this.#target = target;
    this.#last = target;
    target.load.active++;
    return target;
  }
}
