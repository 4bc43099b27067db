/** A connection of which it is not known yet what is spoken on it: its service is being asked for, and nobody reads it. */
import type { Socket } from 'node:net';
import type { Accepted } from '../http1/connection-listener.ts';

export class UndecidedConnection<Protocol> implements Accepted {
  readonly #socket: Socket;
  /** Who has taken the connection over. */
  #successor: Accepted | undefined;
  #isDraining = false;

  constructor(
    socket: Socket,
    options: {
      readonly until: Promise<Protocol>;
      readonly accept: (protocol: Protocol, onClosed: () => void) => Accepted;
      readonly onClosed: (connection: Accepted) => void;
    },
  ) {
    const { until, accept, onClosed } = options;
    this.#socket = socket;
    const onGone = () => onClosed(this);
    socket.on('error', () => {});
    socket.once('close', onGone);
    const decide = (protocol: Protocol) => {
      if (socket.destroyed) return;
      // What is spoken on it is read by another socket over the same handle; this one closes without a meaning.
      socket.off('close', onGone);
      this.#successor = accept(protocol, onGone);
      if (this.#isDraining) this.#successor.drain();
    };
    until.then(decide, () => socket.destroy());
  }

  drain(): void {
    this.#isDraining = true;
    this.#successor?.drain();
  }

  destroy(): void {
    if (this.#successor === undefined) this.#socket.destroy();
    else this.#successor.destroy();
  }
}
