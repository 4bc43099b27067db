/** Adds to a gRPC server what is there for tools: health and reflection, which speak of all services that it has. */
import type { Logger } from '../../process/log.ts';
import { describeFiles } from '../../proto/descriptors.ts';
import { healthService, reflectionServices } from '../../proto/services.ts';
import type { GrpcServer } from '../grpc/server.ts';
import { HealthService } from './health.ts';
import { ReflectionService } from './reflection.ts';

/** Questions of tools are short. */
export const mostQuestionBytes = 64 * 1024;

/** To be called when the server has all its other services. */
export function addOperatorServices(server: GrpcServer, log: Logger): HealthService {
  const { services } = server;
  // v1alpha answers too; but it is described nowhere, for it is the same.
  const own = ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
  const health = new HealthService(services, log);
  server.add(healthService.check, health.handleCheck, mostQuestionBytes);
  server.add(healthService.watch, health.handleWatch, mostQuestionBytes);
  const reflection = new ReflectionService({ services: [...services, ...own], describeFiles, log });
  for (const { serverReflectionInfo } of reflectionServices) {
    server.add(serverReflectionInfo, reflection.handle, mostQuestionBytes);
  }
  return health;
}
