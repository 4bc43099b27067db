/** Scopes: which requests of an outbound listener are for which port of a service. */
import { aliasName, routeConfigurationName, serviceKey } from '../../../model/names.ts';
import { ScopedRouteConfiguration } from '../../../proto/types.ts';
import { type EncodedResource, encodeResource } from '../encoded-resource.ts';
import { protocolOf, type ServiceInput } from '../service-input.ts';
import { canonicalName } from './authority.ts';

/** One for each name and port, and one for each name without a port, which is the first. Each is called as its key. */
export function compileScopes(input: ServiceInput): EncodedResource[] {
  const { namespace, name, domain, ports, document } = input;
  const aliases = document?.spec.aliases.map((alias) => aliasName(namespace, alias)) ?? [];
  const names = [serviceKey(namespace, name), ...aliases.map((alias) => canonicalName(alias, domain))];
  return [...new Set(names)].sort().flatMap((host) =>
    ports.flatMap((port, index) => {
      // There are no requests on a port of connections.
      if (protocolOf(input, port.name) === 'tcp') return [];
      const routes = routeConfigurationName({ service: name, namespace, portNumber: port.port });
      const keys = index === 0 ? [host, `${host}:${port.port}`] : [`${host}:${port.port}`];
      return keys.map((key) => compileScope(key, routes));
    }),
  );
}

function compileScope(key: string, routeConfiguration: string): EncodedResource {
  const scope = { name: key, routeConfigurationName: routeConfiguration, key: { fragments: [{ stringKey: key }] } };
  return encodeResource(ScopedRouteConfiguration, key, scope, { routes: routeConfiguration });
}

/** The name that a scope is for: its key without a port. */
export function hostOfScope(key: string): string {
  return key.replace(/:\d+$/, '');
}
