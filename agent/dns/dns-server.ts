/**
 * The DNS server of the agent: names of the mesh from a directory, all others by the system's resolvers, over UDP and TCP on
 * one port. Puts its parts together; knows neither the control plane nor where the directory has its names from.
 */
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { bounds } from './bounds.ts';
import { createCounters, type DnsCounters } from './counters.ts';
import { Forwarder } from './forwarder.ts';
import type { NameDirectory } from './name-directory.ts';
import { Responder } from './responder.ts';
import { openTcpDoor } from './tcp-door.ts';
import { openUdpDoor } from './udp-door.ts';
import type { RandomBytes } from './upstream-query.ts';
import { type Patience, patience } from './upstream-question.ts';

export interface DnsServerOptions {
  /** IP addresses; the port 0 is any that is free for UDP and TCP, the same on all of them. */
  readonly listen: readonly HostPort[];
  /** `mesh.local` unless the operator says otherwise; lower case, no "." at its end. */
  readonly domain: string;
  /** The agent's own namespace: `reviews` alone is a name in it. */
  readonly namespace: string;
  readonly directory: NameDirectory;
  /** The system's resolvers, as `readResolvConf` reads them; asked for each question. Own addresses in it are skipped. */
  readonly upstreams: () => readonly HostPort[];
  readonly clock: Clock;
  /** `randomBytes` of node:crypto: ids that can be guessed let strangers answer. */
  readonly randomBytes: RandomBytes;
  /** How long a resolver may take; as `patience` says unless given. */
  readonly patience?: Patience;
  /** How long the directory may take, in milliseconds; 2,000 unless given. */
  readonly directoryPatienceMs?: number;
  /** After which a connection without questions is closed, in milliseconds; 10,000 unless given. */
  readonly idleMs?: number;
  /** Connections at a time, per address; 128 unless given. */
  readonly mostConnections?: number;
}

export interface DnsServer {
  /** Where it listens, in the order of `listen`, with the ports that it got. */
  readonly addresses: readonly HostPort[];
  readonly counters: Readonly<DnsCounters>;
  /** Answers nobody any more; resolves when all sockets are closed. */
  close(): Promise<void>;
}

/** A port that is free for TCP may be taken for UDP, or on another address: another one is tried. */
const mostPortTries = 20;

/** Rejects when an address cannot be listened on, and then listens on none. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { clock, randomBytes, directory } = options;
  const counters = createCounters();
  const addresses: HostPort[] = [];
  const isOwn = ({ host, port }: HostPort) => addresses.some((own) => own.host === host && own.port === port);
  const forwarder = new Forwarder({
    upstreams: () => options.upstreams().filter((server) => !isOwn(server)),
    patience: options.patience ?? patience,
    clock,
    randomBytes,
    counters,
  });
  const responder = new Responder({
    names: { domain: options.domain, namespace: options.namespace },
    directory,
    forwarder,
    clock,
    counters,
    directoryPatienceMs: options.directoryPatienceMs ?? bounds.lookupMs,
  });
  const tcp = {
    responder,
    counters,
    clock,
    idleMs: options.idleMs ?? bounds.idleMs,
    mostConnections: options.mostConnections ?? bounds.connections,
  };
  const doors: { close(): Promise<void> }[] = [];
  const close = async () => {
    forwarder.close();
    // Taken out, so that a second call has nothing to close.
    await Promise.all(doors.splice(0).map((door) => door.close()));
  };
  try {
    const opened = await openOnOnePort(options.listen, { responder, counters, tcp });
    doors.push(...opened.doors);
    addresses.push(...opened.addresses);
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, counters, close };
}

interface Behind {
  readonly responder: Responder;
  readonly counters: DnsCounters;
  readonly tcp: Parameters<typeof openTcpDoor>[1];
}

interface Opened {
  readonly doors: readonly { close(): Promise<void> }[];
  readonly addresses: readonly HostPort[];
}

async function openOnOnePort(listen: readonly HostPort[], behind: Behind): Promise<Opened> {
  for (let tries = 1; ; tries++) {
    const doors: { close(): Promise<void> }[] = [];
    const addresses: HostPort[] = [];
    try {
      for (const { host, port: wanted } of listen) {
        const port = wanted === 0 ? (addresses[0]?.port ?? 0) : wanted;
        const tcp = await openTcpDoor({ host, port }, behind.tcp);
        doors.push(tcp);
        doors.push(await openUdpDoor({ host, port: tcp.port }, behind));
        addresses.push({ host, port: tcp.port });
      }
      return { doors, addresses };
    } catch (error) {
      await Promise.all(doors.map((door) => door.close()));
      if (listen.every(({ port }) => port !== 0) || tries === mostPortTries) throw error;
    }
  }
}
