/** What a name needs: its route configurations, and the clusters that these send requests to, with their endpoints. */
import { namedClusters } from '../../routing/named-clusters.ts';
import type { RefusedResource } from '../view/mesh-view.ts';
import { type Tables, typeUrls } from './resources.ts';

/** The names that cannot be used while these resources cannot. */
export function namesThatNeed(refused: readonly RefusedResource[], tables: Tables): string[] {
  const broken = new Set(refused.map(({ typeUrl, name }) => idOf(typeUrl, name)));
  const affected = [...tables.names].filter(([, { message }]) =>
    message.routeConfigurations.some((name) => {
      if (broken.has(idOf(typeUrls.routeConfigurations, name))) return true;
      const configuration = tables.routeConfigurations.get(name)?.message;
      const clusters = configuration === undefined ? [] : namedClusters(configuration);
      return clusters.some(
        (cluster) => broken.has(idOf(typeUrls.clusters, cluster)) || broken.has(idOf(typeUrls.endpoints, cluster)),
      );
    }),
  );
  // A Name that could not be decoded stands in no table.
  const undecoded = refused.filter(({ typeUrl }) => typeUrl === typeUrls.names).map(({ name }) => name);
  return [...new Set([...affected.map(([name]) => name), ...undecoded])];
}

/** A type URL has no space in it. */
function idOf(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}
