/**
 * Thousands of timeouts for the price of a few timers: those of one length form a queue, in which the first to be set is
 * the first to run out, and only that one has a timer. To set or call off a deadline moves two links and allocates nothing.
 */
import type { Clock } from '../../process/clock.ts';

/** A timeout of one owner, set again and again. Runs out at most once each time it was set. */
export class Deadline {
  /** What to do when time is up. */
  readonly onTimeUp: () => void;
  /** @internal */
  queue: Queue | undefined;
  /** @internal */
  dueAt = 0;
  /** @internal */
  before: Deadline | undefined;
  /** @internal */
  after: Deadline | undefined;

  constructor(onTimeUp: () => void) {
    this.onTimeUp = onTimeUp;
  }

  get isSet(): boolean {
    return this.queue !== undefined;
  }

  clear(): void {
    this.queue?.remove(this);
  }
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #queues = new Map<number, Queue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Time is up in so many milliseconds from now; a deadline that was set before is set anew. */
  set(deadline: Deadline, afterMs: number): void {
    let queue = this.#queues.get(afterMs);
    if (queue === undefined) {
      if (this.#queues.size >= mostQueues) this.#dropEmpty();
      queue = new Queue(this.#clock, afterMs);
      this.#queues.set(afterMs, queue);
    }
    deadline.queue?.remove(deadline);
    queue.add(deadline);
  }

  /** Calls off everything. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close();
    this.#queues.clear();
  }

  /** Lengths come from rules, and rules come and go. */
  #dropEmpty(): void {
    for (const [afterMs, queue] of this.#queues) {
      if (queue.isEmpty) {
        queue.close();
        this.#queues.delete(afterMs);
      }
    }
  }
}

/** With so many lengths it is time to look for those that nobody uses any more. */
const mostQueues = 64;

class Queue {
  readonly #clock: Clock;
  readonly #afterMs: number;
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #callOff: (() => void) | undefined;

  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  add(deadline: Deadline): void {
    deadline.queue = this;
    deadline.dueAt = this.#clock.elapsed() + this.#afterMs;
    deadline.before = this.#last;
    deadline.after = undefined;
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    this.#callOff ??= this.#clock.after(this.#afterMs, this.#onTimer);
  }

  remove(deadline: Deadline): void {
    const { before, after } = deadline;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    deadline.queue = undefined;
    deadline.before = undefined;
    deadline.after = undefined;
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  /** The timer is not called off with the deadline that it was set for: it finds out what is due now. */
  readonly #onTimer = (): void => {
    this.#callOff = undefined;
    const now = this.#clock.elapsed();
    for (let first = this.#first; first !== undefined && first.dueAt <= now; first = this.#first) {
      this.remove(first);
      first.onTimeUp();
    }
    if (this.#first !== undefined && this.#callOff === undefined) {
      this.#callOff = this.#clock.after(Math.max(1, Math.ceil(this.#first.dueAt - now)), this.#onTimer);
    }
  };
}
