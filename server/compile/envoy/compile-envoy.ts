/** A service as Envoys get it: pure, like `compileService`, from the same input and what own agents get. */
import type { CompiledService } from '../compile.ts';
import type { CompiledVariant } from '../compiled-variant.ts';
import type { ServiceInput } from '../service-input.ts';
import { compileEnvoyClusters } from './clusters.ts';
import { envoyProblems } from './problems.ts';
import { compileEnvoyRoutes } from './routes.ts';
import { compileScopes } from './scopes.ts';

/** All but its endpoints, and the listeners, which are those of the node. */
export function compileForEnvoy(input: ServiceInput, own: CompiledService): CompiledVariant {
  return {
    resources: [
      ...compileEnvoyClusters(input),
      ...compileScopes(input),
      ...compileEnvoyRoutes(input, own.routeConfigurations),
    ],
    problems: envoyProblems(input),
  };
}
