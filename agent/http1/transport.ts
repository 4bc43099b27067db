/**
 * Sockets whose bytes arrive in buffers that are used again and again. Node makes a new buffer of 64 KiB for each read,
 * unless the socket is created with `onread`.
 *
 * Whose buffer it is decides what may be done with the bytes. All sockets begin with one shared buffer: its bytes are good
 * until the call returns. As long as much arrives at a time, a message that goes on for long is read into a private buffer,
 * whose bytes may be handed to another socket as they are; if that one cannot send them at once, the next read takes
 * another buffer. A buffer is chosen before there is anything to read, so whoever sends little at a time must not have one:
 * a thousand tunnels on which nothing happens would keep a thousand of them.
 */
import { connect, type OnReadOpts, type Socket } from 'node:net';
import { ByteWriter } from './byte-writer.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import type { OwnConnections } from './own-connections.ts';
import { openHandle, type SocketHandle } from './socket-handle.ts';

/** Who is told what a socket does. */
export interface SocketUser {
  /** From here to there are new. They may be changed, and must not be kept unless the buffer is private. */
  onBytes(bytes: Buffer, from: number, to: number): void;
  /** The other side sends nothing more. */
  onEnd(): void;
  /** All that was written is on its way. */
  onDrain(): void;
  /** Once, and the last: `detail` is '' when it was closed in order. */
  onClosed(detail: string): void;
}

/** What sockets of one listener share. */
export interface SocketContext {
  readonly deadlines: Deadlines;
  /** Told what the user of a socket throws: a fault of the agent. The connection is ended, and its user hears of that. */
  readonly onFault: (error: unknown) => void;
  /** Remembers what is dialled; undefined where no packet rule can bring it back. */
  readonly ownConnections?: OwnConnections | undefined;
}

export interface UpstreamAddress {
  /** IP address or DNS name. */
  readonly host: string;
  readonly port: number;
}

const readBytes = 64 * 1024;
/** Who gets less than this in a read is not worth a buffer of his own: to copy it costs next to nothing. */
const worthAPrivateBuffer = 16 * 1024;
const sharedBuffer = Buffer.allocUnsafeSlow(readBytes);
/** Private buffers that nobody uses at the moment. */
const spare: Buffer<ArrayBuffer>[] = [];
/** More than that were needed only in a rush. */
const mostSpare = 32;
/**
 * Whoever takes nothing for so long of what waits for it is gone, or might as well be: Envoy's limit for streams on which
 * nothing moves. Without it a connection that is not read from, because another one is clogged, would not be seen to end.
 */
const mostStandstillMs = 300_000;
/** For bytes of the shared buffer that go on to another socket. */
const copies = new ByteWriter(readBytes);

export class Transport {
  readonly #socket: Socket;
  #user: SocketUser;
  #buffer: Buffer<ArrayBuffer> = sharedBuffer;
  #isKept = false;
  #wantsPrivate = false;
  /** Of the last read. */
  #readLast = 0;
  #detail = '';
  readonly #context: SocketContext;
  /** Set as long as bytes wait; made when some do for the first time. */
  #standstill: Deadline | undefined;
  /** When it was set. */
  #sentBefore = 0;
  /** Asked for when it is needed, which costs a system call. */
  #remoteAddress: string | undefined;

