/** Connections of a port of protocol tcp: to the backends of its rule, by weight. */
import { durationMs } from '../../../model/duration.ts';
import { routeConfigurationName } from '../../../model/names.ts';
import type { ServicePort } from '../../../model/service.ts';
import type { Input } from '../../../proto/load.ts';
import { type Filter, RouteConfiguration, TcpProxy } from '../../../proto/types.ts';
import { any } from '../any.ts';
import type { CompiledService } from '../compile.ts';
import { compileDuration } from '../duration.ts';
import { effectivePolicy } from '../effective-policy.ts';
import type { ServiceInput } from '../service-input.ts';

/** An instance that does not accept is passed over for another. */
const mostAttempts = { value: 3 };

const defaultIdleTimeout = '1h';

export function connectionsOf(input: ServiceInput, own: CompiledService, port: ServicePort): Input<Filter> {
  const name = routeConfigurationName({ service: input.name, namespace: input.namespace, portNumber: port.port });
  const idleTimeout = effectivePolicy(input.policies, '').connectionPool?.idleTimeout ?? defaultIdleTimeout;
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: any(TcpProxy, {
      statPrefix: name,
      ...targets(own, name),
      idleTimeout: compileDuration(durationMs(idleTimeout)),
      maxConnectAttempts: mostAttempts,
    }),
  };
}

export function connectionsTo(cluster: string): Input<Filter> {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: any(TcpProxy, { statPrefix: 'inbound', cluster, maxConnectAttempts: mostAttempts }),
  };
}

/** Those of the one rule that a port of connections has. Envoy takes no weight of 0. */
function targets({ routeConfigurations }: CompiledService, name: string): Input<TcpProxy> {
  const resource = routeConfigurations.find((one) => one.name === name);
  const routes = resource ? RouteConfiguration.decode(resource.bytes).virtualHosts.flatMap((host) => host.routes) : [];
  const action = routes[0]?.route;
  const weighted = (action?.weightedClusters?.clusters ?? []).flatMap(({ name: cluster, weight }) =>
    weight && weight.value > 0 ? [{ name: cluster, weight: weight.value }] : [],
  );
  return weighted.length > 0 ? { weightedClusters: { clusters: weighted } } : { cluster: action?.cluster ?? '' };
}
