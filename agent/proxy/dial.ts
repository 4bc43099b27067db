/** A connection to one instance, from the attempt on. Whose it is may change: it can be begun before it is known for whom. */
import type { Clock } from '../../process/clock.ts';
import { type SocketContext, type SocketUser, Transport } from '../http1/transport.ts';
import type { Target } from './destination.ts';

/** Who is told what comes of it. */
export interface DialUser {
  onConnected(dial: Dial): void;
  /** As in `SocketUser`. */
  onUpstreamBytes(bytes: Buffer, from: number, to: number): void;
  onUpstreamEnd(): void;
  onUpstreamDrain(): void;
  /** Once, and the last; when it is not connected, it could not be. `detail` is '' when it was closed in order. */
  onUpstreamClosed(dial: Dial, detail: string): void;
}

export class Dial implements SocketUser {
  readonly target: Target;
  readonly transport: Transport;
  /** How long it took; -1: it is not connected, or was never. */
  connectMs = -1;
  /** The instance sends nothing more. */
  hasEnded = false;
  #user: DialUser;

  constructor(target: Target, user: DialUser, context: SocketContext & { readonly clock: Clock }) {
    const { clock } = context;
    const beganAtMs = clock.elapsed();
    this.target = target;
    this.#user = user;
    this.transport = Transport.dial({ host: target.address, port: target.port }, this, context, () => {
      this.connectMs = clock.elapsed() - beganAtMs;
      this.#user.onConnected(this);
    });
  }

  get isConnected(): boolean {
    return this.connectMs !== -1;
  }

  /** From now on somebody else is told. */
  passTo(user: DialUser): void {
    this.#user = user;
  }

  /** Nobody needs it any more. */
  drop(): void {
    this.#user = nobody;
    this.transport.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#user.onUpstreamBytes(bytes, from, to);
  }

  onEnd(): void {
    this.hasEnded = true;
    this.#user.onUpstreamEnd();
  }

  onDrain(): void {
    this.#user.onUpstreamDrain();
  }

  onClosed(detail: string): void {
    this.#user.onUpstreamClosed(this, detail);
  }
}

const nobody: DialUser = {
  onConnected() {},
  onUpstreamBytes() {},
  onUpstreamEnd() {},
  onUpstreamDrain() {},
  onUpstreamClosed() {},
};
