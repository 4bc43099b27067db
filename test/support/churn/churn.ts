/**
 * Clients that come and go while rules and instances change at a given rate: a real server, and clients on connections of their
 * own. What must be so at the end: every client that stayed has what is in force, no wait hung, no queue is left, and the memory
 * is back where it was.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { ask } from '../ask.ts';
import { type Processes, type ServerProcess, startServer } from '../processes.ts';
import { Follower, type FollowerKind } from './followers.ts';
import { keepPace } from './pace.ts';

export interface ChurnOptions {
  readonly ms: number;
  readonly services: number;
  /** At a time; every second one is an own agent, the others want everything. */
  readonly clients: number;
  /** How often one of them goes and another one comes. */
  readonly replaceEveryMs: number;
  readonly perSecond: { readonly instances: number; readonly applies: number };
  /** Ports on loopback of v1, v2 and v3 of service-0, which are always there; those of the other services are nowhere. */
  readonly applications?: readonly number[];
  /** Who goes along, on one stream: begins when there are rules and instances, ends, and is gone, when they change no more. */
  readonly companion?: (server: ServerProcess) => Promise<{ end(): Promise<void> }>;
}

export interface ChurnResult {
  readonly streams: number;
  /** As they were answered, while all of it went on. */
  readonly instanceChangesPerSecond: number;
  readonly appliesPerSecond: number;
  /** How long an apply took, and one that waited for all who are concerned, in milliseconds. */
  readonly applyMs: Durations;
  readonly waitMs: Durations;
  /** The longest that the push queue was seen. */
  readonly longestQueue: number;
  readonly streamsLeft: number;
  readonly queueLeft: number;
  /** Resident memory, in MB, without clients: after the first third, and at the end. */
  readonly memoryMb: { readonly before: number; readonly after: number };
  /** Clients that stayed to the end and do not have what is in force. */
  readonly wrong: number;
}

/** In the middle, and the longest. */
interface Durations {
  readonly p50: number;
  readonly longest: number;
}

const versions = ['v1', 'v2', 'v3'] as const;
/** By which changes and applies are sent; an apply that waits keeps one busy. */
const connections = 100;
/** Shorter than the server's own patience: who uses a connection while the other side closes it sees it reset. */
const idleMs = 20_000;
/** One of so many applies waits for all who are concerned. */
const waitEvery = 10;

