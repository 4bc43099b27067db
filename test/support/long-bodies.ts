/** Bodies longer than anybody keeps in memory, sent fast and read slowly; and what a process holds meanwhile. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface LongBody {
  /** To the application, or from it. */
  readonly direction: 'up' | 'down';
  /** How its end is told. */
  readonly framing: 'length' | 'chunks';
  /** A multiple of 64 KiB. */
  readonly bytes: number;
}

/** What is written at once, and the same as a chunk. */
const part = Buffer.alloc(64 * 1024, 'sixteen octets. ');
const chunk = Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
const lastChunk = '0\r\n\r\n';

/** The reader stops for a while whenever it has read so much: everyone before it has to wait. */
const gulpBytes = 2 * 1024 * 1024;
const restMs = 5;
/** Before it reads anything at all. */
const firstRestMs = 300;

/** An application that sends and reads the bodies of `passBody`, one a connection. */
export async function startLongBodyApp(): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function serve(socket: Socket): Promise<void> {
  const { head, rest } = await readHead(socket);
  const [, direction, framing, bytes] = /^\w+ \/(up|down)\/(length|chunks)\/(\d+) /.exec(head) ?? [];
  const body = { framing: framing === 'chunks' ? 'chunks' : 'length', bytes: Number(bytes) } as const;
  if (direction === 'down') {
    socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${framingLine(body)}\r\n\r\n`);
    return write(socket, body);
  }
  await readSlowly(socket, rest, body);
  socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
}

/** Sends a body through `HOST:PORT`, or has one sent, and resolves when its reader has read it to its end. */
export async function passBody(at: string, host: string, body: LongBody): Promise<void> {
  const [address = '', port] = at.split(':');
  const socket = connect({ host: address, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const target = `/${body.direction}/${body.framing}/${body.bytes}`;
  try {
    if (body.direction === 'down') {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const { head, rest } = await readHead(socket);
      expectSuccess(head);
      await readSlowly(socket, rest, body);
    } else {
      socket.write(`POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${framingLine(body)}\r\n\r\n`);
      const [{ head }] = await Promise.all([readHead(socket), write(socket, body)]);
      expectSuccess(head);
    }
  } finally {
    socket.destroy();
  }
}

type Body = Pick<LongBody, 'framing' | 'bytes'>;

function framingLine({ framing, bytes }: Body): string {
  return framing === 'chunks' ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
}

function expectSuccess(head: string): void {
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`the answer was ${head}`);
}

async function write(socket: Socket, { framing, bytes }: Body): Promise<void> {
  const isChunked = framing === 'chunks';
  for (let sent = 0; sent < bytes; sent += part.length) {
    if (!socket.write(isChunked ? chunk : part)) await once(socket, 'drain');
  }
  if (isChunked) socket.write(lastChunk);
}

interface Head {
  readonly head: string;
  /** What came behind it. */
  readonly rest: Buffer;
}

/** The socket is paused then. */
function readHead(socket: Socket): Promise<Head> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const onData = (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return;
      socket.pause();
      socket.off('data', onData);
      resolve({ head: received.toString('latin1', 0, end), rest: received.subarray(end + 4) });
    };
    socket.on('data', onData);
    socket.once('close', () => reject(new Error('there was no head')));
  });
}

/** Resolves when all of it has come: chunks come as they were sent, since a proxy has no reason to make others. */
async function readSlowly(socket: Socket, rest: Buffer, { framing, bytes }: Body): Promise<void> {
  const parts = bytes / part.length;
  let missing = (framing === 'chunks' ? parts * chunk.length + lastChunk.length : bytes) - rest.length;
  let untilRest = gulpBytes;
  await new Promise((resolve) => setTimeout(resolve, firstRestMs));
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (received: Buffer) => {
      missing -= received.length;
      untilRest -= received.length;
      if (missing <= 0) return missing === 0 ? resolve() : reject(new Error(`there were ${-missing} bytes too many`));
      if (untilRest > 0) return;
      untilRest = gulpBytes;
      socket.pause();
      setTimeout(() => socket.resume(), restMs);
    });
    socket.once('close', () => reject(new Error(`the body broke off ${missing} bytes before its end`)));
    socket.resume();
  });
}

/** The most that each of these processes holds while something runs, in bytes above what it held before. */
export async function growthDuring(pids: readonly number[], run: () => Promise<unknown>): Promise<number[]> {
  const before = pids.map(residentBytes);
  const most = [...before];
  const look = () => {
    for (const [index, pid] of pids.entries()) most[index] = Math.max(most[index] ?? 0, residentBytes(pid));
  };
  const timer = setInterval(look, 10);
  try {
    await run();
    look();
  } finally {
    clearInterval(timer);
  }
  return most.map((bytes, index) => bytes - (before[index] ?? 0));
}

/** Resident memory of a process. Linux alone tells it so. */
function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
