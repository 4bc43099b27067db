/** A connection of which it is not known yet what is spoken on it: its service is being asked for, and nobody reads it. */
import type { Accepted } from '../http1/connection-listener.ts';
import { closeHandle, type SocketHandle } from '../http1/socket-handle.ts';

export class UndecidedConnection<Protocol> implements Accepted {
  readonly #handle: SocketHandle;
  readonly #onGone: () => void;
  /** Who has taken the connection over. */
  #successor: Accepted | undefined;
  #isDraining = false;
  #isOver = false;

  constructor(
    handle: SocketHandle,
    options: {
      readonly until: Promise<Protocol>;
      readonly accept: (protocol: Protocol, onClosed: () => void) => Accepted;
      readonly onClosed: (connection: Accepted) => void;
      readonly onFault: (error: unknown) => void;
    },
  ) {
    const { until, accept, onClosed, onFault } = options;
    this.#handle = handle;
    this.#onGone = () => onClosed(this);
    const decide = (protocol: Protocol) => {
      if (this.#isOver) return;
      this.#successor = accept(protocol, this.#onGone);
      if (this.#isDraining) this.#successor.drain();
    };
    until.then(decide).catch((error: unknown) => {
      onFault(error);
      this.destroy();
    });
  }

  retire(): void {
    this.#successor?.retire?.();
  }

  drain(): void {
    this.#isDraining = true;
    this.#successor?.drain();
  }

  destroy(): void {
    if (this.#successor !== undefined) return this.#successor.destroy();
    if (this.#isOver) return;
    this.#isOver = true;
    closeHandle(this.#handle);
    this.#onGone();
  }
}
