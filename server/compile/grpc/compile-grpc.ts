/**
 * A service as gRPC libraries get it that route for themselves: listeners by every name that a client may dial, routes
 * and clusters with what such libraries understand, and what of the rules they do not (xds.md 2.3). Pure.
 */
import type { CompiledService } from '../compile.ts';
import type { CompiledVariant } from '../compiled-variant.ts';
import type { ServiceInput } from '../service-input.ts';
import { compileGrpcClusters } from './clusters.ts';
import { compileGrpcListeners } from './listeners.ts';
import { policyProblems, routeProblems } from './problems.ts';
import { compileGrpcRoutes } from './routes.ts';

export function compileForGrpc(input: ServiceInput, own: CompiledService): CompiledVariant {
  const spellings = own.names.map(({ name }) => name);
  return {
    resources: [
      ...compileGrpcListeners(input, spellings),
      ...input.ports.map((port) => compileGrpcRoutes({ input, port })),
      ...compileGrpcClusters(input),
    ],
    problems: grpcProblems(input),
  };
}

/** What the documents of a service ask for and gRPC clients cannot do. */
export function grpcProblems(input: Pick<ServiceInput, 'name' | 'routes' | 'policies'>): CompiledVariant['problems'] {
  return [
    ...input.routes.flatMap((document) => routeProblems(document)),
    ...input.policies.flatMap((document) => policyProblems(document)),
  ];
}
