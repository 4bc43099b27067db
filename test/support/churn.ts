/**
 * Clients that come and go while rules and instances change as fast as they can: a real server, and clients of everything on
 * connections of their own. What must be so at the end: every client that stayed has what is in force, no wait hung, no queue
 * is left, and the memory is back where it was.
 */
import { readFileSync } from 'node:fs';
import { typeUrls } from '../../proto/type-urls.ts';
import { type Processes, startServer } from './processes.ts';
import { XdsClient } from './xds-client.ts';

export interface ChurnOptions {
  readonly ms: number;
  readonly services: number;
  /** Clients at a time; one of them is replaced every 20 ms. */
  readonly clients: number;
}

export interface ChurnResult {
  readonly applies: number;
  readonly instanceChanges: number;
  readonly streams: number;
  /** The longest that an `apply?wait` took, in milliseconds. */
  readonly longestWaitMs: number;
  /** The longest that the push queue was seen. */
  readonly longestQueue: number;
  readonly streamsLeft: number;
  readonly queueLeft: number;
  /** Resident memory, in MB, without clients: after the first third, and at the end. */
  readonly memoryMb: { readonly before: number; readonly after: number };
  /** Clients that stayed to the end and do not have what is in force. */
  readonly wrong: number;
}

const names = (services: number) => Array.from({ length: services }, (_, index) => `service-${index}`);

const route = (service: string, weight: number, subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, allowEmpty: true, rules: [ { backends: [ { subset: v1, weight: ${weight} }, { subset: ${subset} } ] } ] }
`;

export async function churn(processes: Processes, { ms, services, clients }: ChurnOptions): Promise<ChurnResult> {
  const server = await startServer(processes);
  const api = `${server.api}/api/v1`;
  const all = names(services);
  const put = (service: string, id: number, weight: number) =>
    fetch(`${api}/services/${service}/instances/i${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ address: `10.0.${id}.1`, port: 80, ttl: '1h', weight }),
    });
  const apply = async (text: string, query: string) => {
    const headers = { 'content-type': 'application/yaml' };
    const answer = await fetch(`${api}/apply${query}`, { method: 'POST', body: text, headers });
    if (!answer.ok) throw new Error(`an apply was refused: ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  const metric = async (name: string) => {
    const text = await (await fetch(`${server.api}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  await apply(all.map((service) => route(service, 1, 'v2')).join('---'), '');
  for (const service of all) await put(service, 1, 1);

  const routes = all.map((service) => `${service}.default:80`);
  const open = (index: number) => {
    const client = new XdsClient(server.grpc);
    client.follow(`churn-${index}`, [typeUrls.cluster, typeUrls.routeConfiguration], routes);
    return client;
  };
  const rss = () =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8'))?.[1]) / 1024;

  let endMs = 0;
  const isOver = () => performance.now() >= endMs;
  const pick = <Item>(list: readonly Item[]): Item => list[Math.floor(Math.random() * list.length)] as Item;
  const result = { applies: 0, instanceChanges: 0, streams: clients, longestWaitMs: 0, longestQueue: 0 };
  const present: XdsClient[] = [];
  const applying = async () => {
    while (!isOver()) {
      const startedMs = performance.now();
      await apply(route(pick(all), 1 + Math.floor(Math.random() * 99), pick(['v2', 'v3'])), pick(['', '?wait=10s']));
      result.longestWaitMs = Math.max(result.longestWaitMs, performance.now() - startedMs);
      result.applies++;
      await pause(15);
    }
  };
  const changing = async () => {
    while (!isOver()) {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          put(pick(all), 1 + Math.floor(Math.random() * 3), 1 + Math.floor(Math.random() * 9)),
        ),
      );
      result.instanceChanges += 10;
    }
  };
  const replacing = async () => {
    while (!isOver()) {
      const index = Math.floor(Math.random() * clients);
      present[index]?.close();
      present[index] = open(result.streams++);
      await pause(20);
    }
  };
  const watching = async () => {
    while (!isOver()) {
      result.longestQueue = Math.max(result.longestQueue, await metric('sluice_push_queue'));
      await pause(100);
    }
  };
  const closeAll = async () => {
    for (const client of present.splice(0)) client.close();
    await untilIs(() => metric('sluice_xds_streams'), 0);
  };
  const run = async (forMs: number) => {
    endMs = performance.now() + forMs;
    for (let index = 0; index < clients; index++) present.push(open(index));
    await Promise.all([applying(), changing(), replacing(), watching()]);
  };

  // A heap finds its size under load: what counts is that it stays there.
  await run(ms / 3);
  await closeAll();
  const before = rss();
  await run((ms * 2) / 3);

  // One more, for all: who has it has everything before it.
  await apply(route('service-0', 1_000, 'v2'), '?wait=10s');
  const reference = open(result.streams);
  await new Promise<void>((resolve) => {
    reference.onResponse = () =>
      reference.held.size > services && routes.every((name) => reference.held.has(name)) && resolve();
  });
  await untilIs(async () => present.filter((client) => !hasSame(client, reference, routes)).length, 0, 5_000);
  const wrong = present.filter((client) => !hasSame(client, reference, routes)).length;
  reference.close();
  await closeAll();
  const queueLeft = await metric('sluice_push_queue');
  // The server gives back what a rush left behind within some seconds.
  const isBack = async () => Number(rss() > before * 1.25 + 20);
  await untilIs(isBack, 0, 20_000);
  return {
    ...result,
    streamsLeft: await metric('sluice_xds_streams'),
    queueLeft,
    memoryMb: { before, after: rss() },
    wrong,
  };
}

function hasSame(client: XdsClient, reference: XdsClient, names: readonly string[]): boolean {
  return names.every((name) => client.held.get(name) === reference.held.get(name));
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until the number is that, or the time is over. */
async function untilIs(read: () => Promise<number>, wanted: number, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while ((await read()) !== wanted && performance.now() < endMs) await pause(50);
}
