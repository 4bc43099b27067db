/**
 * Many clients in one process, each a gRPC connection of its own, none of which decodes what it is sent. Arguments: address,
 * how many, services (comma list), and what they are:
 *
 * - `agents`: own agents with these names; a round is over when each has its mark.
 * - `delta`, `sotw`: foreign clients subscribed to everything: all clusters, and endpoints and routes by name; a round is over
 *   when each has new routes.
 * - `floor`: take what a plain server sends; a round is over when each has its last message.
 */
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { toStruct } from '../../proto/struct.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, DiscoveryRequest } from '../../proto/types.ts';
import { type GrpcStream, openStream } from './grpc-stream.ts';
import { prefixBytes, type Skimmed, Skimmer } from './skim.ts';

type Mode = 'agents' | 'delta' | 'sotw' | 'floor';

const [address = '', countText = '1', serviceList = '', modeText = 'agents', lastType = ''] = process.argv.slice(2);
const count = Number(countText);
const services = serviceList === '' ? [] : serviceList.split(',');
const mode = modeText as Mode;

const clusters = services.flatMap((service) => ['', 'v1', 'v2'].map((subset) => `${service}|http|${subset}`));
const routes = services.map((service) => `${service}:80`);
/** The type whose message ends a client's part of a round. */
const ending = mode === 'agents' ? typeUrls.mark : mode === 'floor' ? lastType : typeUrls.routeConfiguration;
const wantedNames: Readonly<Record<string, readonly string[]>> = {
  [typeUrls.cluster]: [],
  [typeUrls.endpoint]: clusters,
  [typeUrls.routeConfiguration]: routes,
};

/** When each client had it, in the round that is under way. */
let arrivals: number[] = [];
/** What the first client was sent in it, as it came, for the floor to send the same. */
let firstSent: Buffer[] = [];
let received = 0;
let waiting = 0;
let onComplete = () => {};

/** In state of the world each answer repeats all names: put together once. */
const answers = new Map<string, Buffer>();
function answerTo({ typeUrl, nonce }: Skimmed): Buffer {
  if (mode !== 'sotw') return DeltaDiscoveryRequest.encode({ typeUrl, responseNonce: nonce });
  const names = answers.get(typeUrl) ?? DiscoveryRequest.encode({ typeUrl, resourceNames: wantedNames[typeUrl] ?? [] });
  answers.set(typeUrl, names);
  return Buffer.concat([names, DiscoveryRequest.encode({ responseNonce: nonce, versionInfo: 'x' })]);
}

function open(index: number): void {
  const { streamAggregatedResources, deltaAggregatedResources } = aggregatedDiscoveryClient;
  const { path } = mode === 'sotw' ? streamAggregatedResources : deltaAggregatedResources;
  const seen = new Set<string>();
  const skimmer = new Skimmer((message) => {
    received += message.size;
    if (mode !== 'floor' || message.typeUrl === ending) stream.write(answerTo(message));
    if (mode === 'delta' || mode === 'sotw') askNext(stream, message.typeUrl, seen);
    if (message.typeUrl === ending) arrive();
  });
  const stream = openStream(address, path, (piece) => {
    if (index === 0) firstSent.push(piece);
    skimmer.read(piece);
  });
  begin(stream, index);
}

function arrive(): void {
  arrivals.push(performance.now());
  if (--waiting === 0) onComplete();
}

function begin(stream: GrpcStream, index: number): void {
  const isOwn = mode === 'agents' || mode === 'floor';
  const metadata = toStruct({
    sluice: { namespace: 'default', service: 'bench', app: false, meshId: '', revision: 0 },
  });
  const node = { id: `bench-${index}`, userAgentName: isOwn ? 'sluice' : 'bench', metadata };
  if (mode === 'sotw') {
    stream.write(DiscoveryRequest.encode({ node, typeUrl: typeUrls.cluster }));
    return;
  }
  stream.write(DeltaDiscoveryRequest.encode({ node, typeUrl: typeUrls.cluster }));
  if (mode !== 'agents') return;
  const names = mine(index);
  stream.write(DeltaDiscoveryRequest.encode({ typeUrl: typeUrls.name, resourceNamesSubscribe: names }));
  stream.write(DeltaDiscoveryRequest.encode({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] }));
}

/** The first service, which every round changes, and 19 others. */
function mine(index: number): string[] {
  const others = services.slice(1);
  const from = (index * 19) % Math.max(1, others.length);
  return [...services.slice(0, 1), ...[...others, ...others].slice(from, from + Math.min(19, others.length))];
}

/** As an Envoy does: endpoints when it has the clusters, then routes. */
function askNext(stream: GrpcStream, typeUrl: string, seen: Set<string>): void {
  const next = typeUrl === typeUrls.cluster ? typeUrls.endpoint : typeUrls.routeConfiguration;
  if (typeUrl === typeUrls.routeConfiguration || seen.has(next)) return;
  seen.add(next);
  stream.write(questions.get(next) ?? Buffer.alloc(0));
}

/** All ask the same: put together once. */
const questions = new Map(
  Object.entries(wantedNames).map(([typeUrl, names]) => [
    typeUrl,
    mode === 'sotw'
      ? DiscoveryRequest.encode({ typeUrl, resourceNames: names })
      : DeltaDiscoveryRequest.encode({ typeUrl, resourceNamesSubscribe: names }),
  ]),
);

interface Round {
  readonly arrivals: readonly number[];
  readonly bytes: readonly string[];
}

/** Each as base64, without what gRPC puts before it. */
function messagesIn(stream: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const begin = at + prefixBytes;
    at = begin + stream.readUInt32BE(begin - 4);
    messages.push(stream.toString('base64', begin, at));
  }
  return messages;
}

function expectRound(): Promise<Round> {
  arrivals = [];
  firstSent = [];
  waiting = count;
  return new Promise((resolve) => {
    onComplete = () => resolve({ arrivals, bytes: messagesIn(Buffer.concat(firstSent)) });
  });
}

/** Starts a round by applying a document, and tells when each client had it. */
async function applyRound({ url, document }: { url: string; document: string }): Promise<Record<string, unknown>> {
  const round = expectRound();
  const before = received;
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    body: document,
    headers: { 'content-type': 'application/yaml' },
  });
  const answer = (await response.json()) as { rollout?: { applied: number; agents: number } };
  const restMs = performance.now() - startedMs;
  const done = await round;
  const bytesPerClient = (received - before) / count;
  return { restMs, answer, times: done.arrivals.map((at) => at - startedMs), bytes: done.bytes, bytesPerClient };
}

process.on('message', (question: { url: string; document: string } | { passive: true }) => {
  if ('passive' in question) {
    void expectRound();
    process.send?.({ waiting: true });
    return;
  }
  void applyRound(question).then((answer) => process.send?.(answer));
});
process.once('SIGTERM', () => process.exit(0));

const first = expectRound();
const startedMs = performance.now();
for (let index = 0; index < count; index++) {
  open(index);
  // A connection storm would measure the accept queue of the kernel.
  if (index % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 5));
}
if (mode !== 'floor') await first;
else await new Promise((resolve) => setTimeout(resolve, 500 + count));
process.send?.({ connected: true, ms: performance.now() - startedMs });
