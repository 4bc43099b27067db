/**
 * Lines to a file, a pipe or standard output, for those who must not wait: what cannot be written in time is dropped, the
 * newest first, and counted. Nothing is ever thrown at whoever writes, be the disk full or the reader gone.
 */
import { close } from 'node:fs';
import type { Clock } from './clock.ts';
import { type OpenDescriptor, openStandardOutput, openToAppend } from './descriptor-writer.ts';

export interface LineWriterOptions {
  /** A file, which is appended to and made when it is missing, or a pipe; `-`: standard output. */
  readonly path: string;
  /**
   * Other processes write lines to the same, which must not get between ours: in a pipe they may where a line is longer than
   * 4 KiB. Not when not given.
   */
  readonly isShared?: boolean;
  readonly clock: Clock;
  /** Told when lines cannot be written, once until they can again, and when the file cannot be opened anew. */
  readonly onTrouble: (sentence: string) => void;
}

export interface LineCounts {
  readonly written: number;
  readonly dropped: number;
}

/** Lines wait for each other for so long: a write for each would cost more than making it. */
const gatherMs = 100;
/** Or until there are so many bytes of them. */
const enoughBytes = 64 * 1024;
/** More than this does not wait. As much again may be under way. */
const mostBytes = 1024 * 1024;
/** A pipe that is full may have room again after so long; from one attempt to the next twice as long. */
const shortestPauseMs = 1;
const longestPauseMs = 64;
/** Other troubles take longer to go away. */
const troublePauseMs = 1_000;
/** For what waits, when the writer is closed. */
const closeMs = 1_000;

/** PIPE_BUF of Linux: so many bytes get into a pipe together or not at all, whoever else writes to it. Files take any number. */
const atOnce = 4_096;

const newline = 0x0a;

export class LineWriter {
  readonly #options: LineWriterOptions;
  #output: OpenDescriptor;
  /** What is written next; grows up to `mostBytes`. */
  #waiting = new Batch();
  /** What is being written. */
  #underWay = new Batch();
  #isWriting = false;
  #written = 0;
  #dropped = 0;
  #callOff: (() => void) | undefined;
  #pauseMs = shortestPauseMs;
  #isInTrouble = false;
  #mustReopen = false;
  /** The other end of the pipe is closed: whatever comes is dropped, until it is opened anew. */
  #isBroken = false;
  #onIdle: (() => void) | undefined;
  #isClosed = false;
  #closed: Promise<void> | undefined;
  /** Nothing is waited for any more. */
  #isOver = false;

  /** Throws, with a sentence, when the file cannot be opened. */
  constructor(options: LineWriterOptions) {
    this.#options = options;
    this.#output = open(options.path);
  }

