/**
 * Server-sent events: what happens in the mesh, to every client that listens. An event is encoded once for all of them.
 * A client that reads slower than things happen is not queued for: it gets the newest state of each thing when it
 * reads again, and is let go when even that is too much.
 */
import type { Writable } from 'node:stream';
import type { EventsPort, MeshEvent } from './ports.ts';
import { ApiError } from './problem-response.ts';
import { presentInstance } from './routes/instances.ts';
import { withoutContents } from './rule-change.ts';

export interface Timers {
  /** Calls `run` every so often until it is stopped. */
  every(intervalMs: number, run: () => void): { stop(): void };
}

export const realTimers: Timers = {
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs);
    // Listeners keep their connections, and those keep the process; the timer alone is no reason to live on.
    timer.unref();
    return { stop: () => clearInterval(timer) };
  },
};

/** Proxies close connections that are silent for a minute or less. */
const heartbeatMs = 15_000;
/** Far more than dashboards and terminals; each costs a socket and little else. */
const mostClients = 500;
/** Things with news that wait for a client that does not read. */
const mostWaiting = 2_000;
/** A client that has not read for so many heartbeats is let go. */
const mostSilentBeats = 4;

interface Client {
  readonly stream: Writable;
  /** Empty while the client keeps up; else the newest event of each thing. */
  readonly waiting: Map<string, Buffer>;
  isBlocked: boolean;
  blockedBeats: number;
}

export class EventHub {
  readonly #events: EventsPort;
  readonly #timers: Timers;
  readonly #clients = new Set<Client>();
  /** Both exist only while somebody listens. */
  #running: { readonly subscription: { close(): void }; readonly heartbeat: { stop(): void } } | undefined;

  constructor(events: EventsPort, timers: Timers) {
    this.#events = events;
    this.#timers = timers;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Refuses with TOO_MANY_STREAMS; to be asked before the answer has begun. */
  assertRoom(): void {
    if (this.#clients.size >= mostClients) throw new ApiError('TOO_MANY_STREAMS', String(mostClients));
  }

  /** Sends everything from now on, after `hello`, until the stream closes. */
  add(stream: Writable, hello: Readonly<Record<string, unknown>>): void {
    const client: Client = { stream, waiting: new Map(), isBlocked: false, blockedBeats: 0 };
    this.#clients.add(client);
    this.#running ??= {
      subscription: this.#events.subscribe((event) => this.#publish(event)),
      heartbeat: this.#timers.every(heartbeatMs, () => this.#beat()),
    };
    stream.on('drain', () => this.#catchUp(client));
    stream.on('error', () => this.#drop(client));
    stream.on('close', () => this.#drop(client));
    this.#send(client, 'hello', encode('hello', hello));
  }

  /** Ends every stream. */
  close(): void {
    for (const client of [...this.#clients]) {
      this.#drop(client);
      client.stream.end();
    }
  }

  #publish(event: MeshEvent): void {
    const encoded = encode(event.is, dataOf(event));
    const key = keyOf(event);
    for (const client of [...this.#clients]) this.#send(client, key, encoded);
  }

  #send(client: Client, key: string, encoded: Buffer): void {
    if (!client.isBlocked) {
      client.isBlocked = !client.stream.write(encoded);
      return;
    }
    // Taken out first: what is told last should also stand last.
    client.waiting.delete(key);
    client.waiting.set(key, encoded);
    if (client.waiting.size > mostWaiting) this.#letGo(client);
  }

  #catchUp(client: Client): void {
    client.isBlocked = false;
    client.blockedBeats = 0;
    for (const [key, encoded] of client.waiting) {
      if (client.isBlocked) return;
      client.waiting.delete(key);
      client.isBlocked = !client.stream.write(encoded);
    }
  }

  #beat(): void {
    for (const client of [...this.#clients]) {
      if (!client.isBlocked) client.isBlocked = !client.stream.write(': heartbeat\n\n');
      else if (++client.blockedBeats >= mostSilentBeats) this.#letGo(client);
    }
  }

  #letGo(client: Client): void {
    this.#drop(client);
    client.stream.destroy();
  }

  #drop(client: Client): void {
    this.#clients.delete(client);
    client.waiting.clear();
    if (this.#clients.size > 0) return;
    this.#running?.subscription.close();
    this.#running?.heartbeat.stop();
    this.#running = undefined;
  }
}

/** One thing has one key; of a thing only the newest state is worth telling late. */
function keyOf(event: MeshEvent): string {
  switch (event.is) {
    case 'revision':
      return 'revision';
    case 'rollout':
      return 'rollout';
    case 'instance':
      return `instance/${event.instance.namespace}/${event.instance.service}/${event.instance.id}`;
    case 'agent':
      return `agent/${event.agent.namespace}/${event.agent.id}`;
  }
}

function dataOf(event: MeshEvent): unknown {
  switch (event.is) {
    case 'revision':
      return { ...event.record, changes: event.record.changes.map(withoutContents) };
    case 'rollout':
      return event.rollout;
    case 'instance':
      return { ...presentInstance(event.instance), gone: event.gone };
    case 'agent':
      return { ...event.agent, gone: event.gone };
  }
}

function encode(name: string, data: unknown): Buffer {
  // JSON has no line breaks of its own, so one `data:` line carries it.
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
