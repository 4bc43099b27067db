/** Requests of one kind in integers: how many began, how they ended, how long they took and what they moved. */
import type { Reason } from '../proxy/local-answer.ts';
import { type Durations, Histogram } from './histogram.ts';

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

export interface Counters {
  /** All that began. */
  readonly requests: number;
  /** Those of them that have not ended. */
  readonly active: number;
  /** Answers passed on, by the first digit of their status: `{"2xx": 41, "5xx": 1}`; `none`: connections, which have none. */
  readonly passed: Readonly<Record<string, number>>;
  /** Answers that the agent made, by reason. */
  readonly refused: Readonly<Partial<Record<Reason, number>>>;
  readonly brokenOff: number;
  readonly clientGone: number;
  /** All answers that came to their end, whoever made them, by the first digit of their status. */
  readonly answered: Readonly<Record<string, number>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of all that have ended, but for tunnels. */
  readonly durations: Durations;
}

export class Counter {
  #requests = 0;
  #active = 0;
  #brokenOff = 0;
  #clientGone = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  /** By first digit of the status. */
  readonly #passed = noneByDigit();
  readonly #own = noneByDigit();
  readonly #refused = new Map<Reason, number>();
  readonly #durations = new Histogram();

  begin(): void {
    this.#requests++;
    this.#active++;
  }

  get isActive(): boolean {
    return this.#active > 0;
  }

  end({ ending, status, durationMs, isTunnel, bytesIn, bytesOut }: Ended): void {
    this.#active--;
    this.#bytesIn += bytesIn;
    this.#bytesOut += bytesOut;
    if (!isTunnel) this.#durations.record(durationMs);
    const digit = Math.floor(status / 100);
    switch (ending) {
      case 'passed':
        this.#passed[digit] = (this.#passed[digit] ?? 0) + 1;
        break;
      case 'broken-off':
        this.#brokenOff++;
        break;
      case 'client-gone':
        this.#clientGone++;
        break;
      default:
        this.#own[digit] = (this.#own[digit] ?? 0) + 1;
        this.#refused.set(ending, (this.#refused.get(ending) ?? 0) + 1);
    }
  }

  /** All that the other has counted. Its requests under way still end there. */
  add(other: Counter): void {
    this.#requests += other.#requests;
    this.#active += other.#active;
    this.#brokenOff += other.#brokenOff;
    this.#clientGone += other.#clientGone;
    this.#bytesIn += other.#bytesIn;
    this.#bytesOut += other.#bytesOut;
    for (let digit = 0; digit < this.#passed.length; digit++) {
      this.#passed[digit] = (this.#passed[digit] ?? 0) + (other.#passed[digit] ?? 0);
      this.#own[digit] = (this.#own[digit] ?? 0) + (other.#own[digit] ?? 0);
    }
    for (const [reason, count] of other.#refused) this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + count);
    this.#durations.add(other.#durations);
  }

  snapshot(): Counters {
    return {
      requests: this.#requests,
      active: this.#active,
      passed: byClass(this.#passed),
      refused: Object.fromEntries(this.#refused),
      brokenOff: this.#brokenOff,
      clientGone: this.#clientGone,
      answered: byClass(this.#passed.map((count, digit) => count + (this.#own[digit] ?? 0))),
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      durations: this.#durations.snapshot(),
    };
  }
}

function noneByDigit(): number[] {
  return Array.from({ length: 10 }, () => 0);
}

function byClass(counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    counts.flatMap((count, digit) => (count > 0 ? [[digit === 0 ? 'none' : `${digit}xx`, count] as const] : [])),
  );
}
