/** Requests for `reviews`, one after another, and what became of them. */
import { Agent } from 'node:http';
import { ask } from './ask.ts';

/** A caller behind an agent, on kept connections: as many as ask at the same time. */
export class Traffic {
  readonly #agent: Agent;
  readonly #connections: number;
  readonly failures: string[] = [];
  readonly versions: string[] = [];
  #isOver = false;
  #running: Promise<void>[] = [];
  readonly #outbound: string;

  constructor(outbound: string, connections = 4) {
    this.#outbound = outbound;
    this.#connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  async get(): Promise<string> {
    const { status, body } = await ask({ at: this.#outbound, host: 'reviews', agent: this.#agent });
    if (status !== 200) throw new Error(`${status} ${body}`);
    return String(JSON.parse(body).version);
  }

  start(): void {
    this.#running = Array.from({ length: this.#connections }, async () => {
      while (!this.#isOver) {
        await this.get().then(
          (version) => this.versions.push(version),
          (error: Error) => this.failures.push(error.message),
        );
      }
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }
}
