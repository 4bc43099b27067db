/**
 * What a stream is sent, and what of that its client has not taken yet: written in pieces, counted until it is taken, and judged by how
 * long nothing is taken.
 */
import type { ServerCall } from '../grpc/server-call.ts';

/** A client that asks for more and more, and reads nothing, is let go when this much lies in wait for it. */
const mostUnreadBytes = 64 * 1024 * 1024;

/** A client for which more than this lies in wait is sent nothing new until it has taken it: then the newest state. */
const enoughUnreadBytes = 1024 * 1024;

/** What is larger is written in pieces: over a slow line a client that takes some of it is not taken for one that takes nothing. */
const pieceBytes = 128 * 1024;

/** Who takes nothing for so long is not waited for before others are sent to. */
const mostPatienceMs = 1_000;

/** Who takes nothing for so long of what lies in wait is gone, or might as well be. */
export const mostStandstillMs = 30_000;

export interface OutboxOptions {
  readonly call: Pick<ServerCall<unknown, unknown>, 'writeFramed'>;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** How many more bytes lie in wait for the client, or fewer. */
  readonly onUnread: (bytes: number) => void;
  /** There is room again, for which somebody waits. */
  readonly onRoom: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** Messages of this step. */
  #waiting: Buffer[] = [];
  #unreadBytes = 0;
  /** When the client last took something, or began to have something to take. */
  #takenMs = 0;
  #isRoomWanted = false;
  /** It takes nothing: what lies in wait for it is not counted. */
  #isStandingStill = false;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** So much lies in wait for the client that it is sent nothing new. Whoever asks is told when there is room. */
  isFull(): boolean {
    this.#isRoomWanted = this.#unreadBytes > enoughUnreadBytes;
    return this.#isRoomWanted;
  }

  /** It asks, and does not read. */
  get isOverfull(): boolean {
    return this.#unreadBytes > mostUnreadBytes;
  }

  /** Sent by the next `release`. */
  add(message: Buffer): void {
    if (this.#unreadBytes === 0) this.#takenMs = this.#options.clock();
    this.#count(message.length);
    this.#waiting.push(message);
  }

  /** What was added goes out: small messages in one. */
  release(): void {
    const messages = this.#waiting;
    if (messages.length === 0) return;
    this.#waiting = [];
    const size = messages.reduce((sum, { length }) => sum + length, 0);
    if (size <= pieceBytes) return this.#write(join(messages));
    for (const message of messages) {
      for (let from = 0; from < message.length; from += pieceBytes) {
        this.#write(message.subarray(from, from + pieceBytes));
      }
    }
  }

  /** To be called every second. Answers whether the client is to be let go: it has taken nothing for too long. */
  isAbandoned(): boolean {
    if (this.#unreadBytes === 0) return false;
    const forMs = this.#options.clock() - this.#takenMs;
    if (forMs >= mostPatienceMs && !this.#isStandingStill) {
      this.#isStandingStill = true;
      this.#options.onUnread(-this.#unreadBytes);
    }
    return forMs >= mostStandstillMs;
  }

  /** Nothing waits any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#count(-this.#unreadBytes);
  }

  #write(piece: Buffer): void {
    this.#options.call.writeFramed(piece, () => this.#onTaken(piece.length));
  }

  #onTaken(bytes: number): void {
    this.#takenMs = this.#options.clock();
    if (this.#isClosed) return;
    if (this.#isStandingStill) {
      this.#isStandingStill = false;
      this.#options.onUnread(this.#unreadBytes);
    }
    this.#count(-bytes);
    if (!this.#isRoomWanted || this.#unreadBytes > enoughUnreadBytes) return;
    this.#isRoomWanted = false;
    this.#options.onRoom();
  }

  #count(bytes: number): void {
    this.#unreadBytes += bytes;
    if (!this.#isStandingStill) this.#options.onUnread(bytes);
  }
}

/** The last messages that were joined: clients that are alike are sent the same, one after the other. */
let latest: { readonly messages: readonly Buffer[]; readonly joined: Buffer } | undefined;

function join(messages: readonly Buffer[]): Buffer {
  const [first] = messages;
  if (first !== undefined && messages.length === 1) return first;
  const known = latest?.messages;
  const isSame = known?.length === messages.length && known.every((each, index) => each === messages[index]);
  if (!isSame || latest === undefined) latest = { messages, joined: Buffer.concat(messages) };
  return latest.joined;
}
