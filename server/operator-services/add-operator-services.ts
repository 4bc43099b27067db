/** Adds to a gRPC server what is there for tools: health and reflection, which speak of all services that it has. */
import type { Server } from '@grpc/grpc-js';
import type { Logger } from '../../process/log.ts';
import { describeFiles } from '../../proto/descriptors.ts';
import { healthService, reflectionServices, tolerant } from '../../proto/services.ts';
import { HealthService } from './health.ts';
import { ReflectionService } from './reflection.ts';

/** Questions of tools are short. */
export const mostQuestionBytes = 64 * 1024;

/** `services`: full names of those that the server has besides. */
export function addOperatorServices(server: Server, services: readonly string[], log: Logger): HealthService {
  // v1alpha answers too; but it is described nowhere, for it is the same.
  const own = ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
  const health = new HealthService(services, log);
  server.addService(
    {
      check: tolerant(healthService.check, mostQuestionBytes),
      watch: tolerant(healthService.watch, mostQuestionBytes),
    },
    { check: health.handleCheck, watch: health.handleWatch },
  );
  const reflection = new ReflectionService({ services: [...services, ...own], describeFiles, log });
  for (const { serverReflectionInfo } of reflectionServices) {
    server.addService(
      { serverReflectionInfo: tolerant(serverReflectionInfo, mostQuestionBytes) },
      { serverReflectionInfo: reflection.handle },
    );
  }
  return health;
}
