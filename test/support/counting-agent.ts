/** Connections of a caller that keeps them, and a count of those that were closed on it. */
import { Agent } from 'node:http';

export class CountingAgent extends Agent {
  closed = 0;
  #isOver = false;

  constructor(maxSockets: number) {
    super({ keepAlive: true, maxSockets });
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    const socket = super.createConnection(...args);
    socket?.once('close', () => {
      if (!this.#isOver) this.closed++;
    });
    return socket;
  }

  override destroy(): void {
    this.#isOver = true;
    super.destroy();
  }
}