const route = (service: string, weight: number, subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: ${subset} } ] } ] }
`;

export async function churn(processes: Processes, options: ChurnOptions): Promise<ChurnResult> {
  const server = await startServer(processes);
  const run = new Churn(server, options);
  await run.begin();
  const companion = await options.companion?.(server);
  // A heap finds its size under load: what counts is that it stays there.
  await run.rage(options.ms / 3);
  await run.closeClients(companion === undefined ? 0 : 1);
  const before = memoryMb(server);
  await run.rage((options.ms * 2) / 3);
  const wrong = await run.countWrong();
  await companion?.end();
  await run.closeClients(0);
  const queueLeft = await run.metric('sluice_push_queue');
  const streamsLeft = await run.metric('sluice_xds_streams');
  // The server gives back what a rush left behind within some seconds.
  await untilIs(async () => Number(memoryMb(server) > before * 1.25 + 20), 0, 20_000);
  return { ...run.figures, wrong, queueLeft, streamsLeft, memoryMb: { before, after: memoryMb(server) } };
}

class Churn {
  readonly #server: ServerProcess;
  readonly #options: ChurnOptions;
  readonly #services: readonly string[];
  readonly #present: Follower[] = [];
  /** Kept, and not more: a busy server takes one new connection in each turn of its loop. */
  readonly #connections = new Agent({ keepAlive: true, maxSockets: connections, timeout: idleMs });
  #streams = 0;
  #ragedMs = 0;
  #changes = 0;
  #applies = 0;
  readonly #applyMs: number[] = [];
  readonly #waitMs: number[] = [];
  #longestQueue = 0;

  constructor(server: ServerProcess, options: ChurnOptions) {
    this.#server = server;
    this.#options = options;
    this.#services = Array.from({ length: options.services }, (_, index) => `service-${index}`);
  }

  get figures() {
    return {
      streams: this.#streams,
      instanceChangesPerSecond: Math.round((this.#changes * 1_000) / this.#ragedMs),
      appliesPerSecond: Math.round((this.#applies * 1_000) / this.#ragedMs),
      applyMs: durationsOf(this.#applyMs),
      waitMs: durationsOf(this.#waitMs),
      longestQueue: this.#longestQueue,
    };
  }

  /** A rule and at least one instance of each service; `applications` have all of theirs. */
  async begin(): Promise<void> {
    await this.#post(this.#services.map((service) => route(service, 1, 'v2')).join('---'), '');
    const ids = this.#options.applications === undefined ? [0] : [0, 1, 2];
    for (const id of ids) await this.#put('service-0', id, 1);
    for (const service of this.#services.slice(1)) await this.#put(service, 0, 1);
  }

  /** Everything at once, for so long. */
  async rage(ms: number): Promise<void> {
    const { clients, perSecond, replaceEveryMs } = this.#options;
    const startedMs = performance.now();
    const isOver = () => performance.now() > startedMs + ms;
    for (let index = 0; index < clients; index++) this.#present.push(this.#open(index));
    const [changes, applies] = await Promise.all([
      keepPace({ perSecond: perSecond.instances, mostUnderWay: 200 }, isOver, () => this.#change()),
      keepPace({ perSecond: perSecond.applies, mostUnderWay: 50 }, isOver, () => this.#apply()),
      this.#replace(replaceEveryMs, isOver),
      this.#watch(isOver),
    ]);
    this.#changes += changes;
    this.#applies += applies;
    this.#ragedMs += performance.now() - startedMs;
  }

  /** Resolves when so many streams are left: those of others. */
  async closeClients(left: number): Promise<void> {
    for (const client of this.#present.splice(0)) client.close();
    await untilIs(() => this.metric('sluice_xds_streams'), left);
  }

  /** Of the clients that are there, by new ones that ask for the same. */
  async countWrong(): Promise<number> {
    // One more, for all: who has it has everything before it.
    await this.#post(route('service-0', 1_000, 'v2'), '?wait=10s');
    const references = [this.#open(0), this.#open(1)];
    await Promise.all(references.map((reference) => reference.complete()));
    const isWrong = (client: Follower) =>
      references.some((reference) => reference.kind === client.kind && client.differencesFrom(reference) > 0);
    await untilIs(async () => this.#present.filter(isWrong).length, 0, 5_000);
    const wrong = this.#present.filter(isWrong).length;
    this.#present.push(...references);
    return wrong;
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#server.api}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  #open(index: number): Follower {
    const kind: FollowerKind = index % 2 === 0 ? 'delta' : 'agent';
    const services = this.#services.map((service) => `${service}.default`);
    return new Follower(this.#server.grpc, { id: `churn-${this.#streams++}`, kind, services });
  }

  async #replace(everyMs: number, isOver: () => boolean): Promise<void> {
    const { clients } = this.#options;
    while (!isOver()) {
      const index = Math.floor(Math.random() * clients);
      this.#present[index]?.close();
      this.#present[index] = this.#open(index);
      await pause(everyMs);
    }
  }

  async #watch(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.#longestQueue = Math.max(this.#longestQueue, await this.metric('sluice_push_queue'));
      await pause(100);
    }
  }

  async #change(): Promise<void> {
    const service = pick(this.#services);
    const id = Math.floor(Math.random() * versions.length);
    // The third instance comes and goes.
    const goes = id === 2 && Math.random() < 0.5 && !(service === 'service-0' && this.#options.applications);
    if (goes) await this.#ask('DELETE', `/services/${service}/instances/i${id}`);
    else await this.#put(service, id, 1 + Math.floor(Math.random() * 9));
  }

  async #put(service: string, id: number, weight: number): Promise<void> {
    const port = service === 'service-0' ? this.#options.applications?.[id] : undefined;
    const place = port === undefined ? { address: `10.0.${id}.1`, port: 80 } : { address: '127.0.0.1', port };
    const instance = { ...place, labels: { version: versions[id] }, ttl: '1h', weight };
    const status = await this.#ask('PUT', `/services/${service}/instances/i${id}`, JSON.stringify(instance));
    if (status >= 300) throw new Error(`an instance was refused: ${status}`);
  }

  async #apply(): Promise<void> {
    const waits = Math.random() * waitEvery < 1;
    const startedMs = performance.now();
    const weight = 1 + Math.floor(Math.random() * 99);
    await this.#post(route(pick(this.#services), weight, pick(['v2', 'v3'])), waits ? '?wait=10s' : '');
    (waits ? this.#waitMs : this.#applyMs).push(performance.now() - startedMs);
  }

  async #post(text: string, query: string): Promise<void> {
    const status = await this.#ask('POST', `/apply${query}`, text, 'application/yaml');
    if (status !== 200) throw new Error(`an apply was refused: ${status}`);
  }

  async #ask(method: string, path: string, body?: string, type = 'application/json'): Promise<number> {
    const { status } = await ask({
      at: this.#server.http,
      target: `/api/v1${path}`,
      method,
      headers: { 'content-type': type },
      agent: this.#connections,
      ...(body !== undefined && { body }),
    });
    return status;
  }
}

function durationsOf(list: readonly number[]): Durations {
  const sorted = [...list].sort((a, b) => a - b).map(Math.round);
  return { p50: sorted[sorted.length >> 1] ?? 0, longest: sorted.at(-1) ?? 0 };
}

function memoryMb({ process }: ServerProcess): number {
  const status = readFileSync(`/proc/${process.pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}

function pick<Item>(list: readonly Item[]): Item {
  const found = list[Math.floor(Math.random() * list.length)];
  if (found === undefined) throw new Error('there is nothing to choose from');
  return found;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until the number is that, or the time is over. */
async function untilIs(read: () => Promise<number>, wanted: number, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while ((await read()) !== wanted && performance.now() < endMs) await pause(50);
}
