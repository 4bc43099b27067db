/** Which clusters a route configuration speaks of. */
import type { RouteConfiguration } from '../proto/types.ts';

/** Targets and mirrors of all routes, also those without a share; a name may come several times. */
export function namedClusters({ virtualHosts }: Pick<RouteConfiguration, 'virtualHosts'>): string[] {
  return virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ route }) => {
      if (route === null) return [];
      const weighted = route.weightedClusters?.clusters.map(({ name }) => name) ?? [];
      const mirrors = route.requestMirrorPolicies.map(({ cluster }) => cluster);
      return [...(route.cluster === '' ? [] : [route.cluster]), ...weighted, ...mirrors];
    }),
  );
}
