/** The gRPC door: binds the discovery service and the agents' service to an address. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from '../process/host-port.ts';
import { agentService, aggregatedDiscoveryServer } from '../proto/services.ts';
import type { ControlPlane } from './control-plane.ts';

/** An agent that reconnects lists every resource it holds, with its version. */
const mostReceivedBytes = 16 * 1024 * 1024;

/** How long streams have to take their end before they are cut. */
const shutdownMs = 2_000;

export interface RunningGrpcServer {
  /** HOST:PORT as bound. */
  readonly address: string;
  close(): Promise<void>;
}

export async function startGrpcServer(plane: ControlPlane, listen: HostPort): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': mostReceivedBytes,
    'grpc.max_send_message_length': -1,
    // Finds agents whose machine is gone: nothing else would end their streams.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  server.addService(aggregatedDiscoveryServer, {
    streamAggregatedResources: plane.ads.handleSotw,
    deltaAggregatedResources: plane.ads.handleDelta,
  });
  server.addService(agentService, { connect: plane.agents.handle });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(formatHostPort(listen), ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new Error(`cannot listen on ${formatHostPort(listen)} for gRPC: ${error.message}`));
      else resolve(bound);
    });
  });
  return {
    address: formatHostPort({ host: listen.host, port }),
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, shutdownMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