  private constructor(user: SocketUser, context: SocketContext, create: (onread: OnReadOpts) => Socket) {
    this.#user = user;
    this.#context = context;
    this.#socket = create({ buffer: () => this.#nextBuffer(), callback: (count) => this.#onRead(count) });
    this.#socket.on('end', () => this.#guarded(() => this.#user.onEnd()));
    this.#socket.on('drain', () => this.#guarded(() => this.#user.onDrain()));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      // Several addresses of one name fail with an error that has a code, but no message.
      this.#detail = error.message || error.code || 'the connection failed';
    });
    this.#socket.once('close', () => {
      this.#giveBack();
      this.#standstill?.clear();
      this.#guarded(() => this.#user.onClosed(this.#detail));
    });
  }

  /** Takes over a connection that has come. */
  static accept(handle: SocketHandle, user: SocketUser, context: SocketContext): Transport {
    const transport = new Transport(user, context, (onread) => openHandle(handle, onread));
    transport.#socket.resume();
    return transport;
  }

  /** `onConnected` is called once, unless `onClosed` comes first. */
  static dial(address: UpstreamAddress, user: SocketUser, context: SocketContext, onConnected: () => void): Transport {
    const options = { ...address, allowHalfOpen: true, noDelay: true, keepAlive: true };
    const transport: Transport = new Transport(user, context, (onread) =>
      connect({ ...options, onread }, () => transport.#guarded(onConnected)),
    );
    context.ownConnections?.note(transport.#socket, address);
    return transport;
  }

  /** From now on somebody else is told. */
  passTo(user: SocketUser): void {
    this.#user = user;
  }

  /** IP address of the other side; '' once it has gone. An IPv4 address that came by a socket for both families is one. */
  get remoteAddress(): string {
    this.#remoteAddress ??= this.#socket.remoteAddress?.replace(/^::ffff:/, '');
    return this.#remoteAddress ?? '';
  }

  /** Bytes that were written and are still here. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Since the connection began. */
  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Since the connection began. */
  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  /** So much is waiting that whoever writes had better stop until `onDrain`, which comes for certain. */
  get isClogged(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get isWritable(): boolean {
    return this.#socket.writable;
  }

  /** Whether the bytes that `onBytes` brings may be kept. */
  get isPrivate(): boolean {
    return this.#buffer !== sharedBuffer;
  }

  /** From the next read on: into a buffer of its own, once much arrives at a time, or into the shared one. */
  readPrivately(isWanted: boolean): void {
    this.#wantsPrivate = isWanted;
  }

  /** Whether all bytes have gone; if not, they must not change until they have. */
  write(bytes: Buffer, from: number, to: number): boolean {
    return this.writeWhole(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  /** As `write`. */
  writeWhole(bytes: Buffer): boolean {
    const socket = this.#socket;
    if (!socket.writable || bytes.length === 0) return true;
    socket.write(bytes);
    if (socket.writableLength === 0) return true;
    if (this.#standstill?.isSet !== true) this.#watchStandstill();
    return false;
  }

  /** Writes what stands in the writer, which is empty then and may be used again. */
  writeAll(writer: ByteWriter): void {
    const { bytes, written } = writer;
    writer.length = 0;
    if (this.waitingBytes > 0) this.writeWhole(Buffer.from(written));
    // Only the first that has to wait costs a buffer, however little stands in it.
    else if (!this.writeWhole(written)) writer.bytes = Buffer.allocUnsafeSlow(bytes.length);
  }

  /** Writes what `source` has just read, without a copy when its buffer is private. */
  relay(source: Transport, bytes: Buffer, from: number, to: number): void {
    const isWaiting = this.waitingBytes > 0;
    const isLarge = to - from >= worthAPrivateBuffer;
    if (bytes === source.#buffer && source.isPrivate && (isLarge || !isWaiting)) {
      if (!this.write(bytes, from, to)) source.#isKept = true;
      return;
    }
    if (isWaiting) return this.#writeCopy(bytes, from, to);
    copies.copy(bytes, from, to);
    this.writeAll(copies);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Nothing more will be written; what was is sent. */
  end(): void {
    this.#socket.end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** As `destroy`, and the other side is told that something went wrong. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** What is written behind bytes that wait will wait too: it may be little, and much more may follow, so it gets no more room than it needs. */
  #writeCopy(bytes: Buffer, from: number, to: number): void {
    this.writeWhole(Buffer.from(bytes.subarray(from, to)));
  }

  #watchStandstill(): void {
    this.#standstill ??= new Deadline(() => this.#onStandstill());
    this.#sentBefore = this.sentBytes;
    this.#context.deadlines.set(this.#standstill, mostStandstillMs);
  }

  #onStandstill(): void {
    if (this.waitingBytes === 0) return;
    if (this.sentBytes > this.#sentBefore) return this.#watchStandstill();
    this.#detail = `nothing was taken of what was sent for ${mostStandstillMs / 1_000} s`;
    this.destroy();
  }

  #onRead(count: number): boolean {
    this.#readLast = count;
    try {
      this.#user.onBytes(this.#buffer, 0, count);
    } catch (error) {
      this.#fail(error);
    }
    return true;
  }

  #guarded(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#context.onFault(error);
    this.#detail = 'the agent failed at it';
    this.destroy();
  }

  #nextBuffer(): Buffer<ArrayBuffer> {
    if (!this.#wantsPrivate || this.#readLast < worthAPrivateBuffer) this.#giveBack();
    else if (this.#buffer === sharedBuffer || this.#isKept) {
      this.#buffer = spare.pop() ?? Buffer.allocUnsafeSlow(readBytes);
    }
    this.#isKept = false;
    return this.#buffer;
  }

  /** A buffer that is still being written by another socket is left to it. */
  #giveBack(): void {
    if (this.#buffer === sharedBuffer) return;
    if (!this.#isKept && spare.length < mostSpare) spare.push(this.#buffer);
    this.#buffer = sharedBuffer;
  }
}
