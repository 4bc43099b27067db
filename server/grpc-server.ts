/** The gRPC door: binds the discovery service and the agents' service to an address. */
import {
  ResponderBuilder,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from '../process/host-port.ts';
import type { Logger } from '../process/log.ts';
import {
  agentService,
  aggregatedDiscoveryServer,
  clientStatusServer,
  loadReportingService,
  tolerant,
  typedDiscoveryServers,
} from '../proto/services.ts';
import type { ControlPlane } from './control-plane.ts';
import { openDoor } from './grpc-door.ts';
import { addOperatorServices, mostQuestionBytes } from './operator-services/add-operator-services.ts';

/** An agent that reconnects lists every resource it holds, with its version. */
const mostReceivedBytes = 16 * 1024 * 1024;

/** A report of ten thousand clusters has a million bytes. */
const mostLoadReportBytes = 2 * 1024 * 1024;

/** On one connection. An Envoy that does not aggregate has one for the endpoints of each cluster. */
const mostStreams = 2_000;

/** How long streams have to take their end before they are cut. */
const shutdownMs = 2_000;

export interface RunningGrpcServer {
  /** HOST:PORT as bound. */
  readonly address: string;
  close(): Promise<void>;
}

export interface GrpcServerOptions {
  readonly listen: HostPort;
  readonly log: Logger;
  /** Every stream that this server ended, with the name of its status and the sentence that went with it. */
  readonly onEnded: (end: { readonly method: string; readonly code: string; readonly details: string }) => void;
  /** A connection was cut, for what came on it is no HTTP/2. */
  readonly onBroken: () => void;
}

export async function startGrpcServer(
  plane: ControlPlane,
  { listen, log, onEnded, onBroken }: GrpcServerOptions,
): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': mostReceivedBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': mostStreams,
    interceptors: [telling(onEnded)],
    // Finds agents whose machine is gone: nothing else would end their streams.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const names: string[] = [];
  const add = (service: ServiceDefinition, handlers: UntypedServiceImplementation) => {
    server.addService(service, handlers);
    names.push(...new Set(Object.values(service).map(serviceName)));
  };
  const { stream, delta } = aggregatedDiscoveryServer;
  add({ stream: tolerant(stream), delta: tolerant(delta) }, plane.ads.handlers());
  for (const [typeUrl, { stream, delta }] of typedDiscoveryServers) {
    add({ stream: tolerant(stream), delta: tolerant(delta) }, plane.ads.handlers(typeUrl));
  }
  add({ connect: tolerant(agentService.connect) }, { connect: plane.agents.handle });
  add(
    { streamLoadStats: tolerant(loadReportingService.streamLoadStats, mostLoadReportBytes) },
    { streamLoadStats: plane.loadReports.handle },
  );
  add(
    {
      streamClientStatus: tolerant(clientStatusServer.streamClientStatus, mostQuestionBytes),
      fetchClientStatus: tolerant(clientStatusServer.fetchClientStatus, mostQuestionBytes),
    },
    { streamClientStatus: plane.clientStatus.handleStream, fetchClientStatus: plane.clientStatus.handleFetch },
  );
  const health = addOperatorServices(server, names, log);
  const door = await openDoor(server, { listen, log, onBroken });
  health.start();
  return {
    address: formatHostPort({ host: listen.host, port: door.port }),
    close: () => {
      health.drain();
      door.close();
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, shutdownMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}

/** `/grpc.health.v1.Health/Check` is a method of grpc.health.v1.Health. */
function serviceName({ path }: { readonly path: string }): string {
  return path.split('/')[1] ?? '';
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
