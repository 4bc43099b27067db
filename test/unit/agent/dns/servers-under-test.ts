/** A DNS server of ours on real sockets, and resolvers that behave as a test says. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6 } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { type DnsServer, type DnsServerOptions, startDnsServer } from '../../../../agent/dns/dns-server.ts';
import { FrameReader, frame } from '../../../../agent/dns/length-framing.ts';
import type { Patience } from '../../../../agent/dns/upstream-question.ts';
import { systemClock } from '../../../../process/clock.ts';
import type { HostPort } from '../../../../process/host-port.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { directory, type QuestionOptions, question, type Read } from './dns-under-test.ts';

export interface Asked {
  readonly query: DecodedPacket;
  readonly isTcp: boolean;
  /** Where the question came from. */
  readonly port: number;
  /** With id and question as they should be. */
  reply(packet: Packet): void;
  replyBytes(bytes: Buffer): void;
  /** Over TCP, byte by byte. */
  replyPieces(bytes: Buffer): void;
  /** Closes the connection. */
  hangUp(): void;
}

const host = '127.0.0.1';

export class ServersUnderTest {
  readonly #closing: (() => unknown)[] = [];

  /** UDP and TCP on one port. */
  async upstream(onQuery: (asked: Asked) => unknown): Promise<HostPort> {
    const tcp = createServer((socket) => {
      socket.on('error', () => {});
      this.#closing.push(() => socket.destroy());
      const reader = new FrameReader((bytes) => {
        const replyBytes = (answer: Buffer) => socket.write(frame(answer));
        const replyPieces = (answer: Buffer) => {
          for (const octet of frame(answer)) socket.write(Buffer.from([octet]));
        };
        onQuery({ ...askedBy(bytes, replyBytes), isTcp: true, port: 0, replyPieces, hangUp: () => socket.destroy() });
      });
      socket.on('data', (piece) => reader.push(piece));
    });
    tcp.listen(0, host);
    await once(tcp, 'listening');
    const address = tcp.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const udp = createSocket('udp4');
    udp.bind(port, host);
    await once(udp, 'listening');
    udp.on('message', (bytes, from) => {
      const replyBytes = (answer: Buffer) => udp.send(answer, from.port, from.address);
      onQuery({
        ...askedBy(bytes, replyBytes),
        isTcp: false,
        port: from.port,
        replyPieces: replyBytes,
        hangUp: () => {},
      });
    });
    this.#closing.push(
      () => tcp.close(),
      () => udp.close(),
    );
    return { host, port };
  }

  /** An address where nobody listens. */
  async nobody(): Promise<HostPort> {
    const socket = createSocket('udp4');
    socket.bind(0, host);
    await once(socket, 'listening');
    const { port } = socket.address();
    await new Promise<void>((resolve) => socket.close(resolve));
    return { host, port };
  }

  async start(
    upstreams: readonly HostPort[],
    patience: Partial<Patience> & Partial<Pick<DnsServerOptions, 'idleMs' | 'mostConnections'>> = {},
    time: 'system-clock' | 'fake-clock' = 'system-clock',
  ) {
    const { attemptMs = 2_000, wholeMs = 8_000, ...more } = patience;
    const clock = new FakeClock();
    const server: DnsServer = await startDnsServer({
      listen: [{ host, port: 0 }],
      domain: 'mesh.local',
      namespace: 'default',
      directory,
      upstreams: () => upstreams,
      clock: time === 'system-clock' ? systemClock : clock,
      randomBytes,
      patience: { attemptMs, wholeMs },
      ...more,
    });
    this.#closing.push(() => server.close());
    const ownAddress = server.addresses[0] ?? { host, port: 0 };
    return {
      server,
      clock,
      ownAddress,
      counters: server.counters,
      ask: (name: string, options?: QuestionOptions) => askOverUdp(ownAddress, question(name, options)),
      askOverTcp: (messages: readonly Buffer[]) => askOverTcp(ownAddress, messages),
      until,
    };
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}

/** Looks at each turn of the event loop; the test's own limit of time ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

export async function askOverUdp({ host, port }: HostPort, message: Buffer): Promise<Read> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    socket.send(message, port, host);
    const [answer] = await once(socket, 'message');
    return decode(answer);
  } finally {
    socket.close();
  }
}

/** On one connection, at once; resolves with as many answers, in the order in which they came. */
export function askOverTcp({ host, port }: HostPort, messages: readonly Buffer[]): Promise<Read[]> {
  return new Promise((resolve, reject) => {
    const answers: Read[] = [];
    const socket = connect(port, host);
    const reader = new FrameReader((answer) => {
      answers.push(decode(answer));
      if (answers.length === messages.length) {
        socket.destroy();
        resolve(answers);
      }
    });
    socket.on('data', (piece) => reader.push(piece));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${answers.length} answers`)));
    socket.write(Buffer.concat(messages.map(frame)));
  });
}

function askedBy(bytes: Buffer, replyBytes: (answer: Buffer) => void) {
  const query = decode(bytes);
  const same = { type: 'response', id: query.id ?? 0, questions: query.questions ?? [] } as const;
  return { query, replyBytes, reply: (packet: Packet) => replyBytes(encode({ ...packet, ...same })) };
}
