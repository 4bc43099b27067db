/** The gRPC door: binds the discovery service and the agents' service to an address. */
import {
  ResponderBuilder,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from '../process/host-port.ts';
import {
  agentService,
  aggregatedDiscoveryServer,
  clientStatusServer,
  loadReportingService,
  tolerant,
  typedDiscoveryServers,
} from '../proto/services.ts';
import type { ControlPlane } from './control-plane.ts';

/** An agent that reconnects lists every resource it holds, with its version. */
const mostReceivedBytes = 16 * 1024 * 1024;

/** A report of ten thousand clusters has a million bytes. */
const mostLoadReportBytes = 2 * 1024 * 1024;

/** Questions of tools are short. */
const mostQuestionBytes = 64 * 1024;

/** How long streams have to take their end before they are cut. */
const shutdownMs = 2_000;

export interface RunningGrpcServer {
  /** HOST:PORT as bound. */
  readonly address: string;
  close(): Promise<void>;
}

export interface GrpcServerOptions {
  readonly listen: HostPort;
  /** Every stream that this server ended, with the name of its status and the sentence that went with it. */
  readonly onEnded: (end: { readonly method: string; readonly code: string; readonly details: string }) => void;
}

export async function startGrpcServer(
  plane: ControlPlane,
  { listen, onEnded }: GrpcServerOptions,
): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': mostReceivedBytes,
    'grpc.max_send_message_length': -1,
    interceptors: [telling(onEnded)],
    // Finds agents whose machine is gone: nothing else would end their streams.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const { stream, delta } = aggregatedDiscoveryServer;
  server.addService({ stream: tolerant(stream), delta: tolerant(delta) }, plane.ads.handlers());
  for (const [typeUrl, { stream, delta }] of typedDiscoveryServers) {
    server.addService({ stream: tolerant(stream), delta: tolerant(delta) }, plane.ads.handlers(typeUrl));
  }
  server.addService({ connect: tolerant(agentService.connect) }, { connect: plane.agents.handle });
  server.addService(
    { streamLoadStats: tolerant(loadReportingService.streamLoadStats, mostLoadReportBytes) },
    { streamLoadStats: plane.loadReports.handle },
  );
  server.addService(
    {
      streamClientStatus: tolerant(clientStatusServer.streamClientStatus, mostQuestionBytes),
      fetchClientStatus: tolerant(clientStatusServer.fetchClientStatus, mostQuestionBytes),
    },
    { streamClientStatus: plane.clientStatus.handleStream, fetchClientStatus: plane.clientStatus.handleFetch },
  );
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

/** Sees the end of every call, also of those that no handler was asked about: bytes that are no message, unknown methods. */
function telling(onEnded: GrpcServerOptions['onEnded']): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(
      call,
      new ResponderBuilder()
        .withSendStatus((end, next) => {
          onEnded({ method: path, code: status[end.code ?? status.OK], details: end.details ?? '' });
          next(end);
        })
        .build(),
    );
}
