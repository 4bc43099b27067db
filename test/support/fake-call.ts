/** A call whose client is the test: it says things, and takes what it is sent when the test says so. */
import type { ServerCall } from '../../server/grpc/server-call.ts';
import { StatusError, statusName } from '../../server/grpc/status.ts';

const nothing = () => {};

export class FakeCall<Request, Response> implements ServerCall<Request, Response> {
  onMessage: (message: Request) => void = nothing;
  onHalfClose: () => void = () => this.end();
  onOver: () => void = nothing;
  readonly written: Response[] = [];
  readonly framed: Buffer[] = [];
  /** How it has ended: at most one. */
  readonly ends: { readonly code: string; readonly details: string }[] = [];
  isPaused = false;
  #isGone = false;
  readonly #untaken: (() => void)[] = [];
  readonly #unheard: Request[] = [];

  /** The client says this; nothing is heard of it while the call is paused. */
  say(message: Request): void {
    this.#unheard.push(message);
    this.#readOn();
  }

  /** The client takes the oldest message that it has not taken. */
  take(): void {
    this.#untaken.shift()?.();
  }

  /** The client goes, without having taken the rest. */
  leave(): void {
    this.#isGone = true;
    for (const take of this.#untaken.splice(0)) take();
    this.onOver();
  }

  write(response: Response, onTaken = nothing): void {
    if (this.#isGone) return onTaken();
    this.written.push(response);
    this.#untaken.push(onTaken);
  }

  writeFramed(bytes: Buffer, onTaken = nothing): void {
    if (this.#isGone) return onTaken();
    this.framed.push(bytes);
    this.#untaken.push(onTaken);
  }

  end(code = 0, details = ''): void {
    if (this.ends.length > 0) return;
    this.ends.push({ code: statusName(code), details });
    this.onOver();
  }

  /** It is there until it leaves. */
  askForSign(onSign: () => void): void {
    if (!this.#isGone) onSign();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#readOn();
  }

  #readOn(): void {
    this.perform(() => {
      while (!this.isPaused && this.ends.length === 0) {
        const message = this.#unheard.shift();
        if (message === undefined) return;
        this.onMessage(message);
      }
    });
  }

  perform(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.end(error.code, error.message);
    }
  }
}
