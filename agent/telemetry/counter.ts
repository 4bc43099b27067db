/** Requests of one kind in integers: how many began, how they ended, how long they took and what they moved. */
import type { Reason } from '../proxy/local-answer.ts';
import { type Durations, Histogram, histogramSlots } from './histogram.ts';

/** How a request ended: the whole answer of an upstream was passed on, or the agent answered itself, or one of the two. */
export type Ending =
  | 'passed'
  /** The answer broke off after its head: the upstream's connection ended, or time was up. */
  | 'broken-off'
  | 'client-gone'
  | Reason;

/** What is counted of a request when it has ended. */
export interface Ended {
  readonly ending: Ending;
  /** Of the answer that the client was sent; 0 when it was sent none. */
  readonly status: number;
  readonly durationMs: number;
  /** It became a tunnel: how long that lasts says nothing of how long answers take. */
  readonly isTunnel: boolean;
  /** Of the request as it was read, and of the answer as it was written: heads and bodies. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** How many there were, and how they ended. */
export interface Outcomes {
  /** All that began. */
  readonly requests: number;
  /** Those of them that have not ended. */
  readonly active: number;
  /** Answers passed on, by the first digit of their status: `{"2xx": 41, "5xx": 1}`; `none`: connections, which have none. */
  readonly passed: Readonly<Record<string, number>>;
  /** Answers that the agent made, by reason. */
  readonly refused: Readonly<Partial<Record<Reason, number>>>;
  readonly brokenOff: number;
}

export interface Counters extends Outcomes {
  readonly clientGone: number;
  /**
   * All answers that came to their end, whoever made them, by the first digit of their status; `none`: connections, which have
   * none; `refused`: those of them for which nobody was found.
   */
  readonly answered: Readonly<Record<string, number>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of all that have ended, but for tunnels. */
  readonly durations: Durations;
}

/** Where which number lies: what each request counts stands first, side by side. */
const slot = {
  requests: 0,
  active: 1,
  bytesIn: 2,
  bytesOut: 3,
  brokenOff: 4,
  clientGone: 5,
  /** By first digit of the status. */
  passed: 6,
  /** Of the agent's own answers, likewise. */
  own: 16,
  durations: 26,
} as const;
const digits = 10;

export class Counter {
  /** One block of memory: with a thousand rules in turn, each place to look at is one that no cache has. */
  readonly #slots = new Float64Array(slot.durations + histogramSlots);
  readonly #durations = new Histogram(this.#slots, slot.durations);
  readonly #refused = new Map<Reason, number>();

  begin(): void {
    this.#add(slot.requests, 1);
    this.#add(slot.active, 1);
  }

  get isActive(): boolean {
    return this.#read(slot.active) > 0;
  }

  end({ ending, status, durationMs, isTunnel, bytesIn, bytesOut }: Ended): void {
    this.#add(slot.active, -1);
    this.#add(slot.bytesIn, bytesIn);
    this.#add(slot.bytesOut, bytesOut);
    if (!isTunnel) this.#durations.record(durationMs);
    const digit = Math.floor(status / 100);
    switch (ending) {
      case 'passed':
        return this.#add(slot.passed + digit, 1);
      case 'broken-off':
        return this.#add(slot.brokenOff, 1);
      case 'client-gone':
        return this.#add(slot.clientGone, 1);
      default:
        this.#add(slot.own + digit, 1);
        this.#refused.set(ending, (this.#refused.get(ending) ?? 0) + 1);
    }
  }

  /** All that the other has counted. Its requests under way still end there. */
  add(other: Counter): void {
    for (const [index, amount] of other.#slots.entries()) this.#add(index, amount);
    for (const [reason, count] of other.#refused) this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + count);
  }

  snapshot(): Counters {
    const passed = this.#byDigit(slot.passed);
    const own = this.#byDigit(slot.own);
    return {
      ...this.outcomes(),
      clientGone: this.#read(slot.clientGone),
      answered: byClassOrRefused(passed, own),
      bytesIn: this.#read(slot.bytesIn),
      bytesOut: this.#read(slot.bytesOut),
      durations: this.#durations.snapshot(),
    };
  }

  /** A part of the snapshot that is to be had at far less cost. */
  outcomes(): Outcomes {
    return {
      requests: this.#read(slot.requests),
      active: this.#read(slot.active),
      passed: byClass(this.#byDigit(slot.passed)),
      refused: Object.fromEntries(this.#refused),
      brokenOff: this.#read(slot.brokenOff),
    };
  }

  #add(index: number, amount: number): void {
    this.#slots[index] = this.#read(index) + amount;
  }

  #read(index: number): number {
    return this.#slots[index] ?? 0;
  }

  #byDigit(first: number): number[] {
    return [...this.#slots.subarray(first, first + digits)];
  }
}

function byClass(counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    counts.flatMap((count, digit) => (count > 0 ? [[digit === 0 ? 'none' : `${digit}xx`, count] as const] : [])),
  );
}

/** An answer of the agent has a status; without one it was a connection that it closed. */
function byClassOrRefused(passed: readonly number[], own: readonly number[]): Record<string, number> {
  const [refused = 0, ...withStatus] = own;
  const answered = byClass(passed.map((count, digit) => count + (digit === 0 ? 0 : (withStatus[digit - 1] ?? 0))));
  return refused > 0 ? { ...answered, refused } : answered;
}
