/** Bytes both ways between two connections, as fast as each takes them; an end of one side is passed on to the other. */
import type { Transport } from '../http1/transport.ts';

export class Tunnel {
  readonly #client: Transport;
  readonly #upstream: Transport;
  bytesUp = 0;
  bytesDown = 0;
  #clientHasEnded = false;
  #upstreamHasEnded = false;

  constructor(client: Transport, upstream: Transport) {
    this.#client = client;
    this.#upstream = upstream;
  }

  fromClient(bytes: Buffer, from: number, to: number): void {
    this.bytesUp += to - from;
    this.#upstream.relay(this.#client, bytes, from, to);
    if (this.#upstream.isClogged) this.#client.pause();
  }

  fromUpstream(bytes: Buffer, from: number, to: number): void {
    this.bytesDown += to - from;
    this.#client.relay(this.#upstream, bytes, from, to);
    if (this.#client.isClogged) this.#upstream.pause();
  }

  clientDrained(): void {
    this.#upstream.resume();
  }

  upstreamDrained(): void {
    this.#client.resume();
  }

  clientEnded(): void {
    this.#clientHasEnded = true;
    this.#upstream.end();
  }

  upstreamEnded(): void {
    this.#upstreamHasEnded = true;
    this.#client.end();
  }

  /** Both sides have said all they had to say. */
  get isOver(): boolean {
    return this.#clientHasEnded && this.#upstreamHasEnded;
  }
}