  get counts(): LineCounts {
    return { written: this.#written, dropped: this.#dropped };
  }

  /** A line, without its end, stands at the beginning of the bytes. */
  write(bytes: Buffer, length: number): void {
    if (this.#isClosed || this.#isBroken || !this.#waiting.add(bytes, length)) {
      this.#dropped++;
      return;
    }
    if (this.#isWriting) return;
    if (this.#waiting.length >= enoughBytes) return this.#flush();
    this.#callOff ??= this.#options.clock.after(gatherMs, () => this.#flush());
  }

  /** Opens the file again by its name: somebody has moved it away. Whole lines go to the one or the other. */
  reopen(): void {
    if (this.#options.path === '-' || this.#isClosed) return;
    this.#mustReopen = true;
    if (!this.#isWriting) this.#reopen();
  }

  /** Writes what waits, as far as that takes no longer than this: a second when not given. May be called again to wait less. */
  async close(withinMs = closeMs): Promise<void> {
    // Timers of clocks do not, and a pipe that is full is waited for by timers alone.
    const keepAlive = setTimeout(() => {}, withinMs);
    const callOff = this.#options.clock.after(withinMs, () => this.#onIdle?.());
    this.#closed ??= this.#close();
    await this.#closed;
    clearTimeout(keepAlive);
    callOff();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (!this.#isWriting) this.#flush();
    });
    this.#isOver = true;
    // A write that has not come back may be blocked for ever: what it writes to stays open.
    const isBlocked = this.#isWriting && this.#callOff === undefined;
    this.#callOff?.();
    this.#dropped += this.#waiting.lines + this.#underWay.lines;
    if (!isBlocked) release(this.#output);
  }

  #flush(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    if (this.#waiting.length === 0) return this.#rest();
    [this.#waiting, this.#underWay] = [this.#underWay, this.#waiting];
    this.#isWriting = true;
    this.#writeOn();
  }

  /** Nothing is under way. */
  #rest(): void {
    this.#isWriting = false;
    if (this.#mustReopen) this.#reopen();
    if (this.#isClosed) {
      if (this.#waiting.length > 0) return this.#flush();
      this.#onIdle?.();
      this.#onIdle = undefined;
      return;
    }
    if (this.#waiting.length >= enoughBytes) this.#flush();
    else if (this.#waiting.length > 0) this.#callOff = this.#options.clock.after(gatherMs, () => this.#flush());
  }

  #writeOn(): void {
    const { bytes, at, length } = this.#underWay;
    const isCut = this.#options.isShared === true && !this.#output.isFile;
    this.#output.write(bytes, at, isCut ? this.#underWay.endOfPiece() : length, (error, count) => {
      if (this.#isOver) return;
      if (error !== null) return this.#onError(error);
      this.#pauseMs = shortestPauseMs;
      this.#isInTrouble = false;
      this.#underWay.at += count;
      if (this.#underWay.at < length) return this.#writeOn();
      this.#written += this.#underWay.lines;
      this.#underWay.clear();
      this.#rest();
    });
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN') {
      this.#tryAgainIn(this.#pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs);
      return;
    }
    if (!this.#isInTrouble) this.#options.onTrouble(`lines are dropped, they cannot be written: ${error.message}`);
    this.#isInTrouble = true;
    if (error.code === 'EPIPE') return this.#giveUp();
    this.#tryAgainIn(troublePauseMs);
  }

  #tryAgainIn(pauseMs: number): void {
    this.#callOff = this.#options.clock.after(pauseMs, () => {
      this.#callOff = undefined;
      if (this.#mustReopen) this.#reopen();
      this.#writeOn();
    });
  }

  #giveUp(): void {
    this.#isBroken = true;
    for (const batch of [this.#waiting, this.#underWay]) {
      this.#dropped += batch.lines;
      batch.clear();
    }
    this.#rest();
  }

  #reopen(): void {
    this.#mustReopen = false;
    try {
      const opened = open(this.#options.path);
      release(this.#output);
      this.#output = opened;
      this.#isBroken = false;
      this.#isInTrouble = false;
      this.#underWay.backToLine();
    } catch (cause) {
      this.#options.onTrouble(`the file cannot be opened again: ${cause instanceof Error ? cause.message : cause}`);
    }
  }
}

/** Whole lines, one after the other. */
class Batch {
  bytes = Buffer.alloc(0);
  length = 0;
  lines = 0;
  /** So much is written. */
  at = 0;

  /** False when there is no room. */
  add(bytes: Buffer, length: number): boolean {
    const needed = this.length + length + 1;
    if (needed > mostBytes) return false;
    if (needed > this.bytes.length) this.#grow(needed);
    bytes.copy(this.bytes, this.length, 0, length);
    this.bytes[needed - 1] = newline;
    this.length = needed;
    this.lines++;
    return true;
  }

  clear(): void {
    // What a rush needed is not kept.
    if (this.bytes.length > 2 * enoughBytes) this.bytes = Buffer.alloc(0);
    this.length = 0;
    this.lines = 0;
    this.at = 0;
  }

  /** Of whole lines, as many as go into a pipe at once; of one at least. */
  endOfPiece(): number {
    if (this.length - this.at <= atOnce) return this.length;
    const last = this.bytes.lastIndexOf(newline, this.at + atOnce - 1);
    return (last >= this.at ? last : this.bytes.indexOf(newline, this.at)) + 1;
  }

  /** A line that is written in part begins anew. */
  backToLine(): void {
    if (this.at > 0) this.at = this.bytes.lastIndexOf(newline, this.at - 1) + 1;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.min(mostBytes, Math.max(needed, 2 * this.bytes.length, enoughBytes)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

function release({ descriptor, isShared }: OpenDescriptor): void {
  if (!isShared) close(descriptor, () => {});
}

function open(path: string): OpenDescriptor {
  return path === '-' ? openStandardOutput() : openToAppend(path);
}
