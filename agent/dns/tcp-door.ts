/** Questions over TCP: several at a time on a connection, answered as they are ready (RFC 7766), each connection bounded. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { bounds } from './bounds.ts';
import type { DnsCounters } from './counters.ts';
import { FrameReader, frame } from './length-framing.ts';
import { headerBytes } from './protocol.ts';
import type { Responder } from './responder.ts';

export interface TcpDoor {
  readonly port: number;
  close(): Promise<void>;
}

export interface TcpDoorOptions {
  readonly responder: Responder;
  readonly counters: DnsCounters;
  readonly clock: Clock;
  /** Without a whole question or an answer. */
  readonly idleMs: number;
  readonly mostConnections: number;
}

/** Rejects when the address is taken or not ours. */
export async function openTcpDoor({ host, port }: HostPort, options: TcpDoorOptions): Promise<TcpDoor> {
  const { counters } = options;
  const open = new Set<Socket>();
  // A client may say that it asks no more, and wait for its answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    if (open.size >= options.mostConnections) {
      counters.tcpRefused++;
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    open.add(socket);
    counters.tcpConnections = open.size;
    socket.once('close', () => {
      open.delete(socket);
      counters.tcpConnections = open.size;
    });
    serve(socket, options);
  });
  await listening(server, { host, port });
  server.on('error', ignore);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function serve(socket: Socket, { responder, counters, clock, idleMs }: TcpDoorOptions): void {
  let underWay = 0;
  let hasAskedAll = false;
  let callOff = clock.after(idleMs, () => socket.destroy());
  const isActive = () => {
    callOff();
    callOff = clock.after(idleMs, () => socket.destroy());
  };
  const isFull = () => underWay >= bounds.underWayPerConnection || socket.writableLength > bounds.unsentBytes;
  const pace = () => {
    if (socket.destroyed) return;
    reader.goOn();
    if (isFull()) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (hasAskedAll && underWay === 0 && !isFull()) socket.end();
  };
  const send = (answer: Buffer) => {
    underWay--;
    if (socket.destroyed) return;
    isActive();
    socket.write(frame(answer));
    pace();
  };
  const take = (message: Buffer) => {
    if (socket.destroyed) return;
    counters.tcpMessages++;
    // What has no header, or is a response, is no client: nothing it says further is one.
    if (message.length < headerBytes || ((message[2] ?? 0) & 0x80) !== 0) {
      counters.dropped++;
      socket.destroy();
      return;
    }
    isActive();
    underWay++;
    responder.answer(message, 'tcp', send);
  };
  const reader = new FrameReader(take, () => !isFull());
  socket.on('data', (piece) => {
    reader.push(piece);
    pace();
  });
  socket.on('drain', pace);
  socket.on('end', () => {
    hasAskedAll = true;
    pace();
  });
  socket.on('error', ignore);
  socket.once('close', () => callOff());
}

function ignore(): void {}

function listening(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true, ipv6Only: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
