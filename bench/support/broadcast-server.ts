/**
 * The floor: a gRPC server that does nothing but write the same bytes to every stream and count the answers. No rules,
 * no store, no subscriptions.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { aggregatedDiscoveryServer } from '../../proto/services.ts';
import type { DeltaDiscoveryRequest } from '../../proto/types.ts';

type Call = ServerDuplexStream<DeltaDiscoveryRequest, Buffer>;

const calls = new Set<Call>();
let isWaiting = 0;
const server = new Server();
server.addService(
  { deltaAggregatedResources: aggregatedDiscoveryServer.delta },
  {
    deltaAggregatedResources: (call: Call) => {
      calls.add(call);
      call.on('data', () => {
        if (--isWaiting === 0) process.send?.({ ms: performance.now() - startedMs });
      });
      call.on('end', () => call.end());
      call.on('error', () => calls.delete(call));
    },
  },
);
let startedMs = 0;
process.on('message', ({ messages }: { messages: string[] }) => {
  const buffers = messages.map((text) => Buffer.from(text, 'base64'));
  startedMs = performance.now();
  isWaiting = calls.size;
  for (const call of calls) for (const bytes of buffers) call.write(bytes);
});
process.once('SIGTERM', () => process.exit(0));
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) => {
  process.send?.({ grpc: `127.0.0.1:${port}` });
});
