/** Requests that all go to one service, whatever they say: each is routed by the rules as they are when it comes. */
import type { RequestHead } from '../http1/request-head.ts';
import type { MeshDirectory } from '../view/mesh-directory.ts';
import type { Exchange } from './exchange.ts';
import { unknownService } from './route-refusals.ts';
import type { ServiceLookup } from './service-lookup.ts';
import { type RouteContext, routeToService } from './service-route.ts';

export interface NamedServiceOptions extends RouteContext {
  readonly directory: MeshDirectory;
  readonly lookup: ServiceLookup;
}

type RouteRequest = (head: RequestHead, exchange: Exchange) => void;

/**
 * `name`: as `Name.name`; `port`: the first of what it stands for when undefined. `otherwise`: what becomes of requests while it
 * stands for nothing, or nobody can be asked; they are refused when not given.
 */
export function routeToName(
  { name, port }: { readonly name: string; readonly port: number | undefined },
  options: NamedServiceOptions,
  otherwise?: RouteRequest,
): RouteRequest {
  const { directory, lookup } = options;
  return (head, exchange) => {
    const { view } = directory;
    const service = view.service(name);
    if (service !== undefined) return routeToService(head, exchange, { view, service, port }, options);
    exchange.suspend(head, { until: lookup.ask(name) }, (found, again) => {
      if (found.is === 'found') routeToService(again, exchange, { ...found, port }, options);
      else if (otherwise !== undefined) otherwise(again, exchange);
      else exchange.refuse(unknownService(name, found));
    });
  };
}
