/**
 * Whether the other end of a connection is running: it answers a PING at once (RFC 9113, 6.7), whatever its application is at. A process that is
 * stopped, or a machine that is gone, answers none.
 */
import type { ServerHttp2Session } from 'node:http2';

export class Heartbeat {
  readonly #session: ServerHttp2Session;
  /** Who has asked since the PING that is under way. */
  #asking: (() => void)[] = [];
  #isUnderWay = false;

  constructor(session: ServerHttp2Session) {
    this.#session = session;
  }

  /** `onBeat`: called once when the answer comes, never if none does. Calls of one connection share a PING. */
  ask(onBeat: () => void): void {
    if (this.#session.destroyed) return;
    this.#asking.push(onBeat);
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#session.ping((error) => {
      this.#isUnderWay = false;
      const asking = this.#asking;
      this.#asking = [];
      if (error === null) for (const tell of asking) tell();
    });
  }
}
