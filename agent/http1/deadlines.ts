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
  readonly #onFault: (error: unknown) => void;
  readonly #queues = new Map<number, Queue>();
  readonly #roughTime: RoughTime;

  /** `onFault`: told what the owner of a deadline throws when its time is up; the others run out all the same. */
  constructor(clock: Clock, onFault: (error: unknown) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
    this.#roughTime = new RoughTime(clock);
  }

  /** Time is up in so many milliseconds from now; a deadline that was set before is set anew. */
  set(deadline: Deadline, afterMs: number): void {
    this.#set(deadline, afterMs, this.#clock.elapsed());
  }

  /**
   * As `set`, some 100 ms early or late: without looking at the clock, for what is set with each request and seldom runs out.
   */
  setRoughly(deadline: Deadline, afterMs: number): void {
    this.#set(deadline, afterMs, this.#roughTime.elapsed());
  }

  /** By the clock's `elapsed`, some 100 ms early at most. Costs next to nothing. */
  get roughlyNowMs(): number {
    return this.#roughTime.elapsed();
  }

  /** Calls off everything. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close();
    this.#queues.clear();
    this.#roughTime.close();
  }

  #set(deadline: Deadline, afterMs: number, nowMs: number): void {
    let queue = this.#queues.get(afterMs);
    if (queue === undefined) {
      if (this.#queues.size >= mostQueues) this.#dropEmpty();
      queue = new Queue(this.#clock, afterMs, this.#onFault);
      this.#queues.set(afterMs, queue);
    }
    deadline.queue?.remove(deadline);
    queue.add(deadline, nowMs);
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

const roughlyMs = 100;

/** What the clock said a moment ago. It is looked at again and again only as long as somebody asks. */
class RoughTime {
  readonly #clock: Clock;
  #nowMs = 0;
  #wasAsked = false;
  #callOff: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  elapsed(): number {
    this.#wasAsked = true;
    if (this.#callOff === undefined) this.#look();
    return this.#nowMs;
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #look(): void {
    this.#nowMs = this.#clock.elapsed();
    this.#callOff = this.#clock.after(roughlyMs, this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#callOff = undefined;
    if (this.#wasAsked) this.#look();
    this.#wasAsked = false;
  };
}

/** With so many lengths it is time to look for those that nobody uses any more. */
const mostQueues = 64;

class Queue {
  readonly #clock: Clock;
  readonly #afterMs: number;
  readonly #onFault: (error: unknown) => void;
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #callOff: (() => void) | undefined;

  constructor(clock: Clock, afterMs: number, onFault: (error: unknown) => void) {
    this.#clock = clock;
    this.#afterMs = afterMs;
    this.#onFault = onFault;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  add(deadline: Deadline, nowMs: number): void {
    deadline.queue = this;
    deadline.dueAt = nowMs + this.#afterMs;
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
      this.#runOut(first);
    }
    if (this.#first !== undefined && this.#callOff === undefined) {
      this.#callOff = this.#clock.after(Math.max(1, Math.ceil(this.#first.dueAt - now)), this.#onTimer);
    }
  };

  #runOut({ onTimeUp }: Deadline): void {
    try {
      onTimeUp();
    } catch (error) {
      this.#onFault(error);
    }
  }
}
