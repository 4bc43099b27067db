/** Connections on which nothing happens for a while: opened, used once, left alone, used again. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';

/** So many at a time: a storm would measure the accept queue of the kernel. */
const openedAtOnce = 50;

export class IdleConnections {
  readonly #request: string;
  #sockets: readonly Socket[] = [];

  constructor(request: string) {
    this.#request = request;
  }

  /** Resolves when each of them has had its answer. */
  async open(port: number, count: number): Promise<void> {
    const sockets: Socket[] = [];
    while (sockets.length < count) {
      const opened = Array.from({ length: Math.min(openedAtOnce, count - sockets.length) }, () =>
        connect({ port, host: '127.0.0.1' }),
      );
      sockets.push(...opened);
      await Promise.all(opened.map((socket) => once(socket, 'connect')));
      await Promise.all(opened.map((socket) => this.#ask(socket)));
    }
    this.#sockets = sockets;
  }

  /** How many of them still bring an answer. */
  async countAlive(): Promise<number> {
    let alive = 0;
    for (const socket of this.#sockets) {
      if (
        await this.#ask(socket).then(
          () => true,
          () => false,
        )
      )
        alive++;
    }
    return alive;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #ask(socket: Socket): Promise<void> {
    if (socket.destroyed || !socket.writable) throw new Error('the proxy closed a connection');
    await new Promise<void>((resolve, reject) => {
      const reader = new AnswerReader(resolve);
      const onData = (bytes: Buffer) => reader.read(bytes);
      const onClose = () => reject(new Error('the proxy closed a connection'));
      socket.removeAllListeners();
      socket.on('error', onClose).on('close', onClose).on('data', onData);
      socket.write(this.#request);
    });
  }
}
