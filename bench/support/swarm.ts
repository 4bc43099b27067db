/**
 * Many agents in one process: each a gRPC connection of its own that speaks the own agents' protocol (names, batches,
 * marks) without decoding what it is sent. Arguments: address, how many, names (comma list), 'floor' for the plain server.
 */
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import type { Input } from '../../proto/load.ts';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { toStruct } from '../../proto/struct.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';

const [address = '', count = '1', nameList = '', mode = 'agents'] = process.argv.slice(2);
const names = nameList === '' ? [] : nameList.split(',');
const isFloor = mode === 'floor';

/** When each agent saw its mark, in the round that is under way. */
let arrivals: number[] = [];
let bytes: Buffer[] = [];
let waiting = 0;
let onComplete = () => {};

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse & { readonly raw?: Buffer }>;

function open(index: number): void {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
  });
  const { path, requestSerialize, responseDeserialize } = aggregatedDiscoveryClient.deltaAggregatedResources;
  const stream: Stream = client.makeBidiStreamRequest(path, requestSerialize, (raw: Buffer) =>
    Object.assign(responseDeserialize(raw), { raw }),
  );
  const send = (message: Input<DeltaDiscoveryRequest>) =>
    stream.write(DeltaDiscoveryRequest.decode(DeltaDiscoveryRequest.encode(message)));
  stream.on('error', () => {});
  stream.on('data', ({ typeUrl, nonce, raw }) => {
    if (index === 0 && raw) bytes.push(raw);
    const isMark = typeUrl === typeUrls.mark;
    if (isFloor && !isMark) return;
    send({ typeUrl, responseNonce: nonce });
    if (!isMark) return;
    arrivals.push(performance.now());
    if (--waiting === 0) onComplete();
  });
  const metadata = toStruct({
    sluice: { namespace: 'default', service: 'bench', app: false, meshId: '', revision: 0 },
  });
  send({ node: { id: `bench-${index}`, userAgentName: 'sluice', metadata }, typeUrl: typeUrls.cluster });
  if (isFloor) return;
  send({ typeUrl: typeUrls.name, resourceNamesSubscribe: names });
  send({ typeUrl: typeUrls.mark, resourceNamesSubscribe: [markName] });
}

function expectRound(): Promise<{ arrivals: number[]; bytes: string[] }> {
  arrivals = [];
  bytes = [];
  waiting = Number(count);
  return new Promise((resolve) => {
    onComplete = () => resolve({ arrivals, bytes: bytes.map((raw) => raw.toString('base64')) });
  });
}

/** Starts a round by applying a document, and tells when each agent had its mark. */
async function applyRound({ url, document }: { url: string; document: string }): Promise<Record<string, unknown>> {
  const round = expectRound();
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    body: document,
    headers: { 'content-type': 'application/yaml' },
  });
  const answer = (await response.json()) as { rollout?: { applied: number; agents: number } };
  const restMs = performance.now() - startedMs;
  const done = await round;
  return { restMs, answer, times: done.arrivals.map((at) => at - startedMs), bytes: done.bytes };
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
for (let index = 0; index < Number(count); index++) {
  open(index);
  // A connection storm would measure the accept queue of the kernel.
  if (index % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 20));
}
if (!isFloor) await first;
else await new Promise((resolve) => setTimeout(resolve, 500 + Number(count)));
process.send?.({ connected: true });
