/** Which rules requests are routed by, and where each of them can send one. */
import type { MeshView } from './mesh-view.ts';

/** By rule, its clusters; '' for a rule that redirects. Looks at every rule of the view. */
export function rulesInView({ routeTables }: Pick<MeshView, 'routeTables'>): Map<string, Set<string>> {
  const rules = new Map<string, Set<string>>();
  for (const { routes } of routeTables.values()) {
    for (const { rule, choice } of routes) {
      const clusters = rules.get(rule) ?? new Set();
      for (const cluster of choice?.clusters ?? ['']) clusters.add(cluster);
      rules.set(rule, clusters);
    }
  }
  return rules;
}

/** Whose requests a rule redirects, by rule: of a redirect no cluster tells. Without rules of one name in several namespaces. */
export function servicesOfRedirects({ routeTables }: Pick<MeshView, 'routeTables'>): Map<string, string> {
  const services = new Map<string, string>();
  for (const { name, routes } of routeTables.values()) {
    const service = name.slice(0, name.lastIndexOf(':'));
    for (const { rule, choice } of routes) {
      if (choice !== undefined) continue;
      services.set(rule, (services.get(rule) ?? service) === service ? service : '');
    }
  }
  return services;
}
