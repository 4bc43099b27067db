/** Time and chance as arguments: what runs below a `main.ts` asks these, so that tests need not wait. */

export interface Clock {
  /** Milliseconds since the epoch, as the machine's clock has it: it may jump. */
  now(): number;
  /** Milliseconds since some moment, with fractions: never jumps, so durations are measured by it. */
  elapsed(): number;
  /** Runs once after the delay; the answer calls it off. A waiting timer does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

/** From 0 up to, but not including, 1. */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
