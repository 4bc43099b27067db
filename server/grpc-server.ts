/** The gRPC port: what services the control plane has there. */
import type { HostPort } from '../process/host-port.ts';
import { formatHostPort } from '../process/host-port.ts';
import {
  agentService,
  aggregatedDiscoveryServer,
  clientStatusServer,
  loadReportingService,
  typedDiscoveryServers,
} from '../proto/services.ts';
import type { ControlPlane } from './control-plane.ts';
import { GrpcServer, type GrpcServerOptions } from './grpc/server.ts';
import { addOperatorServices, mostQuestionBytes } from './operator-services/add-operator-services.ts';

/** A report of ten thousand clusters has a million bytes. */
const mostLoadReportBytes = 2 * 1024 * 1024;

export interface RunningGrpcServer {
  /** HOST:PORT as bound. */
  readonly address: string;
  close(): Promise<void>;
}

/** Throws an Error with a sentence when it cannot listen. */
export async function startGrpcServer(
  plane: ControlPlane,
  { listen, ...options }: GrpcServerOptions & { readonly listen: HostPort },
): Promise<RunningGrpcServer> {
  const server = new GrpcServer(options);
  const discovery = [['', aggregatedDiscoveryServer] as const, ...typedDiscoveryServers];
  for (const [typeUrl, { stream, delta }] of discovery) {
    const handlers = plane.ads.handlers(typeUrl);
    server.add(stream, handlers.stream);
    server.add(delta, handlers.delta);
  }
  server.add(agentService.connect, plane.agents.handle);
  server.add(loadReportingService.streamLoadStats, plane.loadReports.handle, mostLoadReportBytes);
  server.add(clientStatusServer.streamClientStatus, plane.clientStatus.handleStream, mostQuestionBytes);
  server.add(clientStatusServer.fetchClientStatus, plane.clientStatus.handleFetch, mostQuestionBytes);
  const health = addOperatorServices(server, options.log);
  const port = await server.listen(listen);
  health.start();
  return {
    address: formatHostPort({ host: listen.host, port }),
    close: () => {
      health.drain();
      return server.close();
    },
  };
}
