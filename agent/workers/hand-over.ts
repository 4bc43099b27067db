/**
 * Who gets the next connection: the worker that has the fewest, or nearly so, of those that have taken the last one they were
 * handed. So one that is busy or stopped has one at most on its way to it, and when it ends, that goes to another. It may: a
 * worker says that it has a connection before it reads of it.
 */
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { closeHandle, type SocketHandle } from '../http1/socket-handle.ts';
import type { ToWorker } from './messages.ts';

/** Who takes connections. */
export interface Taker {
  /** Those that it has, as far as is known. */
  readonly connections: number;
  send(message: ToWorker, handle: SocketHandle): void;
}

interface Connection {
  readonly port: HostPort;
  readonly handle: SocketHandle;
  readonly cameAtMs: number;
}

export interface HandOverOptions {
  readonly clock: Clock;
  /** Those that can be handed a connection. */
  readonly serving: () => Iterable<Taker>;
}

/** As many as the kernel keeps for a port; more wait only when all workers are gone. */
const mostWaiting = 4_096;
/** Longer than it takes to start a worker anew. A client then had better try elsewhere. */
const longestWaitMs = 5_000;
/** One that has fewer connections is waited for so long: in a burst whoever is quick would have most of them, and keep them. */
const patienceMs = 20;

export class HandOver {
  readonly #options: HandOverOptions;
  /** Oldest first. */
  readonly #waiting: Connection[] = [];
  readonly #underWay = new Map<Taker, { readonly connection: Connection; readonly sinceMs: number }>();
  #cancelDrop: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #dropped = 0;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Connections that were closed because no worker took them. */
  get dropped(): number {
    return this.#dropped;
  }

  take(port: HostPort, handle: SocketHandle): void {
    const connection = { port, handle, cameAtMs: this.#options.clock.elapsed() };
    if (this.#waiting.length >= mostWaiting) return this.#drop(connection);
    this.#waiting.push(connection);
    this.handOn();
    if (this.#waiting.length > 0) this.#dropLater();
  }

  /** Somebody may be free. */
  handOn(): void {
    const sinceMs = this.#options.clock.elapsed();
    while (this.#waiting.length > 0) {
      const worker = this.#freest(sinceMs);
      const connection = worker === undefined ? undefined : this.#waiting.shift();
      if (worker === undefined || connection === undefined) return;
      this.#underWay.set(worker, { connection, sinceMs });
      worker.send({ is: 'connection', port: connection.port }, connection.handle);
    }
  }

  accepted(worker: Taker): void {
    const underWay = this.#underWay.get(worker);
    if (underWay !== undefined) closeHandle(underWay.connection.handle);
    this.#underWay.delete(worker);
    this.handOn();
  }

  /** The worker has ended. */
  gone(worker: Taker): void {
    const underWay = this.#underWay.get(worker);
    this.#underWay.delete(worker);
    if (underWay !== undefined) this.#waiting.unshift(underWay.connection);
    this.handOn();
    if (this.#waiting.length > 0) this.#dropLater();
  }

  /** Nobody is handed anything any more. */
  close(): void {
    this.#cancelDrop?.();
    this.#cancelLook?.();
    for (const connection of this.#waiting.splice(0)) closeHandle(connection.handle);
  }

  /** Undefined when there is nobody, or somebody is worth waiting for. */
  #freest(nowMs: number): Taker | undefined {
    let freest: Taker | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const worker of this.#options.serving()) {
      const underWay = this.#underWay.get(worker);
      if (underWay === undefined) {
        if (freest === undefined || worker.connections < freest.connections) freest = worker;
        fewest = Math.min(fewest, worker.connections);
      } else if (nowMs < underWay.sinceMs + patienceMs) {
        fewest = Math.min(fewest, worker.connections + 1);
      }
    }
    if (freest === undefined || freest.connections <= mostBeside(fewest)) return freest;
    this.#cancelLook ??= this.#options.clock.after(patienceMs, () => {
      this.#cancelLook = undefined;
      this.handOn();
    });
    return undefined;
  }

  #dropLater(): void {
    this.#cancelDrop ??= this.#options.clock.after(longestWaitMs, () => {
      this.#cancelDrop = undefined;
      const before = this.#options.clock.elapsed() - longestWaitMs;
      while (this.#waiting[0] !== undefined && this.#waiting[0].cameAtMs <= before) {
        const connection = this.#waiting.shift();
        if (connection !== undefined) this.#drop(connection);
      }
      if (this.#waiting.length > 0) this.#dropLater();
    });
  }

  #drop({ handle }: Connection): void {
    this.#dropped++;
    closeHandle(handle);
  }
}

/** Who has no more than this is as good as the one that has the fewest: to wait costs more than to be out of balance. */
function mostBeside(fewest: number): number {
  return fewest + 2 + Math.floor(fewest / 8);
}
